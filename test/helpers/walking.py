"""The nodes in lockstep with a robot that is told to walk, a camera that can fail, and every command that was heard."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from geometry_msgs.msg import TwistStamped
from helpers.stack import ACTIVATE, POLICY, Stack
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger

from robot_policies.nodes.conversions import set_stamp, to_ns
from robot_policies.nodes.runtime import LATCHED, RELIABLE

RENEW_NS, AHEAD_NS = 100_000_000, 200_000_000
DEEP = QoSProfile(depth=200, reliability=QoSReliabilityPolicy.RELIABLE)


class Walking(Stack):
    """A stack whose robot walks at ``velocity`` once ``go`` was called."""

    def __init__(
        self,
        policy: Path | str,
        companion: Path | str,
        *robot_parameters: str,
        camera: bool = False,
        delay: float = 0.06,
    ) -> None:
        lockstep = "use_sim_time:=true"
        super().__init__("clock:=lockstep", "speed:=2.0", lockstep, *robot_parameters)
        self.velocity = (0.5, 0.0, 0.0)
        self.now_ns = 0
        self.heard: list[tuple[int, str, np.ndarray]] = []  # stamp, profile, targets of every command
        self._asked_ns: int | None = None  # stamp of the newest velocity, None while none is wanted
        with_companion = (f"companion:={companion}",) if companion else ()
        self.policy = self.start(POLICY, f"policy:={policy}", *with_companion, lockstep)
        if camera:
            self.start("helpers.fake_camera", lockstep, f"delay:={delay}")
        node = self.probe.node
        node.create_subscription(JointState, "joint_command", self._command, DEEP)
        node.create_subscription(JointState, "joint_states", self._state, 10)
        self.commanding = self.probe.hear(String, "commanding_policy", LATCHED)
        self.said = self.probe.hear(String, "camera_said", LATCHED)
        self._fault = node.create_publisher(String, "camera_fault", LATCHED)
        self._cmd_vel = node.create_publisher(TwistStamped, "cmd_vel", RELIABLE)

    def _command(self, message: JointState) -> None:
        self.heard.append((to_ns(message.header.stamp), message.header.frame_id, np.array(message.position)))

    def _state(self, message: JointState) -> None:
        self.now_ns = to_ns(message.header.stamp)
        if self._asked_ns is None or self.now_ns + AHEAD_NS - self._asked_ns < RENEW_NS:
            return
        self._asked_ns = self.now_ns + AHEAD_NS
        twist = TwistStamped()
        set_stamp(twist.header.stamp, self._asked_ns)
        twist.twist.linear.x, twist.twist.linear.y, twist.twist.angular.z = self.velocity
        self._cmd_vel.publish(twist)

    def go(self, seconds: float = 2.0) -> None:
        """Stand up, activate, and walk for a while."""
        self.stand()
        self.activate()
        self._asked_ns = 0
        self.walk(seconds)

    def go_on(self, limit: float = 30.0) -> None:
        """Activate again. That is refused, and tried once more, while a busy machine has the images come late."""
        end = time.monotonic() + limit
        while not self.change(ACTIVATE):
            self.walk(0.5)
            said = self.values("policy_node").get("message", "")
            assert "a delay from capture to use" in said and time.monotonic() < end, said

    def walk(self, seconds: float) -> None:
        """Let so much of the robot's time pass."""
        end = self.now_ns + int(seconds * 1e9)
        assert self.probe.until(lambda: self.now_ns >= end, 30.0 + 20.0 * seconds), "the simulator stands still"

    def switch(self, name: str) -> Any:
        """Call the policy node's ``switch_to/<name>``, or ``switch``, and return its answer."""
        service = f"policy_node/{name if name == 'switch' else f'switch_to/{name}'}"
        return self.call(self.probe.node.create_client(Trigger, service), Trigger.Request())

    def fault(self, name: str) -> int:
        """Let the camera fail, or be good again (""); return the stamp of the state at which it first did [ns]."""
        self._fault.publish(String(data=name))
        told = f"{name} "
        assert self.probe.until(lambda: self.said and self.said[-1][1].data.startswith(told), 20.0), self.said[-1:]
        return int(self.said[-1][1].data.split()[-1])

    def since(self, stamp_ns: int, profile: str, limit: float = 2.0) -> float:
        """Return how long after ``stamp_ns`` the first command with a profile of that bundle was for [s]."""

        def found() -> list[int]:
            return [at for at, name, _ in self.heard if at > stamp_ns and name.startswith(f"{profile}/")]

        assert self.probe.until(lambda: found() or self.now_ns > stamp_ns + limit * 1e9, 60.0)
        assert found(), f"no command of {profile} within {limit} s: {self.values('policy_node').get('message')}"
        return (found()[0] - stamp_ns) * 1e-9
