"""The golden runs of the shipped bundles: as recorded, and any change of behaviour is named and can be accepted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

pytest.importorskip("mujoco")

from helpers.bundles import relist
from helpers.seeing import seeing_bundle
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from robot_policies.cli.main import main
from robot_policies.control.recording.compare import Rounding, first_difference
from robot_policies.control.recording.golden import RecordedOutputs
from robot_policies.control.recording.journal import POLICY
from robot_policies.control.recording.steps import Call, StepFile
from robot_policies.observation.history import HistoryRing
from robot_policies.robot_spec import load_robot_spec
from robot_policies.types import Array32, PolicyRecord

ROOT = Path(__file__).parents[2]
RUNS = ROOT / "test" / "golden" / "recordings"
LARGEST = 800_000  # bytes of one golden run
# What numpy, OpenBLAS and the C library choose their code by, switched off: as on a processor of 2008.
OLD_PROCESSOR = {
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX2 FMA3 AVX512F AVX512CD AVX512_SKX",
    "OPENBLAS_CORETYPE": "Nehalem",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F",
}
Golden = Callable[..., tuple[int, str]]


@pytest.fixture
def golden(capsys: pytest.CaptureFixture[str]) -> Golden:
    def run(*arguments: object) -> tuple[int, str]:
        code = main(["golden", *map(str, arguments)])
        out = capsys.readouterr()
        return code, out.out + out.err

    return run


@pytest.fixture
def shadow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the shipped bundle and robot files that is found before them."""
    folder = tmp_path / "shadow"
    shutil.copytree(ROOT / "bundles" / "go2_walk", folder / "bundles" / "go2_walk")
    shutil.copytree(ROOT / "config" / "robots", folder / "config" / "robots")
    monkeypatch.setenv("ROBOT_POLICIES_PATH", str(folder))
    return folder


def swapped(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_every_shipped_bundle_does_what_its_golden_run_did(golden: Golden) -> None:
    """Where this fails: ``robot-policies golden`` says the same, and how to accept a change that is meant."""
    code, text = golden()
    assert code == 0, text
    shipped = sorted(path.parent.name for path in (ROOT / "bundles").glob("*/policy.yaml"))
    assert [line.partition(":")[0] for line in text.splitlines()] == shipped
    for name in shipped:
        assert f"{name}: 75 ticks, " in text
        assert sum(path.stat().st_size for path in (RUNS / name).iterdir()) < LARGEST, name


CHANGES = {
    "a gain by 1 %": ("damping: [0.7,", "damping: [0.707,", "stage command, field damping[0]: recorded 0.7 ("),
    "the scale of a term by 1 %": ("base_ang_vel, size: 3, scale: 0.25", "base_ang_vel, size: 3, scale: 0.2525", "obs"),
    "the order of the history": ("ages: [0, 1, 4]", "ages: [0, 4, 1]", "observation, field groups.policy["),
    "the scale of the action by 1 %": ("  scale: 0.25\n", "  scale: 0.2525\n", "stage command, field joint_pos[0]"),
    "a dead band": ("range: [-1.0, 1.0]\n      dead_band: 0.1", "range: [-1.0, 1.0]\n      dead_band: 0.01", "obs"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_the_bundle_is_named_with_how_to_accept_it(golden: Golden, shadow: Path, change: str) -> None:
    old, new, stage = CHANGES[change]
    swapped(shadow / "bundles" / "go2_walk" / "policy.yaml", old, new)
    code, text = golden("go2_walk")
    first, accept = text.splitlines()
    assert code == 1 and first.startswith("go2_walk: policy: first difference at tick ") and ", now " in first
    assert stage in first
    assert accept == "if the change is meant: robot-policies golden go2_walk --accept"


def test_one_weight_of_the_network_is_noticed(golden: Golden, shadow: Path) -> None:
    path = shadow / "bundles" / "go2_walk" / "actor.onnx"
    model = onnx.load(path)
    largest = max(model.graph.initializer, key=lambda item: np.prod(item.dims))
    weights = numpy_helper.to_array(largest).copy()
    weights.reshape(-1)[np.argmax(np.abs(weights))] *= 1.01
    largest.CopyFrom(numpy_helper.from_array(weights, largest.name))
    onnx.save(model, path)
    relist(path.parent)
    code, text = golden("go2_walk")
    assert code == 1 and "stage action, field raw[" in text


def test_a_gain_of_the_robot_is_noticed_in_the_robots_half(golden: Golden, shadow: Path) -> None:
    swapped(shadow / "config" / "robots" / "go2.yaml", "stiffness: [60.0]", "stiffness: [60.6]")
    code, text = golden("go2_walk")
    assert (
        code == 1 and "go2_walk: robot: first difference at cycle " in text and "stage safe, field stiffness[" in text
    )


def test_a_change_of_the_code_is_noticed(golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    push = HistoryRing.push

    def backwards(self: HistoryRing, frame: Array32) -> Array32:
        return push(self, frame).reshape(3, -1)[::-1].reshape(-1)

    monkeypatch.setattr(HistoryRing, "push", backwards)
    code, text = golden("go2_walk")
    assert code == 1 and "stage observation, field groups.policy[" in text


def test_accept_records_anew_what_differs_and_nothing_else(golden: Golden, shadow: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    shutil.copytree(RUNS / "go2_walk", runs / "go2_walk")
    assert golden("go2_walk", "--folder", runs)[0] == 0
    before = (runs / "go2_walk" / "policy_steps.mcap").read_bytes()
    swapped(shadow / "bundles" / "go2_walk" / "policy.yaml", "damping: [0.7,", "damping: [0.707,")
    code, text = golden("--accept", "--folder", runs)
    assert code == 0 and "go2_walk: recorded" in text and "commit it with the change" in text
    accepted = (runs / "go2_walk" / "policy_steps.mcap").read_bytes()
    code, text = golden("--accept", "--folder", runs)
    assert code == 0 and "no difference" in text and "recorded" not in text
    assert before != accepted == (runs / "go2_walk" / "policy_steps.mcap").read_bytes()


def test_what_is_not_there_or_damaged_is_a_failure_in_a_line(golden: Golden, tmp_path: Path) -> None:
    code, text = golden("go2_walk", "--folder", tmp_path)
    assert code == 1 and "go2_walk: no golden run at" in text and "go2_walk --accept" in text
    shutil.copytree(RUNS / "go2_walk", tmp_path / "go2_walk")
    steps = tmp_path / "go2_walk" / "policy_steps.mcap"
    steps.write_bytes(steps.read_bytes()[:40_000])
    code, text = golden("go2_walk", "--folder", tmp_path)
    assert code == 1 and "it is cut off" in text
    steps.unlink()
    code, text = golden("go2_walk", "--folder", tmp_path)
    assert code == 1 and "an .mcap file" in text
    code, text = golden("nobody", "--accept", "--folder", tmp_path)
    assert code == 2 and "nobody" in text and len(text.splitlines()) == 1


def test_the_code_for_another_processor_makes_no_difference() -> None:
    line = [sys.executable, "-m", "robot_policies.cli", "golden"]
    done = subprocess.run(line, env={**os.environ, **OLD_PROCESSOR}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "no difference" in done.stdout, done.stdout + done.stderr


def recorded(run: Path) -> Iterator[tuple[RecordedOutputs, PolicyRecord]]:
    outputs = RecordedOutputs()
    for item in outputs.note(StepFile(run / f"{POLICY}.mcap", POLICY)):
        if isinstance(item, Call) and isinstance(item.result, PolicyRecord):
            yield outputs, item.result


def test_sums_in_another_order_are_far_within_the_tolerance() -> None:
    """The network by matrix products of numpy in place of ONNX Runtime's own: other kernels, other blocks."""
    network = ReferenceEvaluator(onnx.load(ROOT / "bundles" / "go2_walk" / "actor.onnx"))
    for outputs, record in recorded(RUNS / "go2_walk"):
        raw = network.run(None, {network.input_names[0]: record.observation.groups["policy"][None]})[0].reshape(-1)
        assert outputs.instead_of(raw, "go2_walk/x") is record.action.raw
    assert 0.0 < outputs.worst < 0.2, outputs.worst


def test_what_is_beyond_the_tolerance_is_not_replaced() -> None:
    outputs, record = next(recorded(RUNS / "go2_walk"))
    raw = record.action.raw.copy()
    raw[3] += np.float32(3e-4)
    assert outputs.instead_of(raw, "stand/x") is raw and outputs.worst == 0.0, "another policy commanded"
    assert outputs.instead_of(raw, "go2_walk/x") is raw and outputs.worst > 1.0
    raw[3] = np.nan
    assert outputs.instead_of(raw, "go2_walk/x") is raw
    assert outputs.instead_of(raw[:4], "go2_walk/x").shape == (4,)


def test_a_policy_that_sees_has_a_golden_run_too(
    golden: Golden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROBOT_POLICIES_PATH", str(tmp_path))
    bundle = tmp_path / "bundles" / "seeing"
    seeing_bundle(bundle, load_robot_spec("go2"), effect=0.02)
    runs = tmp_path / "runs"
    code, text = golden("seeing", "--accept", "--folder", runs)
    assert code == 0, text
    assert sum(path.stat().st_size for path in (runs / "seeing").iterdir()) < LARGEST
    images = {id(record.inputs.depth.get("depth")) for _, record in recorded(runs / "seeing")}
    assert len(images) > 10
    code, text = golden("seeing", "--folder", runs)
    assert code == 0 and "no difference" in text, text
    swapped(bundle / "policy.yaml", "far: 3.0", "far: 2.9")
    code, text = golden("seeing", "--folder", runs)
    assert code == 1 and "stage observation, field groups.depth[" in text, text


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        (np.array([1.0]), np.array([1.0 + 5e-13]), True),
        (np.array([1.0]), np.array([1.0 + 2e-12]), False),
        (np.array([1e3]), np.array([1e3 + 5e-10]), True),
        (np.array([0.0]), np.array([-0.0]), True),
        (np.array([1.0], np.float32), np.array([1.0 + 1e-6], np.float32), True),
        (np.array([1.0], np.float32), np.array([1.0 + 1e-5], np.float32), False),
        (np.array([1.0]), np.array([np.nan]), False),
        (np.array([np.nan]), np.array([np.nan]), True),
        (np.array([1.0, 2.0]), np.array([1.0, 2.1]), False),
        (np.array([1]), np.array([2]), False),
        (1.0, 1.0 + 5e-13, True),
        (1.0, 1.0 + 5e-12, False),
        (1, 2, False),
        ("a", "b", False),
    ],
)
def test_a_rounding_allows_so_much_and_no_more(one: object, other: object, near: bool) -> None:
    assert (first_difference(one, other, rounding=Rounding(single=2e-6, double=1e-12)) is None) == near
    if near and not np.isnan(one):  # type: ignore[call-overload]
        assert first_difference(one, other) is not None
