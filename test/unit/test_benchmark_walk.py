"""The walk that ticks are measured on: recorded once, taken again bit for bit."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mujoco")

from robot_policies.control.recording.journal import POLICY, ROBOT, Journal
from robot_policies.exceptions import RobotError
from robot_policies.types import Mode, owned
from sim2real.benchmark import recorded_tick, tick_child
from sim2real.benchmark.figures import percentiles
from sim2real.benchmark.walk import Walk, record, take

TICKS = 30


@pytest.fixture(scope="module")
def walk() -> Walk:
    return record(TICKS)


def test_a_walk_has_a_state_for_every_cycle(walk: Walk) -> None:
    assert walk.decimation == 4
    assert len(walk.ticks) > TICKS
    stamps = np.diff([state.stamp_ns for state in walk.states])
    assert set(stamps) == {5_000_000}
    for number, tick in enumerate(walk.ticks):
        assert tick.inputs.state is walk.states[walk.start - 1 + number * walk.decimation]
    command = walk.ticks[-1].inputs.velocity_command
    assert command is not None and command.lin_vel_x == 0.8


def test_it_is_taken_again_with_the_same_commands(walk: Walk) -> None:
    halves = walk.again()
    taken = list(take(walk, TICKS, halves))
    assert len(taken) == TICKS
    assert halves.robot_step.mode is Mode.ACTIVE
    assert not halves.robot_step.refusals
    for tick in taken:
        stages = (tick.observation, tick.inference, tick.decoding, tick.safety)
        assert all(stage > 0 for stage in stages)
        assert tick.whole >= sum(stages)


def test_another_command_than_the_recorded_one_is_an_error(walk: Walk) -> None:
    spoiled = list(walk.ticks)
    pos = owned(spoiled[3].command.joint_pos + 1e-12)
    spoiled[3] = dataclasses.replace(spoiled[3], command=dataclasses.replace(spoiled[3].command, joint_pos=pos))
    with pytest.raises(RobotError, match="tick 3 of the walk.*other targets"):
        list(take(dataclasses.replace(walk, ticks=tuple(spoiled)), 5))


def test_back_to_back_leaves_the_warm_up_out(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tick_child, "WARM_UP", 5)
    samples = tick_child.back_to_back(walk, 20)
    assert set(samples) == {"observation", "inference", "decoding", "safety", "tick"}
    assert {len(values) for values in samples.values()} == {20}
    assert percentiles(samples["tick"])["p50_us"] < 5_000.0


def test_deadlines_do_not_drift_and_sleeping_after_the_work_does(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tick_child, "PERIOD_NS", 5_000_000)
    ours, theirs = tick_child.paced(walk, TICKS), tick_child.sleeping(walk, TICKS)
    assert len(ours["pacing_lateness"]) == TICKS - 1 and len(theirs["sleep_after_work_lateness"]) == TICKS
    assert len(ours["tick_paced"]) == TICKS - 1
    # The work is at least 0.1 ms a period, and all of it stays in the schedule of who sleeps after it.
    assert theirs["sleep_after_work_drift"][0] > TICKS * 100_000
    assert np.all(np.diff(theirs["sleep_after_work_lateness"]) > 0)
    assert min(ours["pacing_lateness"]) < 5_000_000


def test_recording_is_measured_on_every_step(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tick_child, "PERIOD_NS", 1_000_000)
    samples = tick_child.recording(walk, TICKS)["recording_paced"]
    assert len(samples) == TICKS and 5_000 < min(samples) < 5_000_000


def test_both_halves_are_measured_with_a_recording_and_without(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded_tick, "PERIOD_NS", 1_000_000)
    noted: dict[str, int] = {}
    close = Journal.close

    def closed(journal: Journal) -> None:
        close(journal)
        noted[journal._channel.topic] = journal.values()["steps_recorded"]

    monkeypatch.setattr(Journal, "close", closed)
    samples = recorded_tick.recorded(walk, TICKS)
    names = {f"{half}_half_{kind}" for half in ("policy", "robot") for kind in ("plain", "recorded")}
    assert set(samples) == names and {len(values) for values in samples.values()} == {TICKS // 2}
    assert noted[POLICY] > TICKS // 2 and noted[ROBOT] > walk.start + TICKS // 2 * walk.decimation
    # Less than 5 us would be nothing of a step; which side takes longer, a busy machine decides.
    assert all(min(values) > 5_000 for values in samples.values())


def test_a_half_that_commands_something_else_is_an_error(walk: Walk) -> None:
    spoiled = list(walk.ticks)
    pos = owned(spoiled[1].command.joint_pos + 1e-12)
    spoiled[1] = dataclasses.replace(spoiled[1], command=dataclasses.replace(spoiled[1].command, joint_pos=pos))
    with pytest.raises(RobotError, match="tick 1 of the walk.*other targets"):
        recorded_tick.recorded(dataclasses.replace(walk, ticks=tuple(spoiled)), 4)


def test_the_child_writes_what_it_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tick_child, "prepare", lambda warn: warn("as a node says it"))
    monkeypatch.setattr(tick_child, "freeze_garbage", lambda: None)
    result = tmp_path / "result.json"
    monkeypatch.setattr(sys, "argv", ["tick_child", str(result), "10", "0.2", "tick", "paced"])
    assert tick_child.main() == 0
    samples = json.loads(result.read_text())
    assert len(samples["tick"]) == 10 and len(samples["tick_paced"]) == 9
    assert "sleep_after_work_lateness" not in samples


@pytest.mark.torch
def test_the_eager_tick_comes_to_our_targets(walk: Walk) -> None:
    from sim2real.benchmark import eager_child

    assert len(list(eager_child.take(walk, TICKS))) == TICKS - 4  # the first four fill its past


@pytest.mark.torch
def test_an_eager_tick_that_is_another_is_an_error(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    from sim2real.benchmark import eager, eager_child

    monkeypatch.setattr(eager, "_gravity", lambda quat: -quat[1:])
    with pytest.raises(RobotError, match="eager tick 5: our target"):
        list(eager_child.take(walk, 8))


@pytest.mark.torch
def test_eager_reads_an_mlp_only(tmp_path: Path) -> None:
    from helpers.networks import model_bytes
    from onnx import helper

    from robot_policies.exceptions import BundleError
    from sim2real.benchmark.eager import sequential

    file = tmp_path / "odd.onnx"
    node = helper.make_node("Sin", ["x"], ["y"])
    file.write_bytes(model_bytes([node], {"x": [1, 2]}, {"y": [1, 2]}, {}))
    with pytest.raises(BundleError, match="Sin"):
        sequential(file)
