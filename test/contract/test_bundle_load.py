"""Loading: what is fine, all faults at once, nothing executed, and how a bundle is found."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.broken import TERMS, Breaker, add, both, camera, external, gru_states, put, text
from helpers.bundles import contract_of, make_bundle, relist
from helpers.networks import mlp

from robot_policies.bundle.load import load_bundle
from robot_policies.exceptions import BundleError, ResourceError
from robot_policies.robot_spec import RobotSpec, load_robot_spec

SPEC = load_robot_spec("go2")


FINE: dict[str, Breaker] = {
    "as it is": lambda folder: None,
    "weights in a file beside": external("weights.bin"),
    "a recurrent network": gru_states(1, 1, 4),
    "a camera that is declared": camera(),
    "a picture and a licence": both(add("LICENSE"), add("media/gait.png")),
    "an open batch dimension": add("actor.onnx", mlp((45, 16, 8, 12), batch="batch")),
    "no decimation": put("timing", {"control_dt": 0.02}),
    "a period with few digits": put("timing", {"control_dt": 0.0333333, "physics_dt": 0.00833333, "decimation": 4}),
    "a range without zero": put("commands/velocity/lin_vel_x", {"range": [0.3, 0.8], "dead_band": 0.2}),
    "an axis that was not trained": put("commands/velocity/lin_vel_y", {"range": [0.0, 0.0]}),
    "histories of a term and of the frame": both(
        put(f"{TERMS}/0/history", {"ages": [2, 1, 0], "fill": "first_frame", "mask": [0, 2]}),
        put("observations/policy/history", {"ages": [0, 5, 1000], "fill": "zeros", "mask": [50]}),
        put("networks/0/inputs/0/source/0/slice", [0, 45]),
    ),
    "a policy at every state": put("timing", {"control_dt": 0.005}),
    "a scale per entry": put(f"{TERMS}/0/scale", [0.25, 0.5, 1.0]),
    "clips that fix a value": put(f"{TERMS}/0/clip", [0.0, [0.0, 1.0, 0.0]]),
    "whole numbers": put("action/scale", 1),
    "torques as trained on a weaker robot": put("joints/torque_limit", [20.0] * 12),
}


@pytest.mark.parametrize("what", FINE)
def test_accepted(what: str, folder: Path) -> None:
    FINE[what](folder)
    bundle = load_bundle(folder, SPEC)
    assert bundle.folder == folder
    assert load_bundle(folder).contract == bundle.contract  # also where no robot is known


def test_numbers_are_kept_at_full_precision(tmp_path: Path) -> None:
    scale = [float(np.nextafter(0.25, 1.0)), 1e-17, 0.1 + 0.2, *([2 / 3] * 9)]
    contract = contract_of(SPEC)
    contract["action"]["scale"] = scale
    folder = make_bundle(tmp_path / "tiny", SPEC, **contract).folder
    assert list(load_bundle(folder, SPEC).contract.action.scale) == scale  # type: ignore[arg-type]


def test_without_a_robot_only_the_robot_is_not_checked(folder: Path) -> None:
    put("joints/default_joint_pos/0", 3.0)(folder)
    assert load_bundle(folder).contract.joints.default_joint_pos[0] == 3.0
    put("joints/default_joint_pos", [0.0])(folder)
    with pytest.raises(BundleError, match="one number per joint"):
        load_bundle(folder)


def test_a_robot_with_other_limits_refuses_the_same_bundle(folder: Path) -> None:
    narrow: RobotSpec = dataclasses.replace(SPEC, joint_upper=SPEC.joint_upper - 1.3)
    with pytest.raises(BundleError) as caught:
        load_bundle(folder, narrow)
    assert "hip_joint within the robot's limits; found 0 rad; valid: -1.0472 to -0.2528 rad" in str(caught.value)


def test_all_faults_are_said_together(folder: Path, refused: Callable[[Path], str]) -> None:
    both(
        put("kind", "acrobatics"),
        put("robot", "g1"),
        put("joints/stiffness", [20.0]),
        put("action/source/slice", [0, 11]),
        put(f"{TERMS}/0/term", "gyro"),
        add("notes.txt", listed=False),
        put("networks/0/inputs/0/name", "observation"),
    )(folder)
    lines = refused(folder).splitlines()
    parts = ("kind", "robot: go2", "joints.stiffness", "action.source", "gyro", "notes.txt", "input observation")
    for part in parts:
        assert sum(part in line for line in lines) == 1, f"{part} in {lines}"


def test_all_faults_of_form_are_said_together(folder: Path, refused: Callable[[Path], str]) -> None:
    both(put("action", ...), put("colour", "red"), put("timing/control_dt", "fast"))(folder)
    assert len(refused(folder).splitlines()) == 3


def test_there_are_many_more_than_thirty_ways_to_be_wrong() -> None:
    tests = Path(__file__).parent.glob("test_bundle_broken_*.py")
    assert sum(path.read_text().count("; found ") for path in tests) > 60


def test_nothing_of_a_bundle_is_executed(folder: Path, tmp_path: Path, refused: Callable[[Path], str]) -> None:
    proof = tmp_path / "executed"
    text("name: tiny", f'name: !!python/object/apply:os.system ["touch {proof}"]')(folder)
    assert "could not determine a constructor for the tag" in refused(folder)
    assert not proof.exists()


@pytest.mark.parametrize("what", ["nothing there", "an empty folder", "a file"])
def test_a_path_that_is_no_bundle(what: str, tmp_path: Path) -> None:
    path = tmp_path / "tiny"
    if what == "an empty folder":
        path.mkdir()
    elif what == "a file":
        path.write_text("x")
    with pytest.raises(ResourceError, match=r"a bundle at .*; found .*; valid: a folder with policy.yaml"):
        load_bundle(path, SPEC)


def test_a_name_is_found_and_an_unknown_one_lists_those_there_are(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home" / "bundles"
    home.mkdir(parents=True)
    folder.rename(home / "tiny")
    monkeypatch.setenv("ROBOT_POLICIES_PATH", str(home.parent))
    with pytest.raises(ResourceError, match="a bundle named 'tinny'; found none; valid: .*tiny"):
        load_bundle("tinny", SPEC)
    assert load_bundle("tiny", SPEC).folder == home / "tiny"
    assert load_bundle(home / "tiny" / "policy.yaml", SPEC).folder == home / "tiny"


def test_a_file_may_change_its_hash_only_with_the_list(folder: Path, refused: Callable[[Path], str]) -> None:
    (folder / "README.md").write_text("other")
    assert "README.md: SHA-256" in refused(folder)
    relist(folder)
    load_bundle(folder, SPEC)
