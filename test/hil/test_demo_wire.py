"""The demo over the robot's own wire: policy node, robot node with the hardware driver, and the firmware peer."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

from helpers.firmware import need_sdk
from helpers.node_process import ROOT, environment, free_domain, run_to_end
from helpers.planted import in_inputs, in_result, number_at, plant, replayed, steps, whole
from mcap.reader import make_reader

from robot_policies.control.recording.journal import POLICY, ROBOT
from robot_policies.robot_spec import load_robot_spec
from robot_policies.robots.unitree_wire.hardware import read_hardware
from robot_policies.types import Mode

need_sdk()

SECONDS = 6.0


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[dict[str, Any]], str]:
    """What the report says of a walk, what the peer's judge says of it, and what was said meanwhile."""
    folder = tmp_path_factory.mktemp("demo")
    report, log = folder / "report.json", folder / "judge.jsonl"
    line = [sys.executable, "-m", "robot_policies.cli", "demo", "--wire", "--headless", "--seconds", str(SECONDS)]
    done = subprocess.run(
        [*line, "--json", str(report), "--record", str(folder / "runs"), f"log:={log}"],
        env=environment(free_domain()),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120.0,
    )
    assert report.is_file(), done.stderr
    return json.loads(report.read_text()), [json.loads(text) for text in log.read_text().splitlines()], done.stderr


@pytest.fixture
def recorded(walked: tuple[dict[str, Any], Any, str], tmp_path: Path) -> Path:
    """The walk's recording, to be changed."""
    return Path(shutil.copytree(walked[0]["recording"], tmp_path / "run"))


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


@pytest.mark.slow
def test_the_run_over_the_wire_replays_bit_for_bit(walked: tuple[dict[str, Any], Any, str]) -> None:
    report = walked[0]
    assert (report["steps_dropped"], report["recording_error"]) == (0, "")
    ticks, cycles = whole(Path(report["recording"]))
    assert ticks >= report["ticks"] > 0 and cycles > 500 * SECONDS


@pytest.mark.slow
def test_a_changed_input_of_the_policy_and_a_changed_output_of_the_robot_are_found(recorded: Path) -> None:
    tick = steps(recorded, POLICY)[10]  # also where a machine that is too busy has ended the walk
    plant(recorded, POLICY, tick.number, in_inputs("state.joint_vel", 4))
    cycle = [step for step in steps(recorded, ROBOT) if step.result.safe is not None][500]
    plant(recorded, ROBOT, cycle.number, in_result("safe.joint_pos", 7))
    done = replayed(recorded)
    assert done.returncode == 1 and "no difference" not in done.stdout
    was = number_at(tick.result, "inputs.state.joint_vel", 4)
    state = tick.result.inputs.state.stamp_ns
    assert f"at tick 10 (state {state} ns), stage inputs, field state.joint_vel[4]: recorded {was!r} (" in done.stdout
    was, state = number_at(cycle.result, "safe.joint_pos", 7), cycle.result.state.stamp_ns
    assert f"(state {state} ns), stage safe, field joint_pos[7]: recorded " in done.stdout
    assert f"now {was!r} ({was.hex()})" in done.stdout, "and what it was"


@pytest.mark.slow
def test_the_bytes_of_the_wire_are_those_that_became_states_and_that_commands_became(recorded: Path) -> None:
    """Read by another's reader of ROS 2 messages, which knows the types from the file alone."""
    decoder = pytest.importorskip("mcap_ros2.decoder", reason="needs mcap-ros2-support")
    walking = [step.result for step in steps(recorded, ROBOT) if step.result.mode is Mode.ACTIVE][20:120]
    begin, end = (walking[at].state.stamp_ns + extra for at, extra in ((0, -100_000_000), (-1, 100_000_000)))
    with (recorded / "wire.mcap").open("rb") as stream:
        reader = make_reader(stream, decoder_factories=[decoder.DecoderFactory()])
        numbers: dict[str, list[int]] = {}
        for _, channel, message in reader.iter_messages():
            numbers.setdefault(channel.topic, []).append(message.sequence)
        told = [
            (channel.topic, each)
            for _, channel, _, each in reader.iter_decoded_messages(starting_at=begin, ending_at=end)
        ]
    assert set(numbers) == {"/lowstate", "/lowcmd"}
    assert all(each == list(range(1, len(each) + 1)) and len(each) > 1000 for each in numbers.values()), "none is lost"
    places = read_hardware(load_robot_spec("go2")).motors
    states = {tuple(each.motor_state[i].q for i in places) for topic, each in told if topic == "/lowstate"}
    commands = {tuple(each.motor_cmd[i].q for i in places) for topic, each in told if topic == "/lowcmd"}
    assert {tuple(cycle.state.joint_pos.tolist()) for cycle in walking} <= states
    assert {tuple(np.float32(cycle.safe.joint_pos).tolist()) for cycle in walking} <= commands


def test_the_node_refuses_what_is_wrong() -> None:
    done = run_to_end("sim2real.bridges.firmware_node", 9, "robot:=go1", "no_such_parameter:=1")
    assert done.returncode == 2
    assert "found no_such_parameter; valid: control" in done.stderr
