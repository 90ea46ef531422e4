"""What is read out of an ONNX file, and what no bundle may hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from helpers.networks import lstm, mlp, model_bytes
from onnx import TensorProto, helper, numpy_helper

from robot_policies.inference.onnx_file import OnnxFile, TensorInfo, inspect


def seen(folder: Path, content: bytes) -> OnnxFile:
    (folder / "n.onnx").write_bytes(content)
    return inspect(folder / "n.onnx", folder)


def external(folder: Path, location: str = "weights.bin", content: bytes | None = None) -> OnnxFile:
    """An MLP with its weights in a file beside it, which it calls ``location``."""
    model = onnx.load_model_from_string(mlp((5, 3)))
    (folder / "weights.bin").unlink(missing_ok=True)
    onnx.save_model(model, folder / "n.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    model = onnx.load(folder / "n.onnx", load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    if content is not None:
        (folder / "weights.bin").write_bytes(content)
    return seen(folder, model.SerializeToString())


def test_names_shapes_and_types(tmp_path: Path) -> None:
    file = seen(tmp_path, lstm(5, 4, 3))
    hidden = TensorInfo((1, 1, 4), "float32")
    assert file.inputs == {"obs": TensorInfo((1, 5), "float32"), "h_in": hidden, "c_in": hidden}
    assert file.outputs == {"actions": TensorInfo((1, 3), "float32"), "h_out": hidden, "c_out": hidden}
    assert file.faults == ()


def test_an_open_dimension_is_none(tmp_path: Path) -> None:
    assert seen(tmp_path, mlp((5, 3), batch="n")).inputs["obs"] == TensorInfo((None, 5), "float32")


def test_weights_that_are_also_inputs_are_not_inputs(tmp_path: Path) -> None:
    model = onnx.load_model_from_string(mlp((5, 3)))
    model.graph.input.append(helper.make_tensor_value_info("w0", TensorProto.FLOAT, [5, 3]))
    assert set(seen(tmp_path, model.SerializeToString()).inputs) == {"obs"}


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x04\x95pickle", b"\x08\x09"])
def test_what_is_not_onnx_says_so(tmp_path: Path, content: bytes) -> None:
    (fault,) = seen(tmp_path, content).faults
    assert "ONNX" in fault
    assert "found" in fault


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    assert "a readable ONNX file" in inspect(tmp_path / "none.onnx", tmp_path).faults[0]


def identity_with(node: onnx.NodeProto, domains: tuple[str, ...] = ()) -> bytes:
    return model_bytes([node], {"obs": [1, 5]}, {"actions": [1, 5]}, {}, domains=domains)


@pytest.mark.parametrize("domain", ["com.microsoft", "my.operators", "ai.onnx.ml"])
def test_custom_operators_are_named(tmp_path: Path, domain: str) -> None:
    (fault,) = seen(
        tmp_path, identity_with(helper.make_node("Gelu", ["obs"], ["actions"], domain=domain), (domain,))
    ).faults
    assert fault == (
        f"operators of standard ONNX; found {domain}::Gelu; valid: the domain ai.onnx, without custom operators"
    )


def test_random_operators_are_named(tmp_path: Path) -> None:
    (fault,) = seen(tmp_path, identity_with(helper.make_node("RandomNormalLike", ["obs"], ["actions"]))).faults
    assert "found RandomNormalLike" in fault


def hidden_in_a_branch(node: onnx.NodeProto) -> bytes:
    branch = helper.make_graph([node], "branch", [], [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 5])])
    choice = helper.make_node("If", ["yes"], ["actions"], then_branch=branch, else_branch=branch)
    return model_bytes([choice], {"obs": [1, 5]}, {"actions": [1, 5]}, {"yes": np.array([True])})


def test_operators_inside_a_branch_are_seen(tmp_path: Path) -> None:
    content = hidden_in_a_branch(helper.make_node("Evil", ["obs"], ["x"], domain="evil"))
    assert "evil::Evil" in seen(tmp_path, content).faults[0]


def test_operators_inside_a_function_are_seen_and_the_function_itself_is_allowed(tmp_path: Path) -> None:
    def content(op: str, domain: str) -> bytes:
        model = onnx.load_model_from_string(
            identity_with(helper.make_node("Mine", ["obs"], ["actions"], domain="local"), ("local",))
        )
        inner = helper.make_node(op, ["x"], ["y"], domain=domain)
        opsets = [helper.make_opsetid("", 17)]
        model.functions.append(helper.make_function("local", "Mine", ["x"], ["y"], [inner], opsets))
        return model.SerializeToString()

    assert seen(tmp_path, content("Elu", "")).faults == ()
    assert "evil::Evil" in seen(tmp_path, content("Evil", "evil")).faults[0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_counted(tmp_path: Path, bad: float) -> None:
    model = onnx.load_model_from_string(mlp((5, 3)))
    weight = numpy_helper.to_array(model.graph.initializer[0]).copy()
    weight[1, 1] = weight[2, 2] = bad
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weight, "w0"))
    (fault,) = seen(tmp_path, model.SerializeToString()).faults
    assert fault == "weights w0; found 2 that are not finite; valid: finite numbers"


def test_weights_with_too_few_bytes_are_named(tmp_path: Path) -> None:
    model = onnx.load_model_from_string(mlp((5, 3)))
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:-4]
    assert "weights w0" in seen(tmp_path, model.SerializeToString()).faults[0]


def test_external_weights_are_found_and_read(tmp_path: Path) -> None:
    file = external(tmp_path)
    assert (file.external, file.faults) == (("weights.bin",), ())
    values = np.frombuffer((tmp_path / "weights.bin").read_bytes(), np.uint8).copy()
    values[:4] = np.frombuffer(np.float32(np.nan).tobytes(), np.uint8)
    assert "that are not finite" in external(tmp_path, content=values.tobytes()).faults[0]


@pytest.mark.parametrize("location", ["../weights.bin", "/etc/passwd", "sub/../../weights.bin", "", "..\\weights.bin"])
def test_external_weights_outside_the_folder_are_refused(tmp_path: Path, location: str) -> None:
    folder = tmp_path / "bundle"
    folder.mkdir()
    (tmp_path / "weights.bin").write_bytes(bytes(72))
    (fault,) = external(folder, location).faults
    assert fault.startswith(
        f"external weights: a file in the bundle's folder; found {location!r}; valid: a relative path"
    )


def test_external_weights_behind_a_link_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    folder.mkdir()
    external(folder)
    (folder / "weights.bin").rename(tmp_path / "weights.bin")
    (folder / "weights.bin").symlink_to(tmp_path / "weights.bin")
    assert "a link at 'weights.bin'" in inspect(folder / "n.onnx", folder).faults[0]


def test_external_weights_that_are_missing_are_named(tmp_path: Path) -> None:
    assert "no file 'other.bin'" in external(tmp_path, "other.bin").faults[0]


def test_external_data_of_a_constant_is_seen_too(tmp_path: Path) -> None:
    tensor = numpy_helper.from_array(np.zeros((1, 5), np.float32), "c")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../outside.bin")
    constant = helper.make_node("Constant", [], ["c"], value=tensor)
    add = helper.make_node("Add", ["obs", "c"], ["actions"])
    content = model_bytes([constant, add], {"obs": [1, 5]}, {"actions": [1, 5]}, {})
    assert "'../../outside.bin'" in seen(tmp_path, content).faults[0]
