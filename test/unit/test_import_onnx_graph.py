"""Foreign ONNX files made fit for a bundle, and those that cannot be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from helpers.networks import gru, mlp, model_bytes
from onnx import TensorProto, helper

from robot_policies.bundle.importers.compare import compare, original_onnx
from robot_policies.bundle.importers.onnx_graph import make_graph
from robot_policies.bundle.importers.policy import ActionPart, Entry, ForeignPolicy, NetworkSource, Past, Recurrent
from robot_policies.exceptions import ImportFormatError
from robot_policies.inference.onnx_file import inspect

Change = Callable[[onnx.ModelProto], object]


def policy_of(path: Path, size: int = 6, joints: int = 4, **network: Any) -> ForeignPolicy:
    """Return a policy of ``joints`` joints whose network, with one observation of ``size``, is in ``path``."""
    return ForeignPolicy(
        joint_names=tuple(f"joint_{i}" for i in range(joints)),
        default_joint_pos=(0.0,) * joints,
        stiffness=(1.0,) * joints,
        damping=(1.0,) * joints,
        control_dt=0.02,
        entries=(Entry("joint_pos_rel", size),),
        action=ActionPart(1.0, 0.0, None, "raw"),
        network=NetworkSource(path, **network),
    )


def changed(folder: Path, change: Change, content: bytes | None = None) -> Path:
    """Write an MLP of 6 to 4, or ``content``, with one change."""
    model = onnx.load_from_string(content or mlp((6, 5, 4)))
    change(model)
    path = folder / "net.onnx"
    onnx.save(model, str(path))
    return path


def dims(value: onnx.ValueInfoProto) -> list[int]:
    return [dim.dim_value for dim in value.type.tensor_type.shape.dim]


OPEN = [
    (["n", 6], ["n", 4]),
    (["n", "m"], ["n", 4]),
    ([None, 6], [None, None]),
    ([0, 6], [-1, 4]),
    ([1, 6], [1, 4]),
]


@pytest.mark.parametrize("shape", OPEN)
def test_open_dimensions_are_closed(tmp_path: Path, shape: tuple[list[Any], list[Any]]) -> None:
    def open_up(model: onnx.ModelProto) -> None:
        for value, sizes in zip((model.graph.input[0], model.graph.output[0]), shape, strict=True):
            value.CopyFrom(helper.make_tensor_value_info(value.name, TensorProto.FLOAT, sizes))

    graph = make_graph(policy_of(changed(tmp_path, open_up)), tmp_path / "out.onnx")
    model = onnx.load(str(graph.path))
    assert (graph.input_shape, graph.output_shape) == ((1, 6), (1, 4))
    assert (dims(model.graph.input[0]), dims(model.graph.output[0])) == ([1, 6], [1, 4])
    assert inspect(graph.path, tmp_path).faults == ()


def test_an_input_of_frames_keeps_its_shape(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Flatten", ["obs"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["actions"]),
    ]
    weights = {"w": np.ones((12, 4), dtype=np.float32)}
    path = tmp_path / "net.onnx"
    path.write_bytes(model_bytes(nodes, {"obs": ["n", 2, 6]}, {"actions": ["n", 4]}, weights))
    policy = replace(policy_of(path), past=Past((0, 1), "first_frame"))
    assert make_graph(policy, tmp_path / "out.onnx").input_shape == (1, 2, 6)


def test_what_the_action_does_not_need_is_dropped(tmp_path: Path) -> None:
    """A critic, or a sampled action, beside the mean action."""

    def add(model: onnx.ModelProto) -> None:
        model.graph.node.append(helper.make_node("RandomNormalLike", ["actions"], ["noise"]))
        model.graph.node.append(helper.make_node("Add", ["actions", "noise"], ["sampled"]))
        model.graph.output.append(helper.make_tensor_value_info("sampled", TensorProto.FLOAT, [1, 4]))

    path = changed(tmp_path, add)
    with pytest.raises(ImportFormatError, match="network.output: one tensor; found 2 tensors: actions, sampled"):
        make_graph(policy_of(path), tmp_path / "out.onnx")
    policy = policy_of(path, output="actions")
    graph = make_graph(policy, tmp_path / "out.onnx")
    assert [node.op_type for node in onnx.load(str(graph.path)).graph.node] == ["Gemm", "Elu", "Gemm"]
    assert inspect(graph.path, tmp_path).faults == ()
    assert compare(original_onnx(policy, graph), graph).relative == 0.0


def test_a_random_action_is_refused(tmp_path: Path) -> None:
    def add(model: onnx.ModelProto) -> None:
        model.graph.output[0].name = "sampled"
        model.graph.node.append(helper.make_node("RandomNormalLike", ["actions"], ["noise"]))
        model.graph.node.append(helper.make_node("Add", ["actions", "noise"], ["sampled"]))

    policy = policy_of(changed(tmp_path, add))
    graph = make_graph(policy, tmp_path / "out.onnx")
    with pytest.raises(ImportFormatError, match="other outputs when it is run again"):
        compare(original_onnx(policy, graph), graph)


def test_outputs_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    def add(model: onnx.ModelProto) -> None:
        model.graph.output[0].name = "logs"
        model.graph.node.append(helper.make_node("Log", ["actions"], ["logs"]))

    policy = policy_of(changed(tmp_path, add))
    graph = make_graph(policy, tmp_path / "out.onnx")
    with pytest.raises(ImportFormatError, match="finite outputs; found others at step 0"):
        compare(original_onnx(policy, graph), graph)


def test_another_network_is_told_from_the_original(tmp_path: Path) -> None:
    policy = policy_of(changed(tmp_path, lambda model: None))
    graph = make_graph(policy, tmp_path / "out.onnx")
    (tmp_path / "out.onnx").write_bytes(mlp((6, 5, 4), seed=9))
    with pytest.raises(ImportFormatError, match="outputs within 0.0001; found a difference of .* at step 0 of 200"):
        compare(original_onnx(policy, graph), graph)


def test_a_state_that_is_not_carried_is_told_from_the_original(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(gru(6, 3, 4))
    recurrent = Recurrent({"h_in": (1, 1, 3)}, {"h_out": "h_in"})
    policy = policy_of(path, recurrent=recurrent)
    graph = make_graph(policy, tmp_path / "out.onnx")
    assert compare(original_onnx(policy, graph), graph).relative == 0.0
    forgetful = replace(graph, states=(replace(graph.states[0], initial=1.0),))
    with pytest.raises(ImportFormatError, match="the first at step 0"):
        compare(original_onnx(policy, graph), forgetful)


def test_weights_are_drawn_in(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(
        onnx.load_from_string(mlp((6, 5, 4))),
        str(path),
        save_as_external_data=True,
        location="net.bin",
        size_threshold=0,
    )
    out = tmp_path / "elsewhere" / "out.onnx"
    out.parent.mkdir()
    graph = make_graph(policy_of(path), out)
    assert inspect(graph.path, out.parent).external == ()
    assert inspect(graph.path, out.parent).faults == ()


@pytest.mark.parametrize("location", ["../net.bin", "/tmp/net.bin", "missing.bin", "link.bin"])
def test_weights_outside_the_folder_are_refused(tmp_path: Path, location: str) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    path = folder / "net.onnx"
    onnx.save(
        onnx.load_from_string(mlp((6, 5, 4))),
        str(path),
        save_as_external_data=True,
        location="net.bin",
        size_threshold=0,
    )
    (folder / "net.bin").rename(tmp_path / "net.bin")
    (folder / "link.bin").symlink_to(tmp_path / "net.bin")
    model = onnx.load(str(path), load_external_data=False)
    for tensor in model.graph.initializer:
        next(entry for entry in tensor.external_data if entry.key == "location").value = location
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ImportFormatError, match=f"external weights; found .*{Path(location).name}"):
        make_graph(policy_of(path), tmp_path / "out.onnx")


def _retype(model: onnx.ModelProto, kind: int) -> None:
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.elem_type = kind


def _to_double(model: onnx.ModelProto) -> None:
    _retype(model, TensorProto.DOUBLE)
    for tensor in model.graph.initializer:
        tensor.CopyFrom(
            onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor).astype(np.float64), tensor.name)
        )


BROKEN: dict[str, tuple[Change, str]] = {
    "double precision": (_to_double, "input obs; found float64; valid: float32"),
    "a fixed batch": (
        lambda m: m.graph.input[0].CopyFrom(helper.make_tensor_value_info("obs", TensorProto.FLOAT, [4096, 6])),
        r"a batch of one; found shape \[4096, 6\]",
    ),
    "an open shape": (
        lambda m: m.graph.input[0].CopyFrom(helper.make_tensor_value_info("obs", TensorProto.FLOAT, ["n", "a", "b"])),
        r"input obs: its shape; found \[1, any, any\]",
    ),
    "another size": (
        lambda m: m.graph.input[0].CopyFrom(helper.make_tensor_value_info("obs", TensorProto.FLOAT, [1, 7])),
        r"add up to 7; found 6 \(joint_pos_rel 6\)",
    ),
    "a second input": (
        lambda m: m.graph.input.append(helper.make_tensor_value_info("obs_history", TensorProto.FLOAT, [1, 30])),
        "network.input: one tensor; found 2 tensors: obs, obs_history",
    ),
    "a custom operator": (lambda m: setattr(m.graph.node[1], "domain", "com.acme"), "a valid ONNX model.*com.acme"),
    "an operator of nobody": (lambda m: setattr(m.graph.node[1], "op_type", "Elux"), "a valid ONNX model"),
    "no operators": (lambda m: m.graph.ClearField("node"), "an ONNX model; found no operators"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_networks_that_do_not_do(tmp_path: Path, case: str) -> None:
    change, named = BROKEN[case]
    with pytest.raises(ImportFormatError, match=named):
        make_graph(policy_of(changed(tmp_path, change)), tmp_path / "out.onnx")


def test_as_many_outputs_as_joints(tmp_path: Path) -> None:
    with pytest.raises(ImportFormatError, match="output actions: one number per joint; found 4 numbers.*valid: 5"):
        make_graph(policy_of(changed(tmp_path, lambda m: None), joints=5), tmp_path / "out.onnx")


def test_not_onnx_at_all(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"PK\x03\x04 not a model")
    with pytest.raises(ImportFormatError, match=r"net.onnx: an ONNX"):
        make_graph(policy_of(tmp_path / "net.onnx"), tmp_path / "out.onnx")


@pytest.mark.parametrize(
    ("recurrent", "named"),
    [
        (Recurrent({"h_in": (1, 1, 4)}, {"h_out": "h_in"}), r"network.recurrent.h_in; found \[1, 1, 4\].*\[1, 1, 3\]"),
        (Recurrent({"h_in": (1, 3)}, {"h_out": "h_in"}), "network.recurrent.h_in"),
        (Recurrent({"h_in": (1, 1, 3)}, {"h_next": "h_in"}), "network.recurrent.h_next: an output; found h_next"),
        (Recurrent(), "network.input: one tensor; found 2 tensors: obs, h_in"),
    ],
)
def test_states_that_are_not_those_of_the_file(tmp_path: Path, recurrent: Recurrent, named: str) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(gru(6, 3, 4))
    with pytest.raises(ImportFormatError, match=named):
        make_graph(policy_of(path, recurrent=recurrent), tmp_path / "out.onnx")


def test_an_input_that_nothing_feeds(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(gru(6, 3, 4))
    with pytest.raises(ImportFormatError, match="nothing for h_in; valid: obs alone"):
        make_graph(policy_of(path, input="obs", output="actions"), tmp_path / "out.onnx")
