"""Golden data: what is compared, what is found, and that the file can do no harm."""

from __future__ import annotations

import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from helpers.broken import put
from helpers.bundles import contract_of, make_bundle, relist
from helpers.networks import gru
from onnx import numpy_helper

from robot_policies.bundle import golden_file
from robot_policies.bundle.golden import check_golden, make_golden
from robot_policies.bundle.load import Bundle, load_bundle
from robot_policies.exceptions import BundleError
from robot_policies.robot_spec import load_robot_spec

SPEC = load_robot_spec("go2")
GRU_STATE = {"input": "h_in", "output": "h_out", "shape": [1, 1, 4], "reset": "activation"}


def gru_contract() -> dict[str, Any]:
    contract = contract_of(SPEC)
    contract["networks"][0]["states"] = [GRU_STATE]
    return contract


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bundles")
    files = {"actor.onnx": gru(45, 4, 12), "README.md": "x"}
    return {
        "mlp": make_bundle(folder / "mlp", SPEC).folder,
        "gru": make_bundle(folder / "gru", SPEC, files=files, **gru_contract()).folder,
    }


@pytest.fixture
def copy(made: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    return lambda kind: Path(shutil.copytree(made[kind], tmp_path / "tiny"))


def change(folder: Path, **arrays: Any) -> None:
    """Replace, or with None remove, arrays of golden.npz (``__`` for a dot), and list the new file."""
    data = dict(np.load(folder / "golden.npz"))
    for key, value in arrays.items():
        name = key.replace("__", ".")
        assert name in data, f"{name} not in {sorted(data)}"
        data[name] = value(data[name]) if callable(value) else value
    np.savez(folder / "golden.npz", **{name: array for name, array in data.items() if array is not None})
    relist(folder)


def said(folder: Path) -> str:
    with pytest.raises(BundleError) as caught:
        check_golden(load_bundle(folder, SPEC), SPEC)
    return str(caught.value)


def plus(where: Any, amount: float) -> Callable[[np.ndarray], np.ndarray]:
    def add(array: np.ndarray) -> np.ndarray:
        array = array.copy()
        array[where] += amount
        return array

    return add


@pytest.mark.parametrize("kind", ["mlp", "gru"])
def test_what_was_written_agrees(copy: Callable[[str], Path], kind: str) -> None:
    report = check_golden(load_bundle(copy(kind), SPEC), SPEC)
    assert (report.ticks, report.worst) == (32, 0.0)


@pytest.mark.parametrize("kind", ["mlp", "gru"])
def test_one_changed_weight_is_found(copy: Callable[[str], Path], kind: str) -> None:
    folder = copy(kind)
    model = onnx.load(folder / "actor.onnx")
    weight = numpy_helper.to_array(model.graph.initializer[0]).copy()
    weight.reshape(-1)[3] += 0.01
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weight, model.graph.initializer[0].name))
    (folder / "actor.onnx").write_bytes(model.SerializeToString())
    relist(folder)
    message = said(folder)
    assert "golden: network actor, output actions, tick 0, index [0, " in message
    assert " as recorded; found " in message
    assert "differ); valid: if the change is meant: robot-policies check BUNDLE --robot ROBOT --accept" in message


@pytest.mark.parametrize(
    ("broken", "where"),
    [
        (put("action/scale", 0.2), "golden: whole pipeline, target, tick 0, index [0]"),
        (put("action/clip", [-0.01, 0.01]), "golden: whole pipeline, action.processed, tick 0"),
        (
            put("observations/policy/terms/0/scale", 0.26),
            "whole pipeline, network.actor.input.obs, tick 0, index [0, 0]",
        ),
        (put("commands/velocity/lin_vel_x/range", [-0.5, 0.3]), "network.actor.input.obs, tick 4, index [0, 6]"),
        (put("observations/policy/history", {"ages": [0], "fill": "zeros", "mask": [4]}), "index [0, 4]"),
    ],
)
def test_a_changed_contract_is_found(copy: Callable[[str], Path], broken: Any, where: str) -> None:
    folder = copy("mlp")
    broken(folder)
    assert where in said(folder)


def test_a_changed_initial_state_is_found(copy: Callable[[str], Path]) -> None:
    folder = copy("gru")
    put("networks/0/states/0/initial", 0.05)(folder)
    assert "golden: network actor, output actions, tick 0" in said(folder)


def test_swapped_joints_are_found(copy: Callable[[str], Path]) -> None:
    folder = copy("mlp")
    names = list(reversed(SPEC.joint_names))
    names[0], names[3] = names[3], names[0]
    put("joints/names", names)(folder)
    assert "whole pipeline, network.actor.input.obs, tick 0, index [0, 9]" in said(folder)


def test_the_earliest_difference_is_named_with_both_numbers(copy: Callable[[str], Path]) -> None:
    folder = copy("mlp")
    recorded = np.load(folder / "golden.npz")["network.actor.output.actions"]
    change(folder, network__actor__output__actions=plus(([20, 11], 0, [3, 7]), 0.5))
    message = said(folder)
    assert (
        f"tick 11, index [0, 7]: {recorded[11, 0, 7] + 0.5:.9g} as recorded; found {recorded[11, 0, 7]:.9g}" in message
    )
    assert "(2 of 384 differ)" in message


def test_differences_within_the_tolerance_pass_and_are_reported(copy: Callable[[str], Path]) -> None:
    folder = copy("mlp")
    change(folder, target=plus((5, 0), 5e-6))
    assert 0.01 < check_golden(load_bundle(folder, SPEC), SPEC).worst < 0.6
    change(folder, target=plus((5, 0), 1e-3))
    assert "whole pipeline, target, tick 5, index [0]" in said(folder)


def test_the_tick_of_a_slow_network_is_counted_in_ticks(tmp_path: Path) -> None:
    contract = contract_of(SPEC)
    contract["networks"][0]["period"] = 4
    folder = make_bundle(tmp_path / "slow", SPEC, **contract).folder
    change(folder, network__actor__output__actions=plus((3, 0, 2), 0.5))
    assert "golden: network actor, output actions, tick 12, index [0, 2]" in said(folder)


# -- the file itself ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"format": np.array(2)}, "golden.npz: format; found 2; valid: 1, or a file made anew by this package"),
        ({"format": None}, "golden.npz: format; found no such array"),
        ({"state__joint_pos": None}, "golden.npz: state.joint_pos; found no such array; valid: a file of make_golden"),
        ({"network__actor__output__actions": None}, "network.actor.output.actions; found no such array"),
        ({"target": None}, "golden.npz: target; found no such array"),
        ({"target": lambda a: a[:, :11]}, "target: numbers of shape [32, 12]; found float64 of shape [32, 11]"),
        ({"target": lambda a: a.astype(str)}, "target: numbers of shape [32, 12]; found <U"),
        ({"state__foot_force": lambda a: a[:, :2]}, "state.foot_force: numbers of shape [32, 4]; found"),
        ({"state__stamp_ns": lambda a: a[:31]}, "its length; found 31 ticks; valid: at least 32"),
        ({"state__stamp_ns": None}, "its length; found 0 ticks; valid: at least 32"),
        ({"target": lambda a: a * np.nan}, "golden.npz: target: finite numbers; found NaN or infinity"),
        ({"joint_names": lambda a: a[::-1]}, "joint_names: the robot's order; found RL_calf_joint, "),
        ({"joint_names": None}, "joint_names: the robot's order; found no names"),
    ],
)
def test_a_golden_file_that_is_not_one(copy: Callable[[str], Path], arrays: dict[str, Any], message: str) -> None:
    folder = copy("mlp")
    change(folder, **arrays)
    assert message in said(folder)


class Evil:
    """What a pickle could do."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.proof,))


def replace(folder: Path, content: bytes) -> None:
    (folder / "golden.npz").write_bytes(content)
    relist(folder)


def test_objects_in_golden_data_are_refused_and_not_loaded(copy: Callable[[str], Path], tmp_path: Path) -> None:
    proof = tmp_path / "executed"
    for name in ("target", "extra"):
        folder = copy("mlp") if not (tmp_path / "tiny").exists() else tmp_path / "tiny"
        data = dict(np.load(folder / "golden.npz", allow_pickle=False)) if name == "target" else {}
        np.savez(folder / "golden.npz", **{**data, name: np.array([Evil(proof)], dtype=object)})
        relist(folder)
        assert "arrays without Python objects; found Object arrays cannot be loaded" in said(folder)
    replace(folder, pickle.dumps(Evil(proof)))
    assert "golden.npz: arrays without Python objects; found" in said(folder)
    assert not proof.exists()


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 cut", b"\x93NUMPY\x01\x00"])
def test_golden_data_that_is_no_archive(copy: Callable[[str], Path], content: bytes) -> None:
    folder = copy("mlp")
    replace(folder, content)
    assert "golden.npz: arrays without Python objects; found" in said(folder)


def test_a_damaged_archive(copy: Callable[[str], Path]) -> None:
    folder = copy("mlp")
    content = bytearray((folder / "golden.npz").read_bytes())
    content[400:420] = bytes(20)
    replace(folder, bytes(content))
    assert "golden.npz" in said(folder)


def test_an_archive_that_unpacks_without_end(copy: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copy("mlp")
    with zipfile.ZipFile(folder / "golden.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("target.npy", bytes(2_000_000))
    relist(folder)
    monkeypatch.setattr(golden_file, "MAX_BYTES", 1_000_000)
    assert "its size; found 1 arrays, 2000000 bytes unpacked; valid: at most 4096, 1000000 bytes" in said(folder)


# -- making it ---------------------------------------------------------------------------------------------------------


def test_the_sequence_depends_on_the_seed_alone(made: dict[str, Path], copy: Callable[[str], Path]) -> None:
    bundle = load_bundle(copy("mlp"), SPEC)
    make_golden(bundle, SPEC, seed=5, ticks=40)
    five = dict(np.load(bundle.folder / "golden.npz"))
    make_golden(bundle, SPEC, seed=5, ticks=40)
    for name, array in np.load(bundle.folder / "golden.npz").items():
        np.testing.assert_array_equal(array, five[name])
    make_golden(bundle, SPEC, seed=6, ticks=40)
    assert not np.array_equal(np.load(bundle.folder / "golden.npz")["state.joint_pos"], five["state.joint_pos"])
    assert (int(five["seed"]), five["target"].shape) == (5, (40, 12))


def test_the_states_are_plausible(made: dict[str, Path]) -> None:
    data = np.load(made["mlp"] / "golden.npz")
    pos = data["state.joint_pos"]
    assert np.all((pos >= SPEC.joint_lower) & (pos <= SPEC.joint_upper))
    assert 0.02 < np.abs(pos - SPEC.poses["stand"]).max() < 0.3
    np.testing.assert_allclose(np.linalg.norm(data["state.base_quat_wxyz"], axis=1), 1.0)
    np.testing.assert_array_equal(np.diff(data["state.stamp_ns"]), np.full(31, 20_000_000))
    given = data["command.given"]
    assert (not given[:4].any()) and given[4:28].all() and (not given[28:].any())
    assert np.ptp(data["command.values"][4:28, 0]) > 0.05


def test_the_outputs_of_the_original_take_the_place_of_ours(copy: Callable[[str], Path]) -> None:
    bundle = load_bundle(copy("gru"), SPEC)
    seen = {}

    def original(network: str, inputs: Any) -> Any:
        seen[network] = {name: values.shape for name, values in inputs.items()}
        ours = np.load(bundle.folder / "golden.npz")["network.actor.output.actions"]
        return {"actions": ours * (1 + 5e-5)}

    make_golden(bundle, SPEC, original, ticks=32)
    relist(bundle.folder)
    assert seen == {"actor": {"obs": (32, 1, 45)}}
    assert 0.2 < check_golden(load_bundle(bundle.folder, SPEC), SPEC).worst < 0.6


def test_an_original_that_differs_is_refused(copy: Callable[[str], Path]) -> None:
    bundle: Bundle = load_bundle(copy("mlp"), SPEC)
    with pytest.raises(BundleError, match="golden: original of network actor, output actions, tick 0, index"):
        make_golden(bundle, SPEC, lambda network, inputs: {"actions": np.zeros((32, 1, 12))}, ticks=32)
