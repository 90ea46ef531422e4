"""``robot-policies bench`` as a user runs it. Only what a busy machine cannot break is asserted; it prints the rest."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("mujoco")

ROOT = Path(__file__).resolve().parents[2]
LANDING_US = 100_000  # from the death of a policy to the first landing command, DESIGN section 7


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start the verb; its scratch folder, which the command lines of its children name, is in ``folder``."""
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "robot_policies.cli", "bench", "--json", str(folder / "bench.json"), *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def bench(folder: Path, capsys: pytest.CaptureFixture[str], *only: str) -> dict[str, Any]:
    """Run some groups, show what they print, and return the JSON."""
    process = start(folder, "--quick", "--only", *only)
    try:
        said, _ = process.communicate(timeout=280)
    finally:
        process.kill()
    with capsys.disabled():
        sys.stdout.write(f"\n{said}")
    assert not left_over(folder)
    found: dict[str, Any] = json.loads((folder / "bench.json").read_text())
    failures = found["_about"]["failures"]
    assert process.returncode == (1 if failures else 0), said
    # Without SCHED_FIFO nothing keeps a robot from landing on a machine that has too much to do.
    assert all("_no_fifo" in name for name in failures), said
    return found


def left_over(folder: Path) -> list[str]:
    """Return the command lines of processes that name ``folder``."""
    lines = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = place.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line and str(os.getpid()) not in place.parts:
            lines.append(line)
    return lines


def test_ticks_pacing_and_evaluation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = bench(tmp_path, capsys, "tick", "pacing", "offline")
    values = found["_about"]["values"]
    assert found["tick"]["n"] >= 500 and found["tick_paced"]["n"] >= 100
    for half in ("policy_half", "robot_half"):
        assert found[f"{half}_plain"]["n"] == found[f"{half}_recorded"]["n"] >= 70
        assert 0.0 < found[f"{half}_plain"]["p50_us"] < found[f"{half}_recorded"]["p50_us"] < 5_000.0
    assert 0.0 < found["tick"]["p50_us"] < 2 * 60.0
    assert found["tick"]["p50_us"] < found["tick_paced"]["p50_us"] < 5 * 400.0
    assert values["offline_real_time_factor"]["value"] > 5.0
    assert values["sleep_after_work_drift"]["value"] > abs(values["pacing_drift"]["value"])
    assert found["sleep_after_work_lateness"]["p50_us"] > found["pacing_lateness"]["p50_us"]


@pytest.mark.torch
def test_the_eager_tick_is_slower(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = bench(tmp_path, capsys, "tick", "eager")
    assert found["_about"]["ratios"]["eager_tick / tick, p50"] > 1.0


@pytest.mark.slow
def test_through_ros_until_the_policy_dies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = bench(tmp_path, capsys, "ros", "kill")
    # A command is useful until the next one is due; what is slower than that is not this pipeline at work.
    assert found["state_to_command"]["n"] > 50 and 0.0 < found["state_to_command"]["p50_us"] < 20_000.0
    assert 0.0 < found["taken_to_tick"]["p50_us"] < found["stamp_to_tick"]["p50_us"]
    for name in ("state_to_command", "taken_to_tick", "cycle_wake"):
        assert found[f"{name}_recorded"]["n"] > 50 and found[name]["n"] > 50, "with a recording and without"
    used = {name for name in found["_about"]["values"] if name.endswith("_recorded")}
    assert used == {f"cpu_{name}_node_recorded" for name in ("recorder", "robot", "policy")}
    assert found["policy_killed_to_landing"]["n"] == 2
    assert 0.0 < found["policy_killed_to_landing"]["max_us"] < LANDING_US


@pytest.mark.slow
def test_wake_ups_and_all_nodes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = bench(tmp_path, capsys, "wake", "nodes")
    values = found["_about"]["values"]
    assert found["wake_500hz"]["n"] > 1000 and found["wake_500hz"]["p50_us"] < 2_000.0
    assert 0.5 < values["all_nodes_real_time_factor"]["value"] < 1.05
    assert 0.05 < values["all_nodes_cores"]["value"] < 2.0
    assert {f"cpu_{name}_node" for name in ("robot", "policy", "depth_camera", "viewer")} <= set(values)


@pytest.mark.slow
def test_depth_to_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = bench(tmp_path, capsys, "depth")
    own, wait, total = (found[f"depth_{part}"] for part in ("to_command", "tick_wait", "total"))
    assert own["n"] == wait["n"] == total["n"] > 20, "each use of an image is one sample of each"
    assert 500.0 < own["p50_us"] < total["p50_us"] < 100_000.0
    assert 0.0 < wait["p50_us"] < 20_000.0, "a policy that ticks every 20 ms"
    assert found["_about"]["budgets"]["depth_total"][0]["limit"] == 35_000.0


@pytest.mark.slow
def test_a_robots_own_wire(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("cyclonedds", reason="needs cyclonedds and unitree-sdk2py-dimos (robot_policies[unitree])")
    found = bench(tmp_path, capsys, "wire")
    assert found["driver_500hz"]["n"] > 1000 and found["driver_500hz"]["p50_us"] < 2_000.0
    assert found["state_to_wire"]["n"] > 50
    assert found["driver_500hz"]["p50_us"] < found["state_to_wire"]["p50_us"] < 20_000.0


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    process = start(tmp_path, "--only", "ros")
    try:
        end = time.monotonic() + 40.0
        while len(left_over(tmp_path)) < 3:  # the verb itself and two nodes
            assert time.monotonic() < end and process.poll() is None
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=40)
    finally:
        process.kill()
    assert process.returncode == 130
    assert not left_over(tmp_path)
    assert not list(tmp_path.glob("robot_policies_bench_*")), "the scratch folder is still there"
