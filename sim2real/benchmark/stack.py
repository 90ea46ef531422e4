"""A robot node and a policy node in processes of their own, on a ROS domain of their own, with their raw samples."""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from robot_policies.exceptions import RobotError
from robot_policies.nodes.processes import set_discovery_defaults
from sim2real.benchmark.children import Child, running, schedule
from sim2real.benchmark.walk import POLICY, ROBOT

if TYPE_CHECKING:
    from robot_policies.nodes.bench_operator import BenchOperator

FORWARD = 0.5  # [m/s] that the robot walks meanwhile
Parameters = Mapping[str, object]
RECORDER = "sim2real.benchmark.recorded_node"


class Stack:
    """Both nodes and their operator.

    Attributes:
        operator: who asks them.
        children: the processes by name.
    """

    def __init__(
        self,
        scratch: Path,
        robot: Parameters | None = None,
        others: Sequence[str] = (),
        policy: str = POLICY,
        recording: Path | None = None,
    ) -> None:
        """Note what to start: parameters of the robot node, modules of other nodes, the bundle, where to record."""
        self.scratch, self._parameters, self._others = scratch, dict(robot or {}), tuple(others)
        self._policy = policy
        self._recording = {} if recording is None else {"record": str(recording)}
        self.children: dict[str, Child] = {}
        self.operator: BenchOperator
        self._exit = ExitStack()

    def __enter__(self) -> Stack:
        """Start the processes."""
        domain = 1 + secrets.randbelow(100)
        os.environ["ROS_DOMAIN_ID"] = str(domain)
        os.environ["ROS_LOG_DIR"] = str(self.scratch / "ros_log")
        set_discovery_defaults()
        # rclpy reads the environment as it is imported.
        from robot_policies.nodes.bench_operator import BenchOperator

        with self._exit:  # ends what has started where the rest does not
            robot = self._parameters.get("robot", ROBOT)
            if self._recording:
                asked = {"robot": robot, "policy": self._policy, **self._recording}
                self._start("recorder_node", ["-m", "robot_policies.nodes.recorder_node", *_ros(asked)])
            self.start_node("robot_node", {"robot": ROBOT, **self._parameters, **self._recording})
            self.operator = BenchOperator(domain, self.check)
            self._exit.callback(self.operator.close)
            policy = {"policy": self._policy, "robot": robot, **self._recording}
            self.start_node("policy_node", {**policy, **self._clock()})
            for module in self._others:
                parameters = {"robot": robot} if module.endswith("camera_node") else {"port": _free_port()}
                name = module.rpartition(".")[2]
                self._start(name, ["-m", module, *_ros({**parameters, **self._clock()})])
            self._exit = self._exit.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End them all, the robot node last."""
        for name in reversed(tuple(self.children)):
            self.children[name].end()
        self._exit.close()

    def start_node(self, name: str, parameters: Parameters) -> Child:
        """Start the robot node or a policy node that keeps its samples."""
        return self._start(name, ["-m", RECORDER, str(self._tape(name)), name, *_ros(parameters)])

    def walk(self) -> None:
        """Stand up, activate the policy and begin to walk."""
        self.operator.stand()
        self.operator.activate()
        self.operator.drive(1.0, FORWARD)

    def check(self) -> None:
        """Raise ``RobotError`` where a process has ended."""
        for child in self.children.values():
            child.check()

    def schedule(self, fifo: bool) -> None:
        """Put both nodes into SCHED_FIFO, or out of it."""
        for name in ("robot_node", "policy_node"):
            schedule(self.children[name].pid, fifo)

    def restart_policy(self) -> None:
        """Start the policy node anew, once the old one is dead, and wait until the new one speaks."""
        told = self.operator.told["/policy_node"]
        self.start_node("policy_node", {"policy": self._policy, "robot": ROBOT})
        self.operator.wait(lambda: self.operator.told["/policy_node"] > told, 30.0, "a new policy node")

    def samples(self) -> dict[str, list[tuple[int, int]]]:
        """Return name -> (time, value) [ns] of both nodes, which have ended."""
        found: dict[str, Any] = {}
        for name in ("robot_node", "policy_node"):
            if self._tape(name).exists():
                found |= json.loads(self._tape(name).read_text(encoding="utf-8"))
        return found

    def _clock(self) -> dict[str, object]:
        return {"use_sim_time": True} if self._parameters.get("clock") == "lockstep" else {}

    def _start(self, name: str, arguments: Sequence[str]) -> Child:
        old = self.children.pop(name, None)
        if old is not None:
            old.end()
        child = self._exit.enter_context(running(arguments, self.scratch / f"{name}.log"))
        self.children[name] = child
        return child

    def _tape(self, name: str) -> Path:
        return self.scratch / f"{name}.json"


def within(samples: Sequence[tuple[int, int]], span: tuple[int, int]) -> list[int]:
    """Return the values that were taken in ``span``."""
    return [value for at, value in samples if span[0] <= at <= span[1]]


def cpu_of(children: Mapping[str, Child]) -> dict[str, float]:
    """Return the processor time of each process [s]. Raises ``RobotError`` where one has ended."""
    try:
        return {name: child.cpu_seconds() for name, child in children.items()}
    except (FileNotFoundError, IndexError) as error:
        raise RobotError("a process of the benchmark has ended") from error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ros(parameters: Parameters) -> list[str]:
    texts = [
        f"{name}:={str(value).lower() if isinstance(value, bool) else value}" for name, value in parameters.items()
    ]
    return ["--ros-args", *(part for text in texts for part in ("-p", text))]
