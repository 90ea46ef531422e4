"""The page of a run: every number on it is one of the recording, and it needs nothing but itself."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from helpers.offline import CYCLE, SPEC, event
from helpers.recorded import WALK, calls, record
from helpers.report_page import ReportPage

from robot_policies.control.recording.history import History, read_history
from robot_policies.control.recording.journal import POLICY, ROBOT
from robot_policies.control.recording.policy_history import STAGES
from robot_policies.control.recording.wire import Base, WireHistory
from robot_policies.report.charts import roll_pitch
from robot_policies.report.page import page
from robot_policies.report.svg import ticks
from robot_policies.report.thin import thin, with_gaps
from robot_policies.types import Mode, PolicyRecord, RobotRecord


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "run"
    record(folder, "go2_walk", cycles=460, events=(*WALK, event(440, "estop")))
    return folder


@pytest.fixture(scope="module")
def history(run: Path) -> History:
    """The recording, as if the simulator and the nodes had said what an offline run does not have."""
    read = read_history(run)
    stamps = read.robot.stamp_ns
    ahead = np.linspace(0.0, 2.3, stamps.size)
    nothing = np.zeros((stamps.size, 3))
    quat = np.tile([1.0, 0.0, 0.0, 0.0], (stamps.size, 1))
    place = np.stack([ahead, 0.0 * ahead, 0.0 * ahead + 0.3], axis=1)
    truth = Base("/ground_truth/odom", stamps, place, quat, nothing + [0.7, 0.0, 0.0], nothing)
    told = {"/robot_node": {"latency_ms": {"p50": 1.0, "p95": 2.0, "p99": 3.25, "max": 4.0}, "fell": False}}
    latency = np.array([0.001, 0.002, 0.003, 0.010])
    arguments = {"terrain": "flat", "backend": "<mock>"}
    wire = WireHistory(truth, None, latency, told)
    return dataclasses.replace(read, wire=wire, arguments=arguments, missing=[])


@pytest.fixture(scope="module")
def shown(history: History) -> ReportPage:
    return ReportPage(page(history, pictures=0))


def test_joints_show_target_and_position_of_every_step(run: Path, shown: ReportPage) -> None:
    cycles = [call.result for call in calls(run, ROBOT) if isinstance(call.result, RobotRecord)]
    steps = [call.result for call in calls(run, POLICY) if isinstance(call.result, PolicyRecord)]
    start_ns = cycles[0].state.stamp_ns
    for index, name in enumerate(SPEC.joint_names):
        position = np.array([[(c.state.stamp_ns - start_ns) / 1e9, c.state.joint_pos[index]] for c in cycles])
        np.testing.assert_allclose(shown.lines[name]["position"], position, rtol=1e-4, atol=1e-6)
        target = np.array([[(s.command.stamp_ns - start_ns) / 1e9, s.command.joint_pos[index]] for s in steps])
        np.testing.assert_allclose(shown.lines[name]["target"], target, rtol=1e-4, atol=1e-6)


def test_what_was_sent_is_shown_only_where_it_is_not_the_target(run: Path, shown: ReportPage) -> None:
    cycles = [call.result for call in calls(run, ROBOT) if isinstance(call.result, RobotRecord)]
    name = SPEC.joint_names[2]
    other = [
        c
        for c in cycles
        if c.safe is not None and (c.command is None or abs(c.safe.joint_pos[2] - c.command.joint_pos[2]) >= 1e-4)
    ]
    sent = shown.lines[name]["sent"]
    assert 0 < len(sent) == len(other) < len(cycles)
    np.testing.assert_allclose(sent[:, 1], [c.safe.joint_pos[2] for c in other], rtol=1e-4)


def test_velocities_asked_measured_and_true(run: Path, history: History, shown: ReportPage) -> None:
    asked = history.policy.velocity[:, 0]
    lines = shown.lines["forward (x)"]
    np.testing.assert_allclose(lines["asked"][:, 1], asked[np.isfinite(asked)], rtol=1e-4)
    assert set(lines["true (simulator)"][:, 1]) == {0.7}
    np.testing.assert_allclose(lines["measured"][:, 1], history.robot.base_lin_vel[:, 0], atol=1e-6)
    turn = shown.lines["turn (about z)"]["measured"]
    np.testing.assert_allclose(turn[:, 1], history.robot.base_ang_vel[:, 2], rtol=1e-4, atol=1e-6)


def test_percentiles_are_those_of_all_samples(run: Path, history: History, shown: ReportPage) -> None:
    steps = [call.result for call in calls(run, POLICY) if isinstance(call.result, PolicyRecord)]
    for index, stage in enumerate(STAGES):
        ms = np.array([step.durations_ns[index] for step in steps]) / 1e6
        wanted = dict(zip(("p50", "p95", "p99"), np.percentile(ms, (50, 95, 99)), strict=True)) | {"max": ms.max()}
        assert shown.levels[stage] == pytest.approx(wanted, rel=6e-3)
    assert shown.levels["state to command, at the recorder"] == pytest.approx(
        {"p50": 2.5, "p95": 8.95, "p99": 9.79, "max": 10.0}, rel=6e-3
    )
    age = history.robot.command_age[np.isfinite(history.robot.command_age)] * 1e3
    assert shown.levels["command in the robot cycle"]["max"] == pytest.approx(age.max())
    assert "3.25" in shown.text and "/robot_node" in shown.text


def test_modes_and_the_trip_are_on_the_time_line(run: Path, history: History, shown: ReportPage) -> None:
    cycles = [call.result for call in calls(run, ROBOT) if isinstance(call.result, RobotRecord)]
    modes = [cycles[0].mode] + [b.mode for a, b in zip(cycles, cycles[1:], strict=False) if a.mode is not b.mode]
    assert [mode for mode, _, _ in shown.modes] == [mode.value for mode in modes]
    assert [begin for _, begin, _ in shown.modes[1:]] == [end for _, _, end in shown.modes[:-1]]
    landing = next(c.state.stamp_ns for c in cycles if c.mode is Mode.LANDING)
    begin = next(begin for mode, begin, _ in shown.modes if mode == "landing")
    assert begin == pytest.approx((landing - cycles[0].state.stamp_ns) / 1e9, abs=1e-3)
    assert shown.text.count("in active: asked for; landing: damping") == 2  # on top, and among the events
    assert "lease taken" in shown.text
    assert shown.tiles["trips"] == "1"


def test_tiles_are_computed_from_the_recording(history: History, shown: ReportPage) -> None:
    rows = [i for i, mode in enumerate(history.robot.modes) if mode is Mode.ACTIVE]
    gone = 2.3 * (rows[-1] - rows[0]) / (history.robot.stamp_ns.size - 1)
    assert shown.tiles["gone while active"] == f"{gone:.2f} m"
    active = (rows[-1] + 1 - rows[0]) * CYCLE / 1e9
    assert shown.tiles["active"] == f"{active:.1f} s" and shown.tiles["mean speed"] == f"{gone / active:.2f} m/s"
    assert shown.tiles["recorded"] == "2.3 s" and shown.tiles["largest tilt"] == "0\N{DEGREE SIGN}"
    assert shown.tiles["fell"] == "no" and shown.tiles["state to command, p99"] == "3.25 ms"


def test_what_the_run_was_made_of(history: History, shown: ReportPage) -> None:
    for words in ("go2_walk on go2", history.facts["bundles"]["go2_walk"][:12], "terrain", "<mock>", "numpy"):
        assert words in shown.text, words
    assert "Not in this recording" not in shown.text


def test_the_page_is_as_small_for_an_hour(history: History) -> None:
    """A hundred times the cycles: about the same page, with the same largest value."""
    many = {
        field.name: np.concatenate([getattr(history.robot, field.name)] * 100)
        for field in dataclasses.fields(history.robot)
        if isinstance(getattr(history.robot, field.name), np.ndarray)
    }
    many["stamp_ns"] = history.start_ns + CYCLE * np.arange(46_000)
    many["joint_pos"] = many["joint_pos"].copy()
    many["joint_pos"][23_456, 0] = 1.2345
    robot = dataclasses.replace(
        history.robot, modes=history.robot.modes * 100, clamps=history.robot.clamps * 100, **many
    )
    text = page(dataclasses.replace(history, robot=robot), pictures=0)
    assert len(text) < 2_000_000
    position = ReportPage(text).lines[SPEC.joint_names[0]]["position"]
    assert position[:, 1].max() == 1.2345 and len(position) <= 1600
    assert np.abs(position[position[:, 1].argmax(), 0] - 23_456 * CYCLE / 1e9) < 2e-3


def test_nothing_is_drawn_over_a_gap() -> None:
    seconds = np.array([0.0, 0.1, 0.2, 1.2, 1.3])
    at, values = with_gaps(seconds, np.arange(5.0))
    assert np.isnan(values).tolist() == [False] * 3 + [True] + [False] * 2 and at[3] == 1.2
    assert with_gaps(seconds[:3], np.arange(3.0))[1].tolist() == [0.0, 1.0, 2.0]
    back = with_gaps(np.array([0.0, 0.1, 0.2, 0.1]), np.arange(4.0))[1]
    assert np.isnan(back[3])


def test_a_pause_in_the_recording_is_a_gap_in_its_lines(history: History) -> None:
    stamps = history.robot.stamp_ns.copy()
    stamps[200:] += 1_000_000_000
    robot = dataclasses.replace(history.robot, stamp_ns=stamps)
    breaks = ReportPage(page(dataclasses.replace(history, robot=robot), pictures=0)).breaks
    assert breaks["FL_hip_joint/position"] == 1 and breaks["FL_hip_joint/target"] == 0


def test_thinning_keeps_peaks_order_and_holes() -> None:
    rng = np.random.default_rng(0)
    seconds, values = np.arange(10_000.0), rng.standard_normal(10_000)
    values[5000:5400] = np.nan
    at, kept = thin(seconds, values, most=400)
    assert len(at) <= 600 and np.nanmax(kept) == np.nanmax(values) and np.nanmin(kept) == np.nanmin(values)
    assert (np.diff(at) > 0).all() and np.isnan(kept[(at >= 5000) & (at < 5400)]).all()
    np.testing.assert_array_equal(kept, values[at.astype(int)])
    assert thin(seconds[:300], values[:300], most=400)[0].size == 300


@pytest.mark.parametrize(("low", "high", "wanted"), [(0, 10, [0, 5, 10]), (-1.1, 0.9, [-1, 0]), (3, 3, [3])])
def test_ticks_are_round(low: float, high: float, wanted: list[float]) -> None:
    assert ticks(low, high, 3) == wanted


def test_roll_and_pitch_are_of_the_axes_of_rep_103() -> None:
    angle = 0.3
    half = angle / 2.0
    about_x, about_y = [np.cos(half), np.sin(half), 0.0, 0.0], [np.cos(half), 0.0, np.sin(half), 0.0]
    roll, pitch = roll_pitch(np.array([about_x, about_y]))
    np.testing.assert_allclose(roll, [angle, 0.0], atol=1e-12)
    np.testing.assert_allclose(pitch, [0.0, angle], atol=1e-12)


def test_one_half_alone_makes_a_page(history: History, run: Path, tmp_path: Path) -> None:
    for lost in (POLICY, ROBOT):
        folder = tmp_path / lost
        folder.mkdir()
        for path in run.glob("*.mcap"):
            if path.stem != lost:
                (folder / path.name).write_bytes(path.read_bytes())
        shown = ReportPage(page(read_history(folder), pictures=12 if lost == ROBOT else 0))
        assert ("film strip: no state" in shown.text) == (lost == ROBOT)
        assert f"{lost}.mcap: no such file" in shown.text and "run.json is missing" in shown.text
        name = next(iter(name for name in shown.lines if "joint" in name))
        assert set(shown.lines[name]) == ({"position", "sent"} if lost == POLICY else {"target"})


def test_texts_of_a_recording_are_never_markup(history: History) -> None:
    evil = "<script>alert(1)</script>"
    facts = {**history.facts, "robot": evil, "bundles": {evil: evil}, "git": evil, "versions": {evil: evil}}
    events = tuple(dataclasses.replace(e, what=evil, detail=evil) for e in history.robot.events)
    robot = dataclasses.replace(history.robot, events=events, clamps=((evil,),) * len(history.robot.clamps))
    wire = dataclasses.replace(history.wire, reported={evil: {"x_ms": {"p50": 1, "p95": 1, "p99": 1, "max": 1}}})
    changed = dataclasses.replace(
        history, facts=facts, robot=robot, wire=wire, arguments={evil: evil}, missing=[evil], spec=None
    )
    text = page(changed, pictures=0)
    assert len(re.findall("<script", text)) == 1
    assert ReportPage(text).text.count(evil) > 8
