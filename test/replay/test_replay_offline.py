"""A recording run again: no difference, one planted bit, what is missing, another bundle, another limit, bad files."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.bundles import make_bundle
from helpers.offline import CYCLE, SPEC, event
from helpers.recorded import WALK, calls, record, rewrite
from helpers.seeing import seeing_bundle

from robot_policies.cli.main import main
from robot_policies.control.recording.journal import POLICY, ROBOT
from robot_policies.control.recording.steps import Call
from robot_policies.types import DepthImage, JointCommand, PolicyRecord, RobotRecord, RobotState, owned
from sim2real.evaluation.schedule import Event


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recording") / "run"
    record(folder, "go2_walk")
    return folder


@pytest.fixture
def run(recorded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(recorded, tmp_path / "run"))


Replayed = Callable[..., tuple[int, str]]


@pytest.fixture
def replayed(capsys: pytest.CaptureFixture[str]) -> Replayed:
    def replay(run: Path, *arguments: str) -> tuple[int, str]:
        code = main(["replay", str(run), *arguments])
        out = capsys.readouterr()
        return code, out.out + out.err

    return replay


def flipped(values: np.ndarray[Any, Any], index: int) -> np.ndarray[Any, Any]:
    """Return ``values`` with the lowest bit of one of them changed."""
    changed = values.copy()
    changed.view(np.uint8).reshape(len(values), -1)[index, 0] ^= 1
    return changed


def with_command(call: Call, key: str, change: Callable[[JointCommand], JointCommand]) -> Call:
    result = dataclasses.replace(call.result, **{key: change(getattr(call.result, key))})
    return dataclasses.replace(call, result=result)


def ticks(all_calls: list[Call]) -> list[int]:
    return [place for place, call in enumerate(all_calls) if isinstance(call.result, PolicyRecord)]


def test_a_run_again_has_no_difference(run: Path, replayed: Replayed, tmp_path: Path) -> None:
    code, text = replayed(run, "--json", str(tmp_path / "out.json"))
    assert code == 0, text
    assert "policy: 25 ticks" in text and "robot: 400 cycles" in text and text.count("no difference") == 2
    told = json.loads((tmp_path / "out.json").read_text())
    assert told["policy"]["ticks"] == 25 and told["robot"]["first"] is None and told["missing"] == []


def test_a_step_record_has_inputs_and_every_stage(run: Path) -> None:
    steps = [call for call in calls(run, POLICY) if isinstance(call.result, PolicyRecord)]
    assert [call.result.tick for call in steps] == list(range(25))
    record = steps[-1].result
    assert record.inputs.velocity_command.lin_vel_x == 0.5 and record.observation.groups and record.action.raw.any()
    cycles = [call.result for call in calls(run, ROBOT) if isinstance(call.result, RobotRecord)]
    assert cycles[-1].safe is not None and cycles[-1].command is not None


def test_one_bit_of_an_action_is_found_at_its_tick_and_field(run: Path, replayed: Replayed) -> None:
    all_calls = calls(run, POLICY)
    place = ticks(all_calls)[17]
    action = all_calls[place].result.action
    changed = dataclasses.replace(action, raw=flipped(action.raw, 3))
    result = dataclasses.replace(all_calls[place].result, action=changed)
    all_calls[place] = dataclasses.replace(all_calls[place], result=result)
    rewrite(run, POLICY, all_calls)
    code, text = replayed(run)
    assert code == 1
    assert "first difference at tick 17 " in text and "stage action, field raw[3]: recorded" in text
    assert "robot: 400 cycles" in text and text.count("no difference") == 1


def test_one_bit_of_an_input_shows_where_it_first_has_an_effect(run: Path, replayed: Replayed) -> None:
    all_calls = calls(run, POLICY)
    place = ticks(all_calls)[9]
    inputs = all_calls[place].args[0]
    state = dataclasses.replace(inputs.state, joint_pos=inputs.state.joint_pos + 1e-6)
    changed = (dataclasses.replace(inputs, state=state), *all_calls[place].args[1:])
    all_calls[place] = dataclasses.replace(all_calls[place], args=changed)
    rewrite(run, POLICY, all_calls)
    code, text = replayed(run)
    assert code == 1 and "first difference at tick 9 " in text and "stage inputs, field state.joint_pos[0]" in text
    assert "calls differ" in text  # the last action of the later ticks depends on it


def test_one_bit_of_a_safe_command_is_found_at_its_cycle(run: Path, replayed: Replayed) -> None:
    all_calls = calls(run, ROBOT)
    places = [place for place, call in enumerate(all_calls) if isinstance(call.result, RobotRecord)]
    place = places[349]

    def change(command: JointCommand) -> JointCommand:
        return dataclasses.replace(command, joint_pos=flipped(command.joint_pos, 5))

    all_calls[place] = with_command(all_calls[place], "safe", change)
    rewrite(run, ROBOT, all_calls)
    code, text = replayed(run)
    assert code == 1
    assert f"cycle 350 (state {350 * CYCLE} ns), stage safe, field joint_pos[5]: recorded" in text


def test_an_error_that_was_recorded_is_compared_too(run: Path, replayed: Replayed) -> None:
    all_calls = calls(run, POLICY)
    place = ticks(all_calls)[4]
    all_calls[place] = dataclasses.replace(all_calls[place], result=None, error="it broke")
    rewrite(run, POLICY, all_calls)
    code, text = replayed(run)
    assert code == 1 and "first difference at tick 4" in text and "recorded it broke, now none" in text


def test_a_gap_is_named_and_the_replay_goes_on_at_the_next_activation(tmp_path: Path, replayed: Replayed) -> None:
    again = (event(400, "deactivate"), event(560, "activate"))
    run = tmp_path / "twice"
    record(run, "go2_walk", cycles=640, events=(*WALK[:3], *again))
    all_calls: list[Call | None] = list(calls(run, POLICY))
    places = ticks(all_calls)  # type: ignore[arg-type]
    all_calls[places[3]] = None
    rewrite(run, POLICY, all_calls)
    code, text = replayed(run)
    assert code == 1 and "1 step record missing" in text and "first difference" not in text
    skipped = len(_skipped(all_calls, places))
    assert skipped > 5 and f"policy: {skipped} calls not run again, as their past is missing" in text
    assert f"policy: {len(places) - 1 - skipped} ticks" in text


def _skipped(all_calls: list[Call | None], places: list[int]) -> list[int]:
    """Return the ticks after the gap and before the next reset."""
    gap = places[3]
    reset = next(p for p, call in enumerate(all_calls) if p > gap and call is not None and call.name == "reset")
    return [p for p in places if gap < p < reset]


def test_a_gap_in_the_robots_steps_ends_its_replay(run: Path, replayed: Replayed) -> None:
    all_calls: list[Call | None] = list(calls(run, ROBOT))
    all_calls[100] = None
    rewrite(run, ROBOT, all_calls)
    code, text = replayed(run)
    assert code == 1 and "robot: missing: 1 step record missing" in text and "calls not run again" in text


def test_a_file_that_is_cut_off_is_replayed_up_to_there(run: Path, replayed: Replayed) -> None:
    path = run / f"{ROBOT}.mcap"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.97)])
    code, text = replayed(run)
    assert code == 1 and "robot: missing: robot_steps.mcap: it is cut off" in text and "first difference" not in text


def test_a_process_without_a_file_is_named_and_the_other_is_replayed(run: Path, replayed: Replayed) -> None:
    (run / f"{ROBOT}.mcap").unlink()
    code, text = replayed(run)
    assert code == 1 and "missing: a recording at" in text and "policy: 25 ticks" in text and "no difference" in text
    (run / f"{POLICY}.mcap").write_bytes(b"no bag")
    code, text = replayed(run)
    assert code == 2 and "policy_steps.mcap" in text


def test_a_safety_file_of_another_version_is_named_and_the_policy_is_replayed(run: Path, replayed: Replayed) -> None:
    path = run / "config" / "safety" / "go2.yaml"
    path.write_text(path.read_text().replace("  frozen:", "  stuck:"))
    code, text = replayed(run)
    assert code == 1 and "missing:" in text and "state.frozen: asked for, not found" in text
    assert "policy: 25 ticks" in text and "no difference" in text and "robot:" not in text


def test_another_bundle_shows_what_it_would_have_commanded(run: Path, replayed: Replayed, tmp_path: Path) -> None:
    other = make_bundle(tmp_path / "other", SPEC)
    code, text = replayed(run, "--policy", str(other.folder))
    assert code == 0 and "first difference at tick 0 " in text and "25 calls differ, targets by up to" in text
    assert "robot:" not in text
    code, text = replayed(run, "--policy", "go2_walk")
    assert code == 0 and "no difference" in text
    code, text = replayed(run, "--policy", "nobody")
    assert code == 2 and "nobody" in text


def test_another_control_period_is_refused(run: Path, replayed: Replayed, tmp_path: Path) -> None:
    other = make_bundle(tmp_path / "slow", SPEC, timing={"control_dt": 0.04, "decimation": 8, "physics_dt": 0.005})
    code, text = replayed(run, "--policy", str(other.folder))
    assert code == 2 and "control_dt" in text and "40000000 ns" in text


def test_another_limit_shows_what_it_would_have_done(run: Path, replayed: Replayed) -> None:
    code, text = replayed(run, "--set", "safety.targets.rate=0.05")
    assert code == 0 and "stage safe, field joint_pos" in text and "policy:" not in text
    code, text = replayed(run, "--set", "safety.targets.rate=15.0")
    assert code == 0 and "robot: 400 cycles" in text


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("safety.nothing=1", "found nothing; valid: command"),
        ("safety.state.tilt.limit=ten", "tilt"),
        ("policy.x=1", "safety.KEY=VALUE"),
        ("safety.state", "safety.KEY=VALUE"),
        ("safety.state.tilt.limit=[", "a number, or YAML"),
    ],
)
def test_a_wrong_setting_is_one_line(run: Path, replayed: Replayed, setting: str, said: str) -> None:
    code, text = replayed(run, "--set", setting)
    assert code == 2 and said in text and len(text.splitlines()) == 1


def test_a_run_that_is_not_there_is_one_line(replayed: Replayed, tmp_path: Path) -> None:
    code, text = replayed(tmp_path / "none")
    assert code == 2 and "a recording" in text and len(text.splitlines()) == 1


def test_a_bundle_that_was_changed_since_is_named(run: Path, replayed: Replayed) -> None:
    (run / "bundles" / "go2_walk" / "policy.yaml").open("a").write("\n")
    code, text = replayed(run)
    assert code == 1 and "missing: bundle go2_walk is not the recorded one" in text
    (run / "run.json").write_text("{")
    code, text = replayed(run)
    assert code == 1 and "run.json is missing or damaged" in text


def test_a_call_that_no_half_has_is_not_made(run: Path, replayed: Replayed) -> None:
    all_calls = calls(run, ROBOT)
    all_calls[5] = dataclasses.replace(all_calls[5], name="__init_subclass__")
    rewrite(run, ROBOT, all_calls)
    code, text = replayed(run)
    assert code == 1 and "__init_subclass__ is not known here" in text


def camera(state: RobotState) -> dict[str, DepthImage]:
    """Give an image every 35 ms, 100 ms after its capture."""
    if state.stamp_ns % 35_000_000 or state.stamp_ns <= 100_000_000:
        return {}
    random = np.random.default_rng(state.stamp_ns)
    depth = owned(random.uniform(0.3, 3.0, (60, 106)), np.float32)
    return {"depth": DepthImage(state.stamp_ns - 100_000_000, depth)}


def test_a_policy_that_sees_and_its_companion_are_replayed_with_their_images(
    tmp_path: Path, replayed: Replayed
) -> None:
    seeing, blind = tmp_path / "seeing", make_bundle(tmp_path / "blind", SPEC).folder
    seeing_bundle(seeing, SPEC, lost="companion")
    run = tmp_path / "run"
    events = (*WALK, Event(350 * CYCLE, "switch", policy="tiny"))
    record(run, seeing, blind, cycles=480, events=sorted(events, key=lambda e: e.stamp_ns), cameras=camera)
    steps = [call for call in calls(run, POLICY) if isinstance(call.result, PolicyRecord)]
    images = [call.args[0].depth["depth"] for call in steps]
    assert 5 < len({id(image) for image in images}) < len(images)  # one object per image, as it was
    code, text = replayed(run)
    assert code == 0 and text.count("no difference") == 2, text
