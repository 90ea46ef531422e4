"""The CSV of a run, and the watch that tells a diverging one."""

from __future__ import annotations

import csv
import math
import resource
from pathlib import Path

import pytest

from sim2real.training.progress import ProgressFile, Watch, read_rows


def test_rows_follow_one_header_over_two_runs(tmp_path: Path) -> None:
    path = tmp_path / "progress.csv"
    ProgressFile(path).write({"iteration": 1, "reward": 0.123456789})
    ProgressFile(path).write({"iteration": 2, "reward": 1e-12})
    with path.open(newline="") as file:
        assert list(csv.DictReader(file)) == [
            {"iteration": "1", "reward": "0.12346"},
            {"iteration": "2", "reward": "1e-12"},
        ]


@pytest.mark.parametrize(("reward", "losses", "named"), [
    (math.nan, {"value": 1.0}, "reward"),
    (1.0, {"value": math.inf, "surrogate": 0.0}, "value"),
])  # fmt: skip
def test_a_value_that_is_not_finite_is_named(reward: float, losses: dict[str, float], named: str) -> None:
    watch = Watch()
    assert watch.check(1.0, {"value": 1.0}) is None
    assert watch.check(reward, losses) == f"{named} not finite"


def test_a_reward_that_collapses_and_stays_down_is_told_after_the_patience() -> None:
    watch = Watch(share=0.3, patience=5, smoothing=0.0)
    assert [watch.check(reward, {}) for reward in (0.01, 0.05, 0.04)] == 3 * [None]
    assert watch.healthy
    told = [watch.check(0.01, {}) for _ in range(5)]
    assert told[:4] == 4 * [None] and "after a best of 0.0500, for 5 iterations" in told[4]
    assert not watch.healthy


def test_a_short_dip_is_forgiven() -> None:
    watch = Watch(share=0.3, patience=5, smoothing=0.0)
    for reward in (0.05, *4 * (0.01,), 0.04, *4 * (0.01,), 0.05):
        assert watch.check(reward, {}) is None
    assert watch.healthy


def test_a_slow_start_is_not_a_collapse() -> None:
    watch = Watch()
    assert all(watch.check(0.001 * step, {}) is None for step in range(200))


def test_other_columns_after_a_pause_get_a_place_and_leave_holes(tmp_path: Path) -> None:
    path = tmp_path / "progress.csv"
    ProgressFile(path).write({"iteration": 1, "reward": 0.5, "trot": 1.0})
    ProgressFile(path).write({"iteration": 2, "reward": 0.6, "pose": 2.0})
    assert read_rows(path) == [
        {"iteration": "1", "reward": "0.5", "trot": "1", "pose": ""},
        {"iteration": "2", "reward": "0.6", "trot": "", "pose": "2"},
    ]


def test_rows_after_the_checkpoint_are_done_again_and_not_twice_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "progress.csv"
    first = ProgressFile(path)
    for number in range(1, 6):
        first.write({"iteration": number, "reward": 0.1})
    second = ProgressFile(path, done=3)
    assert len(read_rows(path)) == 5  # nothing is dropped before there is something to write
    second.write({"iteration": 4, "reward": 0.2})
    assert [(row["iteration"], row["reward"]) for row in read_rows(path)] == [
        ("1", "0.1"), ("2", "0.1"), ("3", "0.1"), ("4", "0.2"),
    ]  # fmt: skip


@pytest.mark.parametrize("cut", [3, 8, 9])
def test_a_row_that_a_kill_cut_short_is_dropped_and_the_next_is_whole(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "progress.csv"
    ProgressFile(path).write({"iteration": 1, "reward": 0.5, "trot": 1.0})
    whole = path.read_bytes()
    path.write_bytes(whole + b"2,0.625,7\n"[:cut])
    ProgressFile(path).write({"iteration": 3, "reward": 0.7, "trot": 3.0})
    assert [row["iteration"] for row in read_rows(path)] == (["1", "3"] if cut < 8 else ["1", "2", "3"])
    assert path.read_bytes().count(b"\n") == (3 if cut < 8 else 4)


def test_a_full_disk_leaves_the_last_whole_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first bytes of a row are written, the rest does not fit."""
    path = tmp_path / "progress.csv"
    file = ProgressFile(path)
    file.write({"iteration": 1, "reward": 0.5})
    before, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 3, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            file.write({"iteration": 2, "reward": 0.625})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    file.write({"iteration": 3, "reward": 0.75})
    assert [row["iteration"] for row in read_rows(path)] == ["1", "3"]
