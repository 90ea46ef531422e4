"""ROS in lockstep and the offline path give the same commands, number by number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("mujoco")

from geometry_msgs.msg import TwistStamped
from helpers.bundles import contract_of, make_bundle
from helpers.stack import POLICY, Stack
from sensor_msgs.msg import JointState

from robot_policies.bundle.load import load_bundle
from robot_policies.control.policy_step import PolicyStep
from robot_policies.control.robot_step import RobotStep
from robot_policies.nodes.conversions import set_stamp, to_ns
from robot_policies.nodes.runtime import RELIABLE
from robot_policies.robot_spec import load_robot_spec
from robot_policies.safety.limits import load_safety
from robot_policies.types import PolicyRecord, VelocityCommand
from sim2real.evaluation.offline import OfflineRun
from sim2real.evaluation.schedule import Event, Listed
from sim2real.mujoco.robot import create

SPEC = load_robot_spec("go2")
CYCLE_NS, RENEW_NS, AHEAD_NS = 5_000_000, 100_000_000, 300_000_000
VELOCITY = (0.4, -0.2, 0.3)
SECONDS = 6
ENOUGH = 50  # commands to compare, of 300
SEED = 11


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A network with random weights, of small effect, so that the robot stands and every action differs."""
    action = {**contract_of(SPEC)["action"], "scale": 0.02}
    make_bundle(tmp_path / "tiny", SPEC, action=action)
    return tmp_path / "tiny"


def through_ros(bundle: Path) -> tuple[dict[int, list[float]], dict[str, int], int]:
    """Return targets by stamp, stamps of the modes, and the stamp of the first velocity command."""
    clock = ("use_sim_time:=true",)
    with Stack("clock:=lockstep", f"options.seed:={SEED}", *clock) as stack:
        stack.start(POLICY, f"policy:={bundle}", *clock)
        commands = stack.probe.hear(JointState, "joint_command")
        publisher = stack.probe.node.create_publisher(TwistStamped, "cmd_vel", RELIABLE)
        sent: list[int] = []

        def ask(message: JointState) -> None:
            """Ask again every 0.1 s, for later than now, so that it does not matter when the message arrives."""
            stamp_ns = to_ns(message.header.stamp) + AHEAD_NS
            if not active or (sent and stamp_ns - sent[-1] < RENEW_NS):
                return
            sent.append(stamp_ns)
            twist = TwistStamped()
            set_stamp(twist.header.stamp, stamp_ns)
            twist.twist.linear.x, twist.twist.linear.y, twist.twist.angular.z = VELOCITY
            publisher.publish(twist)

        active = False
        stack.probe.node.create_subscription(JointState, "joint_states", ask, 10)
        stack.stand()
        stack.activate()
        active = True
        assert stack.probe.until(lambda: commands, 10)
        first = to_ns(commands[0][1].header.stamp)
        assert stack.probe.until(lambda: commands and to_ns(commands[-1][1].header.stamp) > first + SECONDS * 10**9, 60)
        modes = {mode: stamp for mode, stamp in stack.values()["modes"]}
        assert stack.values()["trips"] == []
        targets = {to_ns(message.header.stamp): list(message.position) for _, message in commands}
    return targets, modes, sent[0]


def offline(bundle: Path, modes: dict[str, int], first_velocity_ns: int, until_ns: int) -> dict[int, list[float]]:
    """Return the targets of the same schedule without ROS. A mode shows in the cycle after it was asked for."""
    asked = {"arm": modes.get("damping", modes["stand"]), "stand": modes["stand"], "activate": modes["active"]}
    events = [Event(stamp - CYCLE_NS, kind) for kind, stamp in asked.items()]
    for stamp in range(first_velocity_ns, until_ns, RENEW_NS):
        events.append(Event(stamp, "velocity_command", VelocityCommand(stamp, *VELOCITY)))
    targets: dict[int, list[float]] = {}

    def keep(record: PolicyRecord) -> None:
        targets[record.command.stamp_ns] = record.command.joint_pos.tolist()

    robot = create(SPEC, {"clock": "lockstep", "seed": SEED})
    step = RobotStep(SPEC, load_safety(SPEC.name, SPEC))
    policy = PolicyStep(load_bundle(bundle, SPEC), SPEC)
    OfflineRun(robot, step, policy, Listed(events), on_policy=[keep]).run(until_ns)
    return targets


@pytest.mark.slow
def test_ros_in_lockstep_and_the_offline_path_agree_number_by_number(bundle: Path) -> None:
    ros, modes, first_velocity_ns = through_ros(bundle)
    alone = offline(bundle, modes, first_velocity_ns, max(ros))
    assert len(ros) >= ENOUGH  # lockstep does not wait for listeners, and a slow one sees only some of the commands
    assert max(ros) - modes["active"] > 0.9 * SECONDS * 10**9  # to the end of the run
    assert set(ros) <= set(alone) and min(alone) == modes["active"]
    different = [stamp for stamp in sorted(ros) if ros[stamp] != alone[stamp]]
    assert different == [], f"first difference {(different[0] - modes['active']) * 1e-9:.3f} s after activation"
    spread = np.ptp(np.array([ros[stamp] for stamp in sorted(ros)]), axis=0)
    assert spread.max() > 1e-3  # the policy did something, and the velocity command was felt
