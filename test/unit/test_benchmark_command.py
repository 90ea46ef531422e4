"""The verb: what it takes, what it prints, and its exit code, with groups that measure nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from robot_policies.cli import main as cli
from robot_policies.exceptions import RobotError
from sim2real.benchmark import command, groups
from sim2real.benchmark.figures import Report
from sim2real.benchmark.groups import GROUPS
from sim2real.benchmark.settings import Settings
from sim2real.benchmark.stack import _free_port, _ros, within


def measured(tick_us: float) -> dict[str, Any]:
    """Groups of which one works and one does not."""

    def tick(report: Report, settings: Settings) -> None:
        """One tick.

        More of it.
        """
        assert settings.scratch.is_dir()
        report.add("tick", [round(tick_us * 1e3)] * 100)
        report.add_value("seconds", settings.seconds, "s")

    def broken(report: Report, settings: Settings) -> None:
        """Never works."""
        raise RobotError("no robot node")

    return {"tick": tick, "ros": broken}


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    def run(*arguments: str, tick_us: float = 50.0) -> int:
        monkeypatch.setattr(command, "GROUPS", measured(tick_us))
        return cli.main(["bench", *arguments])

    return run


def test_every_group_says_in_its_first_line_what_it_is() -> None:
    assert set(GROUPS) == {"tick", "eager", "pacing", "ros", "depth", "wake", "kill", "wire", "nodes", "offline"}
    for name, group in GROUPS.items():
        assert (group.__doc__ or "").strip(), name


def test_what_was_measured_is_printed_and_written(
    bench: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench("--only", "tick", "--json", str(tmp_path / "b.json")) == 0
    out, err = capsys.readouterr()
    assert "p50 <= 60: met by 10" in out
    assert "[1/1, 0 s] tick: One tick." in err
    data = json.loads((tmp_path / "b.json").read_text())
    assert data["tick"] == {"n": 100, "p50_us": 50.0, "p95_us": 50.0, "p99_us": 50.0, "max_us": 50.0}
    about = data["_about"]
    assert about["values"]["seconds"]["value"] == command.SECONDS
    assert {"cpu", "cores", "kernel", "python", "versions", "sched_fifo", "load_start", "load_end"} <= set(about)


def test_what_cannot_be_measured_is_said_and_the_rest_goes_on(
    bench: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert bench("--json", str(tmp_path / "b.json")) == 1
    out, _ = capsys.readouterr()
    assert "ros: not measured: no robot node" in out and "tick " in out
    assert json.loads((tmp_path / "b.json").read_text())["_about"]["failures"] == {"ros": "not measured: no robot node"}


@pytest.mark.parametrize(("tick_us", "code"), [(50.0, 0), (70.0, 1)])
def test_check_fails_where_a_budget_is_missed(bench: Any, tick_us: float, code: int) -> None:
    assert bench("--only", "tick", tick_us=tick_us) == 0
    assert bench("--only", "tick", "--check", tick_us=tick_us) == code


@pytest.mark.parametrize(("arguments", "seconds"), [(("--quick",), 3.0), (("--seconds", "7"), 7.0)])
def test_the_time_can_be_bounded(
    bench: Any, arguments: tuple[str, ...], seconds: float, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench("--only", "tick", *arguments) == 0
    assert f"{seconds:.3f} s" in capsys.readouterr().out


@pytest.mark.parametrize("load", [0.1, 2.5])
def test_a_machine_that_is_not_quiet_is_told(
    bench: Any, load: float, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "load", lambda: load)
    assert bench("--only", "tick") == 0
    out, err = capsys.readouterr()
    assert ("not quiet: load 2.5" in out) is ("not quiet: load 2.5" in err) is (load > 0.5)


@pytest.mark.parametrize(
    "arguments",
    [("--only", "nothing"), ("--seconds", "0"), ("--seconds", "nan"), ("--json", "."), ("--json", "no/where.json")],
)
def test_wrong_arguments_are_refused_before_anything_starts(arguments: tuple[str, ...]) -> None:
    try:
        code: object = cli.main(["bench", *arguments])
    except SystemExit as error:
        code = error.code
    assert code == 2


def test_ctrl_c_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(report: Report, settings: Settings) -> None:
        """Wait."""
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "GROUPS", {"tick": interrupted})
    assert cli.main(["bench", "--only", "tick"]) == 130


def test_eager_without_pytorch_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    report = Report()
    groups.eager(report, Settings(tmp_path, 1.0, 10, 1))
    assert "PyTorch is not installed" in report.notes["eager_tick"]
    assert not report.failures


def test_samples_of_a_phase_are_those_within_it() -> None:
    samples = [(0, 1), (10, 2), (20, 3), (30, 4)]
    assert within(samples, (10, 20)) == [2, 3]
    assert within(samples, (31, 40)) == []


def test_parameters_are_written_as_ros_reads_them() -> None:
    assert _ros({"clock": "lockstep", "use_sim_time": True}) == [
        "--ros-args", "-p", "clock:=lockstep", "-p", "use_sim_time:=true",
    ]  # fmt: skip
    assert 1024 < _free_port() < 65536
