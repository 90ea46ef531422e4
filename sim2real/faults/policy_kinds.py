"""Faults of the network itself: a policy that answers no numbers, huge ones, or always the same; and a cut network."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper, numpy_helper

from robot_policies import resources
from robot_policies.bundle.write import write_bundle
from robot_policies.robot_spec import load_robot_spec
from sim2real.faults.kind import DEGRADE, LAND, Inject, Kind, Setup
from sim2real.faults.network import cut

if TYPE_CHECKING:
    from sim2real.faults.scene import Scene

BASE = "go2_walk"
TICKS = 250  # after which the network fails: 5 s at 50 Hz, so that the run without the fault fits in before
GOLDEN_TICKS = 32  # fewer, so that the bundle's own check is passed
FAILURES = ("nan", "huge", "stuck")
HUGE = 1e6


def failing_bundle(folder: Path, failure: str, ticks: int = TICKS) -> Path:
    """Write the shipped walk with a network that fails ``ticks`` after each activation: a sound bundle by every check.

    A recurrent state counts down. ``nan``: the square root of it, once below 0. ``huge``: 1e6 added. ``stuck``: its
    output is 0, the default pose, from then on.
    """
    source = resources.find("bundles", BASE)
    contract = yaml.safe_load((source / "policy.yaml").read_text(encoding="utf-8"))
    for key in ("format", "files"):
        contract.pop(key)
    contract["name"] = f"{BASE}_{failure}"
    contract["networks"][0]["states"] = [
        {"input": "left", "output": "left_out", "shape": [1, 1], "reset": "activation", "initial": float(ticks)}
    ]
    contract["action"]["clip"] = [-1e9, 1e9]
    model = onnx.load(str(source / "actor.onnx"))
    _fail(model, failure)
    files = {"README.md": "A policy that fails on purpose.\n", "actor.onnx": model.SerializeToString()}
    write_bundle(folder, contract, files, load_robot_spec("go2"), ticks=GOLDEN_TICKS)
    return folder


def _fail(model: onnx.ModelProto, failure: str) -> None:
    graph = model.graph
    output = graph.output[0].name
    for node in graph.node:
        node.output[:] = ["sound" if name == output else name for name in node.output]
        node.input[:] = ["sound" if name == output else name for name in node.input]
    numbers = {"one": 1.0, "zero": 0.0, "huge": HUGE}
    constants = {
        name: numpy_helper.from_array(np.full((1, 1), value, np.float32), name) for name, value in numbers.items()
    }
    graph.initializer.extend(constants.values())
    graph.input.append(helper.make_tensor_value_info("left", TensorProto.FLOAT, [1, 1]))
    graph.output.append(helper.make_tensor_value_info("left_out", TensorProto.FLOAT, [1, 1]))
    added = [helper.make_node("Sub", ["left", "one"], ["left_out"]), *_failures(failure, output)]
    graph.node.extend(added)


def _failures(failure: str, output: str) -> list[onnx.NodeProto]:
    make = helper.make_node
    if failure == "nan":
        root, nothing = make("Sqrt", ["left"], ["root"]), make("Mul", ["root", "zero"], ["nothing"])
        return [root, nothing, make("Add", ["sound", "nothing"], [output])]
    over = [make("Less", ["left", "zero"], ["over"])]
    if failure == "huge":
        return [*over, make("Where", ["over", "huge", "zero"], ["more"]), make("Add", ["sound", "more"], [output])]
    return [*over, make("Where", ["over", "zero", "one"], ["share"]), make("Mul", ["sound", "share"], [output])]


def _await(scene: Scene) -> float:
    """Wait until the network fails; return when it did."""
    at = scene.active_at + (TICKS + 1) * scene.control_dt
    scene.operator.watch(at - time.monotonic())
    return at


def _policy(failure: str, expected: str, why: str, **more: object) -> Kind:
    inject: Inject = _await
    return Kind(f"policy_{failure}", {"active": expected}, why, inject, setup=Setup(bundle=failure), **more)  # type: ignore[arg-type]


KINDS = (
    _policy("nan", LAND, "a policy that finds its output not finite gives the lease back as an error"),
    _policy("huge", LAND, "clamped and counted, and after 0.5 s of it a trip",
            age="clamping", allows=("tilt", "joint_vel", "joint_pos"), seconds=5.0),
    _policy("stuck", DEGRADE, "a pose like any other: it stops in mid-stride, and no check can know better",
            allows=("joint_vel",)),
    Kind("network_cut", {"stand": LAND, "active": LAND}, "the cable between robot and computer out for 0.5 s", cut,
         backends=("wire",), age="state_gap", setup=Setup(network=True)),
)  # fmt: skip
