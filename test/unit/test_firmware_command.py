"""``robot-policies firmware``: what is refused before anything starts, and what it leaves behind."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.firmware import free_dds_domain, free_udp_port, need_sdk
from helpers.node_process import ROOT, environment

from robot_policies.cli.main import main


def firmware(*arguments: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "robot_policies.cli", "firmware", *arguments]
    return subprocess.run(line, env=environment(0), cwd=ROOT, capture_output=True, text=True, timeout=60.0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["go3"], "go2"),
        (["go1", "--interface", "nowhere0"], "interface; found nowhere0; valid: lo"),
        (["go1", "--port", "70000"], "UDP port 70000"),
        (["go1", "--seconds", "0"], "more than 0"),
        (["go1", "--timeout", "nan"], "more than 0"),
        (["go1", "--terrain", "nowhere"], "nowhere"),
        (["go1", "--log", "/no/such/folder/log"], "a folder that exists"),
        (["go1", "--mode", "dance"], "released"),
    ],
)
def test_a_wrong_argument_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    port = () if "--port" in arguments else ("--port", str(free_udp_port()))
    assert refused(*arguments, *port) == 2
    said = capsys.readouterr()
    assert words in said.err
    assert len(said.err.strip().splitlines()) == 1
    assert said.out == ""


def refused(*arguments: str) -> int:
    """Ask in this process for what is refused before anything is changed in it."""
    try:
        return main(["firmware", *arguments])
    except SystemExit as end:  # argparse
        return int(str(end.code))


def test_a_port_in_use_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert refused("go1", "--port", str(port)) == 2
    assert f"UDP port {port} of lo" in capsys.readouterr().err


def test_a_domain_that_cannot_be_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    need_sdk()
    assert refused("go2", "--domain", "999") == 2
    assert "DDS domain 999" in capsys.readouterr().err


def test_a_viewer_without_a_display_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert refused("go1", "--port", str(free_udp_port()), "--view") == 2
    assert "--view; found no display" in capsys.readouterr().err


def test_a_missing_sdk_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("sim2real.firmware.go2", "sim2real.firmware.dds"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "cyclonedds.core", None)
    assert refused("go2") == 2
    assert "valid: pip install cyclonedds==" in capsys.readouterr().err


def test_it_runs_for_its_time_and_says_how_it_went(tmp_path: Path) -> None:
    """The rate is what it should be where nothing else runs; here it must only be a rate."""
    need_sdk()
    out, log = tmp_path / "end.json", tmp_path / "log.jsonl"
    where = ("--domain", str(free_dds_domain()))
    done = firmware("go2", *where, "--terrain", "rough", "--seconds", "1", "--json", str(out), "--log", str(log))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[0])["robot"] == "go2"
    assert "period p50/p99/max" in done.stdout.splitlines()[-1]
    status = json.loads(out.read_text())
    assert status["t"] == pytest.approx(1.0, abs=0.01)
    assert 100.0 < status["rate_hz"] < 510.0
    assert status["cpu_percent"] > 0.0
    assert len(log.read_text().splitlines()) >= 50
