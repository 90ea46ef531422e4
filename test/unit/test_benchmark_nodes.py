"""What the benchmark does with nodes: the phases, kills and factors, with nodes that are played."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("rclpy")

from robot_policies.bundle.load import load_bundle
from robot_policies.exceptions import RobotError
from robot_policies.nodes.bench_operator import BenchOperator
from robot_policies.robot_spec import load_robot_spec
from sim2real.benchmark import groups, phases, sight
from sim2real.benchmark.figures import Report
from sim2real.benchmark.phases import NO_FIFO, Phases
from sim2real.benchmark.settings import Settings


def test_the_policy_that_is_measured_walks_as_the_shipped_one_and_sees(tmp_path: Path) -> None:
    spec = load_robot_spec("go2")
    made, walk = sight.seeing_bundle(tmp_path / "sees", spec, period=5), load_bundle("go2_walk", spec)
    assert made.contract.action == walk.contract.action
    assert (made.folder / "actor.onnx").read_bytes() == (walk.folder / "actor.onnx").read_bytes()
    assert [network.period for network in made.contract.networks] == [1, 5]
    assert made.contract.depth["depth"].delay == (0.080, 0.142)


class Played:
    """A stack whose nodes always run, until a phase is to fail."""

    def __init__(self, *args: Any) -> None:
        self.scratch = args[0] if args else Path()
        self.done: list[Any] = []
        self.operator: Any = SimpleNamespace(
            robot={"mode": "active", "cycles": 100, "message": "why"},
            told={"/robot_node": 0},
            drive=self._drive,
            wait=lambda done, limit, what: self.operator.told.update(
                {"/robot_node": self.operator.told["/robot_node"] + 1}
            ),
            stand=lambda: self.done.append("stand"),
            activate=lambda configured=False: self._activate(),
        )
        self.fails: set[int] = set()
        self.trips: set[int] = set()
        self.phase = 0

    def __enter__(self) -> Played:
        return self

    def __exit__(self, *error: object) -> None:
        self.done.append("end")

    def walk(self) -> None:
        self.done.append("walk")

    def schedule(self, fifo: bool) -> None:
        self.done.append(fifo)

    def samples(self) -> dict[str, list[tuple[int, int]]]:
        return {"wake": [(at, 1000) for at in self.at]}

    at: list[int] = []

    def _activate(self) -> None:
        self.done.append("activate")
        self.operator.robot["mode"] = "active"

    def _drive(self, seconds: float, forward: float = 0.0) -> None:
        self.phase += 1
        if self.phase in self.fails:
            raise RobotError("a node is gone")
        if self.phase in self.trips:
            self.operator.robot["mode"] = "landing:damping"
        self.at.append(time.monotonic_ns())


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., tuple[Phases, Played]]:
    def make(permitted: bool, fails: set[int] | None = None, trips: set[int] | None = None) -> tuple[Phases, Played]:
        stack = Played(tmp_path)
        stack.at, stack.fails, stack.trips = [], fails or set(), trips or set()
        monkeypatch.setattr(phases, "fifo_permitted", lambda: permitted)
        monkeypatch.setattr(phases, "Stack", lambda *args: stack)
        return Phases(tmp_path, {}, 0.5), stack

    return make


SUFFIXES = ["", "_loaded", "_no_fifo", "_no_fifo_loaded"]


def test_phases_with_the_right_are_four(played: Any) -> None:
    run, stack = played(True)
    run.run(1.0, 0.5)
    assert list(run.spans) == SUFFIXES
    assert [step for step in stack.done if isinstance(step, bool)] == [True, True, True, True, True, False, True, False]
    report = Report()
    run.fill(report, {"wake": "wake_500hz"})
    assert [report.durations[f"wake_500hz{suffix}"]["n"] for suffix in SUFFIXES] == [1, 1, 1, 1]
    assert not report.failures


def test_phases_without_the_right_are_two_and_say_so(played: Any) -> None:
    run, stack = played(False)
    run.run(1.0, 0.5)
    assert list(run.spans) == ["", "_loaded"]
    assert True not in stack.done
    assert run.notes == {"": NO_FIFO, "_loaded": NO_FIFO}


def test_a_phase_that_fails_is_told_and_the_others_go_on(played: Any) -> None:
    run, stack = played(True, fails={2})
    run.run(1.0, 0.5)
    report = Report()
    run.fill(report, {"wake": "wake_500hz"})
    assert report.failures == {"wake_500hz_loaded": "a node is gone"}
    assert list(report.durations) == ["wake_500hz", "wake_500hz_no_fifo", "wake_500hz_no_fifo_loaded"]
    assert stack.done[-1] == "end"


def test_after_a_trip_the_robot_gets_up_in_fifo(played: Any) -> None:
    run, stack = played(True, trips={3})
    run.run(1.0, 0.5)
    assert run.notes == {"_no_fifo": "tripped: why"}
    at = stack.done.index("stand")
    assert stack.done[at - 1] is True and stack.done[at + 1] == "activate"


def test_a_robot_that_lands_before_the_first_sample_is_no_failure(played: Any) -> None:
    run, stack = played(True, trips={4})
    run.run(1.0, 0.5)
    stack.at.clear()
    report = Report()
    run.fill(report, {"wake": "wake_500hz"})
    assert report.notes == {"wake_500hz_no_fifo_loaded": "tripped: why"}
    assert set(report.failures) == {"wake_500hz", "wake_500hz_loaded", "wake_500hz_no_fifo"}


class Recording(Played):
    """A stack that records, with two samples in its span and one before."""

    def __init__(self, scratch: Path, recording: Path) -> None:
        super().__init__(scratch)
        assert recording.parent == scratch and scratch.is_dir()
        self.children: dict[str, Any] = {}

    def samples(self) -> dict[str, list[tuple[int, int]]]:
        return {name: [(1, 9), *((at, 2000) for at in self.at * 2)] for name in groups.THROUGH_ROS}


def test_what_a_recording_costs_the_nodes_stands_beside_what_they_take_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    used = iter([{"recorder_node": 1.0}, {"recorder_node": 1.5}])
    monkeypatch.setattr(groups, "Stack", Recording)
    monkeypatch.setattr(groups, "cpu_of", lambda children: next(used))
    monkeypatch.setattr(Recording, "at", [])
    report = Report()
    groups._recorded(report, Settings(tmp_path, 1.0, 1, 1))
    assert not report.failures and "state_to_command_recorded" in report.durations
    assert {numbers["n"] for numbers in report.durations.values()} == {2} and "cycle_wake_recorded" in report.durations
    assert report.values["cpu_recorder_node_recorded"][0] > 0.0 and "tripped" not in str(report.notes)


def test_a_robot_that_lands_while_it_is_recorded_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Lands(Recording):
        def walk(self) -> None:
            self.trips = {1}

    monkeypatch.setattr(groups, "Stack", Lands)
    monkeypatch.setattr(groups, "cpu_of", lambda children: {})
    report = Report()
    groups._recorded(report, Settings(tmp_path, 1.0, 1, 1))
    assert report.notes["cycle_wake_recorded"].startswith("tripped: why")


def test_nodes_that_do_not_run_with_a_recording_leave_the_other_figures(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fails(self: Played) -> None:
        raise RobotError("it lies")

    monkeypatch.setattr(groups, "Stack", Recording)
    monkeypatch.setattr(Recording, "walk", fails)
    report = Report()
    groups._recorded(report, Settings(tmp_path, 1.0, 1, 1))
    assert set(report.failures) == {f"{name}_recorded" for name in groups.THROUGH_ROS.values()}
    assert report.failures["cycle_wake_recorded"] == "not measured: it lies"


def test_a_factor_is_simulated_over_real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    told = iter([(100, 10.0), (500, 12.0)])
    used = iter([{"robot_node": 1.0}, {"robot_node": 1.5}])
    monkeypatch.setattr(groups, "told", lambda stack: next(told))
    monkeypatch.setattr(groups, "cpu_of", lambda children: next(used))
    stack: Any = SimpleNamespace(children={}, operator=SimpleNamespace(drive=lambda seconds, forward: None))
    assert groups._factor(stack, 2.0, 0.5) == (1.0, {"robot_node": 0.25})


def test_offline_reads_the_card(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    episodes = [{"metrics": {"real_time_factor": factor}} for factor in (30.0, 20.0, 25.0)]
    (tmp_path / "cells.json").write_text(json.dumps([{"episodes": episodes}]))

    class Done:
        def __enter__(self) -> Any:
            return SimpleNamespace(wait=lambda limit: None)

        def __exit__(self, *error: object) -> None: ...

    monkeypatch.setattr(groups, "running", lambda *args: Done())
    report = Report()
    groups.offline(report, Settings(tmp_path, 1.0, 1, 1))
    assert report.values["offline_real_time_factor"] == (25.0, "x per core")
    assert "20.0 to 30.0" in report.notes["offline_real_time_factor"]


def operator(**attributes: Any) -> BenchOperator:
    made = BenchOperator.__new__(BenchOperator)
    made.robot, made.policy, made.sent, made._check = {}, {}, [], lambda: None
    made._spinner = SimpleNamespace(spin_for=lambda seconds: time.sleep(0.001))  # type: ignore[assignment]
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def test_the_first_landing_command_after_the_kill_counts() -> None:
    heard = operator(sent=[(9.0, "damping"), (10.1, "walk/1"), (10.25, "damping"), (10.3, "damping")])
    assert heard.first_sent("damping", 10.0) == pytest.approx(0.25)
    with pytest.raises(RobotError, match="a command of sit within 0.01 s"):
        heard.first_sent("sit", 10.0, 0.01)


def test_waiting_ends_where_a_process_has_died() -> None:
    def died() -> None:
        raise RobotError("policy_node ended")

    with pytest.raises(RobotError, match="policy_node ended"):
        operator(_check=died).wait(lambda: False, 5.0, "anything")
    with pytest.raises(RobotError, match="it lies"):
        operator(robot={"message": "it lies"}).wait(lambda: False, 0.01, "the robot to stand")
