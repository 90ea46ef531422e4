"""Writing: complete or not at all, the same bytes for the same input, and accepting a change on purpose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.bundles import contract_of, files_of, make_bundle, relist
from helpers.networks import mlp

from robot_policies.bundle.golden import check_golden
from robot_policies.bundle.hashing import sha256
from robot_policies.bundle.load import load_bundle
from robot_policies.bundle.write import accept_golden, plain, write_bundle
from robot_policies.exceptions import BundleError
from robot_policies.robot_spec import load_robot_spec

SPEC = load_robot_spec("go2")


def test_what_is_written_loads_and_is_golden(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "deep" / "tiny", SPEC)
    assert sorted(path.name for path in bundle.folder.iterdir()) == [
        "README.md",
        "actor.onnx",
        "golden.npz",
        "policy.yaml",
    ]
    assert {name: sha256(bundle.folder / name) for name in bundle.contract.files} == dict(bundle.contract.files)
    assert check_golden(bundle, SPEC).ticks == 32


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    one, other = make_bundle(tmp_path / "one", SPEC).folder, make_bundle(tmp_path / "other", SPEC).folder
    for path in one.iterdir():
        assert path.read_bytes() == (other / path.name).read_bytes(), path.name


def test_files_can_be_bytes_text_or_paths_and_lie_below(tmp_path: Path) -> None:
    contract = contract_of(SPEC)
    contract["networks"][0]["file"] = "networks/actor.onnx"
    (tmp_path / "made.onnx").write_bytes(mlp((45, 16, 8, 12)))
    files = {"networks/actor.onnx": tmp_path / "made.onnx", "README.md": "# text\n", "media/a.png": b"x"}
    bundle = write_bundle(tmp_path / "tiny", contract, files, SPEC, ticks=32)
    assert (bundle.folder / "networks/actor.onnx").read_bytes() == mlp((45, 16, 8, 12))
    assert (bundle.folder / "README.md").read_text() == "# text\n"


def test_an_empty_folder_is_used_and_a_full_one_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    folder.mkdir()
    make_bundle(folder, SPEC)
    before = (folder / "policy.yaml").read_bytes()
    with pytest.raises(BundleError, match="a new folder; found something is there; valid: a path that does not exist"):
        make_bundle(folder, SPEC, version="2")
    assert (folder / "policy.yaml").read_bytes() == before


@pytest.mark.parametrize("name", ["../actor.onnx", "/tmp/actor.onnx", "policy.yaml", "golden.npz", "a/../b.md", ""])
def test_names_that_no_bundle_may_hold(tmp_path: Path, name: str) -> None:
    contract = contract_of(SPEC)
    with pytest.raises(BundleError, match="files"):
        write_bundle(tmp_path / "b" / "tiny", contract, {**files_of(contract), name: b"x"}, SPEC)
    assert list((tmp_path / "b").iterdir()) == []


def test_what_is_wrong_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="joints.stiffness: one number per joint; found 1 numbers"):
        make_bundle(tmp_path / "tiny", SPEC, joints={**contract_of(SPEC)["joints"], "stiffness": [1.0]})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore:overflow")
def test_a_network_that_explodes_on_plausible_inputs_is_refused(tmp_path: Path) -> None:
    contract = contract_of(SPEC)
    contract["observations"]["policy"]["terms"][4]["scale"] = 1e39
    contract["observations"]["policy"].pop("clip")
    with pytest.raises(BundleError, match="golden sequence, tick 0: network actor, tensor actions, tick 0: finite"):
        make_bundle(tmp_path / "tiny", SPEC, **contract)


def test_numpy_values_are_written_as_plain_ones(tmp_path: Path) -> None:
    contract = contract_of(SPEC)
    contract["action"]["scale"] = np.full(12, 0.25)
    contract["action"]["clip"] = (np.float64(-4.0), np.float32(0.5))
    bundle = make_bundle(tmp_path / "tiny", SPEC, **contract)
    assert bundle.contract.action.scale == (0.25,) * 12
    assert bundle.contract.action.clip == (-4.0, 0.5)
    assert plain({"a": (np.int64(1), [np.bool_(True), None])}) == {"a": [1, [True, None]]}


def test_a_change_that_is_meant_can_be_accepted(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "tiny", SPEC).folder
    (folder / "actor.onnx").write_bytes(mlp((45, 16, 8, 12), seed=7))
    relist(folder)
    with pytest.raises(BundleError, match="golden: network actor, output actions, tick 0"):
        check_golden(load_bundle(folder, SPEC), SPEC)
    accepted = accept_golden(folder, SPEC)
    assert check_golden(accepted, SPEC).worst == 0.0
    assert load_bundle(folder, SPEC).contract.files["golden.npz"] == sha256(folder / "golden.npz")


def test_a_place_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(BundleError, match="a place and files to write; found .*; valid: a folder that can be written"):
        make_bundle(tmp_path / "file" / "tiny", SPEC)
    contract = contract_of(SPEC)
    with pytest.raises(BundleError, match="a place and files to write; found .*nothing.onnx"):
        write_bundle(tmp_path / "tiny", contract, {"actor.onnx": tmp_path / "nothing.onnx"}, SPEC)


def test_a_bundle_with_other_faults_is_not_accepted(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "tiny", SPEC).folder
    (folder / "actor.onnx").write_bytes(mlp((45, 16, 8, 12), seed=7))
    before = (folder / "golden.npz").read_bytes()
    with pytest.raises(BundleError, match="actor.onnx: SHA-256"):
        accept_golden(folder, SPEC)
    assert (folder / "golden.npz").read_bytes() == before
