"""The robot node with the Unitree driver, in processes of their own, against a peer of the SDK's own classes."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("cyclonedds", reason="needs cyclonedds and unitree-sdk2py-dimos (robot_policies[unitree])")

from helpers.node_process import ROOT, environment, free_domain, run_to_end
from helpers.stack import ROBOT, Stack
from helpers.unitree_peer import SIT, PeerProcess
from sensor_msgs.msg import BatteryState, Joy

BUTTON_B = [0x55, 0x51, 0, 2] + [0] * 36  # the remote with its east button held
NO_BUTTON = [0x55, 0x51, 0, 0] + [0] * 36


def dds_domain() -> int:
    return random.SystemRandom().randint(110, 220)  # beyond those of ROS tests


@contextmanager
def stage(armed: bool = True, **settings: Any) -> Iterator[tuple[Stack, PeerProcess]]:
    """A robot that follows and lies still, with its robot node."""
    domain = dds_domain()
    options = {"interface": "lo", "domain": domain, "armed": str(armed).lower()}
    parameters = ["backend:=unitree", *(f"options.{name}:={value}" for name, value in options.items())]
    with PeerProcess(domain, follows=True, joint_pos=SIT, **settings) as peer, Stack(*parameters) as stack:
        yield stack, peer


def until(stack: Stack, what: Any, limit: float = 20.0) -> dict[str, Any]:
    """Wait until the robot node's diagnostics satisfy ``what``; return them."""
    assert stack.probe.until(lambda: what(stack.values()), limit), stack.values()
    return stack.values()


def standing(stack: Stack) -> None:
    until(stack, lambda told: told.get("hardware", {}).get("taking_control") == "")
    assert stack.ask("arm").success
    assert stack.ask("stand").success
    until(stack, lambda told: told.get("ready"))


@pytest.mark.slow
def test_control_first_then_arm_and_the_remote_stops_it() -> None:
    with stage(mode="normal", obeys=True, remote=NO_BUTTON, answers=False) as (stack, peer):
        batteries, joys = stack.probe.hear(BatteryState, "battery"), stack.probe.hear(Joy, "joy")
        until(stack, lambda told: "no answer" in told.get("hardware", {}).get("taking_control", ""))
        reply = stack.ask("arm")
        assert not reply.success
        assert (
            "arm: a healthy state; found rival: not known: motion_switcher says no answer within 1 s" in reply.message
        )
        assert peer.set(answers=True)["commands"] == 0  # nothing while disarmed
        standing(stack)
        got = peer.got()
        assert got["first_at"]["mode"] == ""
        assert got["bad"] == 0
        assert batteries[-1][1].percentage == pytest.approx(0.8)
        assert len(joys[-1][1].axes) == 6
        peer.set(remote=BUTTON_B)
        told = until(stack, lambda told: told.get("mode") == "landing:damping")
        assert told["latched"] == ["estop"]
        stack.probe.spin(0.3)
        last = peer.got()["last"]
        assert set(last["kp"][:12]) == {0.0}
        assert set(last["kd"][:12]) == {3.0}


FAULTS: list[tuple[str, Any, Any, str, str]] = [  # setting of the peer, its value, the healthy one, trip, what is said
    ("rival_sends", True, False, "rival", "commands "),  # its first message, or its writer, whatever is seen first
    ("rival_writer", True, False, "rival", "a writer of commands that allowed_writers does not name: 127.0.0.1 "),
    ("mode", "ai", "", "rival", "the built-in controller 'ai' was selected again"),
    ("temperature", 120, 35, "motor_temperature", "FR_hip_joint 120 deg C"),
    ("lost", 4000, 4000, "motor_lost", "FR_hip_joint: 4000 packets in 0.5 s"),
    ("error", 3, 0, "motor_error", "error codes: FR_hip_joint 3, FR_thigh_joint 3"),
    ("soc", 4, 80, "battery", "4% left; limit 10%"),
    ("frozen", True, False, "robot", "not newer than that of the last state"),
    ("imu_frozen", True, False, "state_frozen", "the IMU repeats one reading bit for bit; limit 0.1 s"),
    ("bad_crc", True, False, "robot", "LowState: its checksum"),
    ("publish", False, True, "robot", "no new rt/lowstate for 50 ms"),
]


@pytest.mark.slow
def test_what_only_hardware_does_trips_and_is_said_and_goes_with_reset() -> None:
    """In damping, one after the other; each is gone again before the node gives up the robot."""
    with stage(mode="") as (stack, peer):
        until(stack, lambda told: told.get("hardware", {}).get("taking_control") == "")
        assert stack.ask("arm").success
        for setting, value, healthy, trip, said in FAULTS:
            peer.set(**{setting: value})
            told = until(stack, lambda told, trip=trip: trip in told.get("latched", []), 15.0)
            peer.set(**{setting: healthy})
            details = [entry["detail"] for entry in told["trips"] if entry["name"] == trip]
            assert said in " ".join(details)
            assert told["mode"] == "landing:damping"
            assert stack.probe.until(lambda: stack.ask("reset").success, 10.0), stack.values()
            until(stack, lambda told: told.get("mode") == "damping" and not told["latched"])
        assert stack.robot.poll() is None


def test_a_dry_run_says_so_and_commands_nothing() -> None:
    with stage(armed=False, mode="normal", rival_writer=True) as (stack, peer):
        sent = stack.sent
        assert stack.probe.until(lambda: "hardware" in stack.values(), 20.0)
        assert stack.ask("arm").success
        assert stack.probe.until(lambda: len(sent) > 50, 10.0)
        said = until(stack, lambda told: told.get("mode") == "damping")
        assert said["hardware"]["dry_run"] is True
        assert said["message"].startswith("DRY RUN, damping")
        got = peer.got()
        assert (got["commands"], got["bad"], got["calls"]) == (0, 0, [])
        assert got["mirror"] > 20


@pytest.mark.slow
def test_a_dry_run_as_a_user_starts_it(tmp_path: Path) -> None:
    """The robot stands under its own controller meanwhile; the armed run is the demo over the wire."""
    domain, report = dds_domain(), tmp_path / "report.json"
    words = ["--robot", "go2", "--backend", "unitree", "--set", "interface=lo", "--set", f"domain={domain}"]
    line = [sys.executable, "-m", "robot_policies.cli", "run", *words, "--headless", "--seconds", "1"]
    with PeerProcess(domain) as peer:
        done = subprocess.run(
            [*line, "--velocity", "0.3,0,0", "--json", str(report)],
            env=environment(free_domain()), cwd=ROOT, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        got = peer.got()
    told = json.loads(report.read_text())
    modes = [entry["mode"] for entry in told["modes"]]
    assert modes[0] == "disarmed" and "active" in modes[2:], done.stderr
    assert (got["commands"], got["bad"], got["calls"]) == (0, 0, [])
    assert got["mirror"] > 500


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["options.interface:=eth77"], "found no 'eth77' on this machine; valid: lo (127.0.0.1)"),
        ([], "interface: the network interface that the robot is on (interface:=NAME); found none given; valid: lo"),
        (["options.interface:=lo", "options.domain:=231"], "domain: Input should be less than or equal to 230"),
        (["options.interface:=lo", "robot:=g1"], "robot g1: hardware.unitree: a section of the robot file; found"),
        (
            ["options.interface:=lo", "options.timeout:=0.5", "options.domain:=229"],
            "found no other participant; valid:",
        ),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_code_2(options: list[str], said: str) -> None:
    done = run_to_end(ROBOT, free_domain(), "backend:=unitree", *options, timeout=40.0)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert said in line


@pytest.mark.slow
def test_a_robot_that_is_switched_off_ends_the_node_after_damping() -> None:
    with stage(mode="") as (stack, peer):
        standing(stack)
        peer.set(publish=False)
        begun = time.monotonic()
        assert stack.probe.until(lambda: stack.robot.poll() is not None, 15.0)
        assert 0.9 < time.monotonic() - begun < 10.0
        assert stack.robot.returncode == 2
        got = peer.got()
        assert set(got["last"]["kp"][:12]) == {0.0}  # damping until then, without a state
