"""The demo over the robot's own wire: policy node, robot node with the hardware driver, and the firmware peer."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest

pytest.importorskip("rclpy")

from helpers.firmware import need_sdk
from helpers.node_process import ROOT, environment, free_domain, run_to_end

need_sdk()

SECONDS = 6.0


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[dict[str, Any]], str]:
    """What the report says of a walk, what the peer's judge says of it, and what was said meanwhile."""
    folder = tmp_path_factory.mktemp("demo")
    report, log = folder / "report.json", folder / "judge.jsonl"
    line = [sys.executable, "-m", "robot_policies.cli", "demo", "--wire", "--headless", "--seconds", str(SECONDS)]
    done = subprocess.run(
        [*line, "--json", str(report), f"log:={log}"],
        env=environment(free_domain()),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120.0,
    )
    assert report.is_file(), done.stderr
    return json.loads(report.read_text()), [json.loads(text) for text in log.read_text().splitlines()], done.stderr


@pytest.mark.slow
def test_it_walks_as_the_simulated_one_does(walked: tuple[dict[str, Any], Any, str]) -> None:
    report, _, said = walked
    assert report["ok"], (report["error"], report["trips"], said)
    assert report["seconds"] == pytest.approx(SECONDS, abs=0.5)
    assert report["speed_mps"] == pytest.approx(0.8, abs=0.15)
    assert report["distance_m"] > 0.5 * 0.8 * SECONDS
    modes = [entry["mode"] for entry in report["modes"] if entry["mode"] != "damping"]  # may be too short to be told
    assert modes[:3] == ["disarmed", "stand", "active"]


@pytest.mark.slow
def test_the_report_has_the_keys_of_the_simulated_one(walked: tuple[dict[str, Any], Any, str]) -> None:
    text = (ROOT / "robot_policies" / "nodes" / "session.py").read_text()
    keys = set(re.findall(r'^            "(\w+)": ', text, re.MULTILINE))
    assert {"seconds", "fell", "distance_m", "latency_ms", "trips"} <= keys <= set(walked[0])


@pytest.mark.slow
def test_the_judge_saw_the_order_of_the_handover(walked: tuple[Any, list[dict[str, Any]], str]) -> None:
    """Up by itself or on its way, down on request, released, and only then commanded; nobody fought."""
    lines = walked[1]
    story = [(line["pose"], line["driven_by"]) for line in lines if line.get("event") == "mode"]
    drivers = [driver for _, driver in story]
    assert story[0] == ("stand", "built_in")
    assert ("lie", "built_in") in story
    assert drivers[drivers.index("nobody") - 1] == "built_in"
    assert "commands" in drivers[drivers.index("nobody") :]
    assert "both" not in drivers
    commands = lines[-1]["commands"]
    assert set(commands) == {"taken"}, "no command of the driver was ever refused"
    assert commands["taken"] > 0.5 * 200 * SECONDS


@pytest.mark.slow
def test_no_limit_was_broken(walked: tuple[Any, list[dict[str, Any]], str]) -> None:
    samples = [line for line in walked[1] if line["kind"] == "sample"]
    assert len(samples) > 40 * SECONDS
    broken = [sample for sample in samples if sample["limits"]]
    assert len(broken) < 0.01 * len(samples), broken[0]["limits"]
    walking = [sample for sample in samples if sample["position"][2] > 0.25 and sample["driven_by"] == "commands"]
    assert walking
    assert not any(sample["contacts"] for sample in walking)


def test_the_node_refuses_what_is_wrong() -> None:
    done = run_to_end("sim2real.bridges.firmware_node", 9, "robot:=go1", "no_such_parameter:=1")
    assert done.returncode == 2
    assert "found no_such_parameter; valid: control" in done.stderr
