"""Every fault of a robot, made to happen by a robot of another package, and seen on the topics of real processes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("mujoco")

from helpers.distribution import install_robot
from helpers.stack import Stack

# Wraps the simulated robot; the fault begins when the marker file appears, and ends when it is gone.
MODULE = """
import dataclasses, os, time
import numpy as np
from robot_policies.exceptions import RobotError
from sim2real.mujoco.robot import create as simulated


class Faulty:
    def __init__(self, inner, fault):
        self.inner, self.spec, self.fault = inner, inner.spec, fault
        self.last = None

    def now_ns(self):
        return self.inner.now_ns()

    def read(self, wait):
        state = self.inner.read(wait)
        if not os.path.exists(os.environ["FAULT_MARKER"]):
            self.last = state
            return state
        change = getattr(self, "_" + self.fault, lambda state: state)
        return change(state)

    def _nan_joint(self, state):
        joint_pos = state.joint_pos.copy()
        joint_pos[3] = np.nan
        return dataclasses.replace(state, joint_pos=joint_pos)

    def _nan_gyro(self, state):
        return dataclasses.replace(state, base_ang_vel=np.array([0.0, np.inf, 0.0]))

    def _no_rotation(self, state):
        return dataclasses.replace(state, base_quat_wxyz=np.zeros(4))

    def _frozen(self, state):
        return self.last

    def _frozen_values(self, state):
        return dataclasses.replace(self.last, stamp_ns=state.stamp_ns)

    def _old(self, state):
        return dataclasses.replace(state, stamp_ns=state.stamp_ns - 500_000_000)

    def _future(self, state):
        return dataclasses.replace(state, stamp_ns=state.stamp_ns + 500_000_000)

    def _upside_down(self, state):
        return dataclasses.replace(state, base_quat_wxyz=np.array([0.0, 1.0, 0.0, 0.0]))

    def _joint_runs_away(self, state):
        joint_vel = state.joint_vel.copy()
        joint_vel[5] = 80.0
        return dataclasses.replace(state, joint_vel=joint_vel)

    def _joint_beyond(self, state):
        joint_pos = state.joint_pos.copy()
        joint_pos[2] = -3.5
        return dataclasses.replace(state, joint_pos=joint_pos)

    def _silent(self, state):
        time.sleep(0.3)
        return state

    def _unreadable(self, state):
        raise RobotError("the cable is unplugged")

    def write(self, command):
        if self.fault == "unwritable" and os.path.exists(os.environ["FAULT_MARKER"]):
            raise RobotError("the motors' bus is gone")
        return self.inner.write(command)

    def close(self):
        self.inner.close()


def create(spec, options):
    options = dict(options)
    fault = options.pop("fault")
    return Faulty(simulated(spec, options), fault)
"""
TRIPS = {  # fault: any of these trips
    "nan_joint": {"state_invalid"},
    "nan_gyro": {"state_invalid"},
    "no_rotation": {"state_invalid"},
    "frozen_values": {"state_frozen"},
    "frozen": {"state_age", "clock", "state_gap"},
    "old": {"state_age", "clock"},
    "future": {"state_age", "clock"},
    "upside_down": {"tilt"},
    "joint_runs_away": {"joint_vel"},
    "joint_beyond": {"joint_pos"},
    "silent": {"state_gap", "state_age"},
}


@pytest.fixture
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the faulty robot as another distribution on the path, as a user adds a robot."""
    install_robot(monkeypatch, tmp_path, "faulty", MODULE)
    monkeypatch.setenv("FAULT_MARKER", str(tmp_path / "fault"))
    return tmp_path / "fault"


@pytest.mark.slow
@pytest.mark.parametrize("fault", sorted(TRIPS))
def test_the_fault_ends_in_damping_says_why_and_can_be_reset(marker: Path, fault: str) -> None:
    with Stack("backend:=faulty", f"options.fault:={fault}") as stack:
        stack.stand()
        marker.touch()
        told = stack.until("mode", "landing:damping", limit=5.0)
        names = {trip["name"] for trip in told["trips"]}
        assert names & TRIPS[fault], told["trips"]
        assert told["level"] == b"\x02" and any(name in told["message"] for name in TRIPS[fault])
        assert stack.probe.until(lambda: stack.sent[-1][1].header.frame_id == "damping", 0.5)
        refused = stack.ask("reset")
        assert not refused.success or fault == "silent"  # the cause is still there
        marker.unlink()
        assert stack.probe.until(lambda: stack.ask("reset").success, 5.0)
        assert stack.ask("stand").success
        stack.until("ready", True)


def test_an_unreadable_robot_is_landed_and_then_given_up(marker: Path) -> None:
    with Stack("backend:=faulty", "options.fault:=unreadable") as stack:
        stack.stand()
        marker.touch()
        assert stack.probe.until(lambda: stack.robot.poll() is not None, 10.0)
        assert stack.robot.returncode == 2
        assert stack.robot.stderr is not None and "unplugged" in stack.robot.stderr.read()
        assert stack.sent[-1][1].header.frame_id == "damping"


def test_a_robot_that_takes_no_command_trips_and_is_then_given_up_in_one_line(marker: Path) -> None:
    """Its motors' own time-out has it by then; nothing that this node could do would reach them."""
    with Stack("backend:=faulty", "options.fault:=unwritable") as stack:
        assert stack.probe.until(lambda: stack.values().get("cycles") and stack.ask("arm").success, 20.0)
        stack.until("mode", "damping")
        marker.touch()
        begun = time.monotonic()
        assert stack.probe.until(lambda: stack.robot.poll() is not None, 10.0)
        assert time.monotonic() - begun > 0.9  # it tries again meanwhile
        assert stack.robot.returncode == 2 and "robot" in stack.values()["latched"]
        assert stack.modes[-1][1].data == "landing:damping"
        assert stack.robot.stderr is not None
        told = [line for line in stack.robot.stderr.read().splitlines() if line.startswith("error: ")]
        assert told == ["error: the robot is given up after 1 s: the motors' bus is gone"]
