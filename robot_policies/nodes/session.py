"""One session of ``robot-policies run``: processes, operator and report."""

from __future__ import annotations

from collections import Counter
from typing import Any

import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions

from robot_policies.exceptions import RobotError
from robot_policies.nodes.operator import Operator
from robot_policies.nodes.processes import Processes
from robot_policies.nodes.runtime import Stop

RECORDER = "recorder_node"
COUNTED = ("_recorded", "_dropped")  # ends of the names of what the processes count that record


class Interrupted(RobotError):
    """Ctrl-C while something was waited for: an ordinary end."""


class Session:
    """Starts and ends everything; ``error`` says what went wrong, if anything did."""

    def __init__(self, processes: Processes, namespace: str, lockstep: bool) -> None:
        """Connect an operator to the namespace."""
        self._processes = processes
        self.error = ""
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        self._stop = Stop()
        parameters = [Parameter("use_sim_time", value=lockstep)]
        node = Node("operator", namespace=namespace.strip("/"), parameter_overrides=parameters)
        self._operator = Operator(node, self._check)
        self._active_ns: int | None = None

    @property
    def operator(self) -> Operator:
        """Who operates the robot."""
        return self._operator

    def start(self, velocity: tuple[float, float, float] | None, led: bool = False) -> None:
        """Start the processes, stand the robot up and activate the policy.

        Args:
            velocity: to command, (vx, vy [m/s], wz [rad/s]); None for none.
            led: whether a process of the bring-up commands velocities: the policy waits for it.
        """
        self._processes.start()
        operator = self._operator
        operator.stand()
        if led:
            operator.await_leader()
        operator.activate()
        self._active_ns = operator.stamp_ns
        if velocity is not None:
            operator.command(*velocity)

    def drive(self, seconds: float | None) -> None:
        """Serve until ``seconds`` of the robot's clock are over, or until Ctrl-C."""
        assert self._active_ns is not None
        end_ns = None if seconds is None else self._active_ns + int(seconds * 1e9)
        self._operator.run(lambda: end_ns is not None and self._operator.stamp_ns >= end_ns)

    def end(self) -> dict[str, Any]:
        """End everything and return the report. A robot that is up goes to damping."""
        operator = self._operator
        seconds = 0.0 if self._active_ns is None else (operator.stamp_ns - self._active_ns) * 1e-9
        if self._stop.requested:
            self.error = ""  # an ordinary end; the robot node lands by itself
        else:
            self._settle()
        report = self._report(seconds)
        self._processes.stop()
        operator.close()
        rclpy.try_shutdown()
        return report

    def _settle(self) -> None:
        """Deactivate the policy, so that its last tick is told, and hear both nodes once more."""
        operator = self._operator
        try:
            if operator.robot.get("mode") == "active":
                operator.deactivate()
                operator.wait(lambda: operator.robot.get("mode") != "active", 2.0, "the robot to leave active")
            operator.wait(lambda: operator.policy.get("active") is not True, 2.0, "the policy node to be inactive")
        except RobotError as error:
            self.error = self.error or str(error)

    def _report(self, seconds: float) -> dict[str, Any]:
        robot, policy, track = self._operator.robot, self._operator.policy, self._operator.track
        velocity = track.mean_velocity()
        report = {
            "seconds": round(seconds, 3),
            "fell": bool(robot.get("fell", False)),
            "distance_m": track.distance(),
            "speed_mps": None if velocity is None else velocity[0],
            "velocity": velocity,
            "ticks": policy.get("ticks", 0),
            "missed_ticks": policy.get("missed_ticks", 0),
            "latency_ms": robot.get("latency_ms"),
            "lateness_ms": robot.get("lateness_ms"),
            "tick_ms": policy.get("tick_ms"),
            "cycle_ms": robot.get("cycle_ms"),
            **{key: value for key, value in policy.items() if key.startswith("depth_")},
            "clamps": robot.get("clamps", {}),
            "refusals": robot.get("refusals", {}),
            "modes": [{"mode": mode, "stamp_ns": stamp} for mode, stamp in robot.get("modes", [])],
            "trips": robot.get("trips", []),
            **self._recording(),
            "error": self.error,
        }
        return {**report, "ok": not (report["fell"] or report["trips"] or self.error)}

    def _recording(self) -> dict[str, Any]:
        """Return what the three processes that record say of it."""
        operator = self._operator
        nodes = (operator.robot, operator.policy, operator.recorder)
        errors = [node.get("recording_error", "") for node in nodes]
        if RECORDER in self._processes.ended:
            errors.append(f"the {RECORDER} has ended with code {self._processes.ended[RECORDER]}")
        counts = Counter({f"{what}_{came}": 0 for what in ("steps", "messages") for came in ("recorded", "dropped")})
        for node in nodes:
            counts.update({key: n for key, n in node.items() if key.endswith(COUNTED) and isinstance(n, int)})
        not_recorded = operator.recorder.get("not_recorded", {})
        return {**counts, "not_recorded": not_recorded, "recording_error": "; ".join(filter(None, errors))}

    def _check(self) -> None:
        if self._stop.requested:
            raise Interrupted("stopped by the user")
        self._processes.check()
