"""A robot node and policy nodes in processes of their own, as a user starts them, and what a test asks of them."""

from __future__ import annotations

import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from helpers.bundles import contract_of, files_of
from helpers.networks import model_bytes
from helpers.node_process import Probe, command, free_domain, running
from lifecycle_msgs.srv import ChangeState
from onnx import helper
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger

from robot_policies.bundle.write import write_bundle
from robot_policies.nodes import diagnostics
from robot_policies.nodes.runtime import LATCHED
from robot_policies.robot_spec import RobotSpec

ROBOT, POLICY = "robot_policies.nodes.robot_node", "robot_policies.nodes.policy_node"
CONFIGURE, CLEANUP, ACTIVATE, DEACTIVATE = 1, 2, 3, 4  # lifecycle_msgs/Transition


def standing_bundle(folder: Path, spec: RobotSpec, fails_after: int | None = None) -> Path:
    """Write a bundle whose network always answers 0, the stand pose; NaN from tick ``fails_after`` on.

    The NaN is the square root of a counter that falls below zero, so that the golden ticks, fewer, are finite.
    """
    import numpy as np

    contract = contract_of(spec)
    contract["joints"] |= {"stiffness": [60.0] * len(spec.joint_names), "damping": [3.0] * len(spec.joint_names)}
    size = contract["networks"][0]["inputs"][0]["shape"][1]
    count = contract["networks"][0]["outputs"][0]["shape"][1]
    left = 1e9 if fails_after is None else float(fails_after)
    contract["networks"][0]["states"] = [
        {"input": "left", "output": "left_out", "shape": [1, 1], "reset": "activation", "initial": left}
    ]
    weights = {
        "zeros": np.zeros((size, count), np.float32),
        "one": np.ones((1, 1), np.float32),
        "zero": np.zeros((1, 1), np.float32),
    }
    nodes = [
        helper.make_node("MatMul", ["obs", "zeros"], ["still"]),
        helper.make_node("Sub", ["left", "one"], ["left_out"]),
        helper.make_node("Sqrt", ["left"], ["root"]),
        helper.make_node("Mul", ["root", "zero"], ["nothing"]),
        helper.make_node("Add", ["still", "nothing"], ["actions"]),
    ]
    shapes = {"obs": [1, size], "left": [1, 1]}, {"actions": [1, count], "left_out": [1, 1]}
    files = {**files_of(contract), "actor.onnx": model_bytes(nodes, *shapes, weights)}
    write_bundle(folder, contract, files, spec, ticks=32)
    return folder


class Stack:
    """Starts nodes, asks for what an operator asks, and keeps what they say."""

    def __init__(self, *robot_parameters: str, namespace: str = "", domain: int | None = None) -> None:
        self.domain = free_domain() if domain is None else domain
        self.namespace = namespace
        self._exit = ExitStack()
        self.probe = self._exit.enter_context(Probe(self.domain, namespace))
        self.robot = self.start(ROBOT, *robot_parameters)
        self.status: dict[str, dict[str, Any]] = {}
        self._said = self.probe.hear(DiagnosticArray, "/diagnostics")
        self.modes = self.probe.hear(String, "robot_mode", LATCHED)
        self.sent = self.probe.hear(JointState, "joint_command_sent")
        node = self.probe.node
        self._triggers = {name: node.create_client(Trigger, name) for name in ("stand", "damp", "estop", "reset")}
        self._arm = node.create_client(SetBool, "arm")
        # Made early: an answer that comes before both sides have found each other is lost.
        self._changes = {"policy_node": node.create_client(ChangeState, "policy_node/change_state")}

    def start(self, module: str, *parameters: str, rest: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        """Start a node process; it ends with the stack."""
        space = ("-r", f"__ns:=/{self.namespace}") if self.namespace else ()
        return self._exit.enter_context(running(command(module, *parameters, rest=(*space, *rest)), self.domain))

    def call(self, client: Any, request: Any, limit: float = 20.0) -> Any:
        """Call a service and return its answer."""
        assert self.probe.until(client.service_is_ready, limit), f"no service {client.srv_name}"
        future = client.call_async(request)
        assert self.probe.until(future.done, 10.0), f"no answer of {client.srv_name}"
        return future.result()

    def ask(self, name: str) -> Any:
        """Ask for ``arm``, ``disarm``, ``stand``, ``damp``, ``estop`` or ``reset``."""
        if name in ("arm", "disarm"):
            return self.call(self._arm, SetBool.Request(data=name == "arm"))
        return self.call(self._triggers[name], Trigger.Request())

    def change(self, transition: int, node: str = "policy_node") -> bool:
        """Ask for a lifecycle transition and return whether it was made."""
        if node not in self._changes:
            self._changes[node] = self.probe.node.create_client(ChangeState, f"{node}/change_state")
        request = ChangeState.Request()
        request.transition.id = transition
        return bool(self.call(self._changes[node], request).success)

    def told(self, node: str) -> list[Any]:
        """Return every status that a node told on /diagnostics, oldest first."""
        full = f"/{self.namespace}/{node}" if self.namespace else f"/{node}"
        return [status for _, message in self._said for status in message.status if status.name == full]

    def values(self, node: str = "robot_node") -> dict[str, Any]:
        """Return the newest values that a node told on /diagnostics."""
        told = self.told(node)
        return {**diagnostics.read(told[-1]), "message": told[-1].message, "level": told[-1].level} if told else {}

    def until(self, key: str, value: Any, node: str = "robot_node", limit: float = 20.0) -> dict[str, Any]:
        """Wait until a node tells ``value`` for ``key``; return all it tells then."""
        done = self.probe.until(lambda: self.values(node).get(key) == value, limit)
        assert done, f"{key} is not {value!r} after {limit} s: {self.values(node)}"
        return self.values(node)

    def stand(self) -> None:
        """Arm and stand up."""
        self.probe.until(lambda: self.values().get("cycles"), 20.0)
        for name in ("arm", "stand"):
            answer = self.ask(name)
            assert answer.success, answer.message
        self.until("ready", True)

    def activate(self, node: str = "policy_node") -> None:
        """Configure and activate a policy node."""
        assert self.change(CONFIGURE, node)
        assert self.change(ACTIVATE, node), (self.values(node).get("message"), self.values().get("message"))
        self.until("mode", "active")

    def first_sent(self, profile: str, after: float, limit: float = 2.0) -> float | None:
        """Return how long after ``after`` (monotonic [s]) the first command with ``profile`` went out [s]."""

        def found() -> list[float]:
            return [at - after for at, sent in self.sent if at >= after and sent.header.frame_id == profile]

        self.probe.until(found, limit)
        return min(found(), default=None)

    def __enter__(self) -> Stack:
        return self

    def __exit__(self, *error: object) -> None:
        self._exit.close()


def monotonic() -> float:
    """Return the clock of ``Probe.hear``."""
    return time.monotonic()
