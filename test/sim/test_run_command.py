"""``robot-policies run`` as a user types it: the report, every end, and what is refused before anything starts."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("mujoco")

from helpers.node_process import environment, free_domain
from helpers.stack import standing_bundle

from robot_policies.robot_spec import load_robot_spec

SPEC = load_robot_spec("go2")
KEYS = {"robot", "policy", "seconds", "fell", "distance_m", "command_mps", "speed_mps"}
KEYS |= {"ticks", "missed_ticks", "latency_ms", "modes", "trips"}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return standing_bundle(tmp_path_factory.mktemp("bundles") / "standing", SPEC)


def line(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "robot_policies.cli", "run", *map(str, arguments)]


def run(*arguments: object, domain: int | None = None, timeout: float = 90.0) -> subprocess.CompletedProcess[str]:
    env = environment(free_domain() if domain is None else domain)
    return subprocess.run(line(*arguments), env=env, capture_output=True, text=True, timeout=timeout)


def processes(domain: int) -> list[int]:
    """Return the processes that carry this test's domain in their environment: its nodes, orphans included."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
        except OSError:  # ended meanwhile
            continue
        if f"ROS_DOMAIN_ID={domain}".encode() in variables and f"ROBOT_TEST={domain}".encode() in variables:
            found.append(int(entry.name))
    return found


def start(domain: int, *arguments: object) -> subprocess.Popen[str]:
    """Start it in a group of its own, as a shell does, and wait until the robot stands or walks."""
    env = {**environment(domain), "ROBOT_TEST": str(domain)}
    return subprocess.Popen(
        line(*arguments), env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--robot", "go9"), ("go9", "g1, go1, go2")),
        (("--policy", "nowhere"), ("nowhere",)),
        (("--robot", "g1"), ("g1", "go2")),
        (("--bringup", "moonbase"), ("moonbase", "sim")),
        (("colour:=red",), ("colour", "terrain")),
        (("viewer:=perhaps",), ("viewer", "true, false")),
        (("backend:=gazebo9",), ("gazebo9", "mujoco")),
        (("terrain:=moon",), ("moon", "flat")),
        (("safety:=nowhere",), ("nowhere",)),
        (("clock:=lunar",), ("lunar", "real, lockstep")),
        (("speed:=-1",), ("-1", "speed")),
        (("--namespace", "a+b"), ("a+b", "letters")),
        (("--velocity", "fast"), ("fast", "VX,VY,WZ")),
        (("--velocity", "nan,0,0"), ("nan", "VX,VY,WZ")),
        (("--seconds", "-1"), ("-1",)),
        (("--seconds", "soon"), ("soon",)),
        (("--json", "/nowhere/at/all.json"), ("/nowhere/at/all.json",)),
        (("--loud",), ("--loud",)),
    ],
)
def test_what_is_wrong_is_one_line_and_code_2_and_nothing_starts(
    bundle: Path, arguments: Sequence[str], words: Sequence[str]
) -> None:
    given = () if "--policy" in arguments else ("--policy", bundle)
    done = run("--headless", *given, *arguments)
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 and done.stdout == ""
    assert all(word in done.stderr for word in words), done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("clock", ["real", "lockstep"])
def test_the_report_says_what_happened(bundle: Path, tmp_path: Path, clock: str) -> None:
    report_file = tmp_path / "report.json"
    extra = ("--lockstep",) if clock == "lockstep" else ()
    done = run("--headless", "--policy", bundle, "--seconds", 4, "--velocity", "0,0,0", "--json", report_file, *extra)
    assert done.returncode == 0, done.stderr
    report = json.loads(report_file.read_text())
    assert set(report) >= KEYS and set(report["latency_ms"]) == {"p50", "p95", "p99", "max"}
    assert report["robot"] == "go2" and report["fell"] is False and report["trips"] == []
    assert 4.0 <= report["seconds"] < 4.5 and 195 <= report["ticks"] <= 215 and report["missed_ticks"] == 0
    assert report["distance_m"] < 0.1 and abs(report["speed_mps"]) < 0.05
    assert [mode["mode"] for mode in report["modes"]][-3:] == ["stand", "active", "stand"]
    stamps = [mode["stamp_ns"] for mode in report["modes"]]
    assert stamps == sorted(stamps)
    assert "no fall" in done.stdout


@pytest.mark.slow
def test_a_trip_is_in_the_report_and_the_code_is_1(tmp_path: Path) -> None:
    bundle, report_file = standing_bundle(tmp_path / "failing", SPEC, fails_after=60), tmp_path / "r.json"
    done = run("--headless", "--policy", bundle, "--seconds", 5, "--json", report_file)
    report = json.loads(report_file.read_text())
    assert done.returncode == 1
    assert [(trip["name"], trip["landing"]) for trip in report["trips"]] == [("policy", "sit")]
    assert "finite" in report["trips"][0]["detail"] and "finite" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("after", [1.0, 6.0])
def test_two_interrupts_leave_no_process_and_a_landed_robot(bundle: Path, tmp_path: Path, after: float) -> None:
    domain, report_file = free_domain(), tmp_path / "r.json"
    process = start(domain, "--headless", "--policy", bundle, "--json", report_file)
    time.sleep(after)
    for pause in (0.1, 0.0):
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
        time.sleep(pause)
    out, err = process.communicate(timeout=20.0)
    assert "Traceback" not in err, err
    assert process.returncode in (0, 130, -signal.SIGINT), (out, err)  # the last: while Python still imports
    time.sleep(0.3)
    assert processes(domain) == []


@pytest.mark.slow
def test_killed_itself_it_leaves_no_process(bundle: Path) -> None:
    domain = free_domain()
    process = start(domain, "--headless", "--policy", bundle)
    time.sleep(5.0)
    assert len(processes(domain)) >= 3  # itself and two nodes
    process.kill()
    process.communicate(timeout=10.0)
    deadline = time.monotonic() + 10.0
    while processes(domain) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert processes(domain) == []


@pytest.mark.slow
def test_a_port_in_use_is_one_line_and_the_page_is_at_the_next(bundle: Path) -> None:
    pytest.importorskip("viser")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("--policy", bundle, "--seconds", 4, f"viewer_port:={port}")
    assert done.returncode == 0, done.stderr
    told = [text for text in done.stdout.splitlines() if f"port {port} is taken" in text]
    assert len(told) == 1 and "Traceback" not in done.stderr
