"""Two walking policies take turns at random moments of their strides, in simulation: who falls, and what jumps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mujoco")

from helpers.images import camera
from helpers.offline import CYCLE, SPEC
from helpers.seeing_walk import seeing_walk

from robot_policies.bundle.load import Bundle, load_bundle
from robot_policies.control.policy_step import PolicyStep
from robot_policies.control.robot_step import RobotStep
from robot_policies.control.switching import BLEND, SwitchingStep
from robot_policies.safety.limits import load_safety
from robot_policies.types import DepthImage, PolicyRecord, RobotRecord, RobotState
from sim2real.evaluation.offline import OfflineRun
from sim2real.evaluation.schedule import Event, Operator
from sim2real.mujoco.robot import MujocoOptions, MujocoRobot

SWITCHES = 200
BEFORE = 2.0  # [s] of walking before the first switch
FELL = 0.6  # [rad] of tilt, which walking never comes near


@dataclass
class Turns:
    """A robot that two policies walk, with a random command and a random wait at every switch."""

    step: SwitchingStep
    seed: int
    switches: int = SWITCHES
    cameras: Callable[[RobotState], Mapping[str, DepthImage]] | None = None
    records: list[PolicyRecord] = field(default_factory=list)
    clamped: list[str] = field(default_factory=list)
    tilt: float = 0.0
    made: int = 0

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)
        self.robot_step = RobotStep(SPEC, load_safety("go2", SPEC))
        robot = MujocoRobot(SPEC, MujocoOptions(clock="lockstep", seed=self.seed))
        self._operator, self._next_ns = Operator((0.6, 0.0, 0.0)), 0
        watch = [self._watch]
        self.run = OfflineRun(
            robot, self.robot_step, self.step, self, watch, [self.records.append], cameras=self.cameras
        )

    def due(self, record: RobotRecord, standing: bool) -> Sequence[Event]:
        events, now = list(self._operator.due(record, standing)), record.state.stamp_ns
        if self.robot_step.lease is not None:
            self._next_ns = self._next_ns or now + int(BEFORE * 1e9)
            if now >= self._next_ns and self.made < self.switches:
                self.made += 1
                self._next_ns = now + int(self.random.uniform(0.2, 0.7) * 1e9) // CYCLE * CYCLE
                forward, left, turn = self.random.uniform((-0.3, -0.3, -0.8), (0.8, 0.3, 0.8)).tolist()
                self._operator = Operator((forward, left, turn))
                self._operator._asked = ["activate"]  # it is long active
                events.append(Event(now, "switch", policy=self.step.next()))
        return events

    def _watch(self, record: RobotRecord) -> None:
        self.clamped += [name for name in record.clamps if name.startswith("target_rate")]
        if self.robot_step.lease is not None:
            _, x, y, _ = record.state.base_quat_wxyz
            self.tilt = max(self.tilt, float(np.arccos(1.0 - 2.0 * (x * x + y * y))))

    def go(self) -> None:
        """Run until a second after the last switch; every switch must have been granted."""
        while self.made < self.switches:
            self.run.cycle()
            assert not self.robot_step.trips, (self.made, self.robot_step.trips)
        for _ in range(200):
            self.run.cycle()
        assert self.run.refusals == []

    def rates(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the largest change of a target [rad] of every tick: of one policy's own, and within a hand-over."""
        targets = np.array([record.command.joint_pos for record in self.records])
        profiles = [record.command.gain_profile for record in self.records]
        changes = np.abs(np.diff(targets, axis=0)).max(axis=1)
        near = np.zeros(len(changes), dtype=bool)
        for tick in range(len(changes)):
            if profiles[tick + 1] != profiles[tick]:
                near[tick : tick + round(BLEND / 0.02)] = True
        return changes[~near], changes[near]


def check(turns: Turns) -> None:
    own, switched = turns.rates()
    share = f"{turns.made} switches, tilt {turns.tilt:.2f} rad, own {own.max():.2f}, switched {switched.max():.2f} rad"
    assert len(turns.records) > 4000 and len(switched) >= turns.made * 0.9, share
    assert turns.robot_step.trips == () and turns.tilt < FELL, share
    step = turns.robot_step.limits.target_rate * 0.02
    assert switched.max() < step.min() and turns.clamped == [], share
    assert switched.max() < 1.25 * own.max(), share  # no more than what walking itself asks for


@pytest.fixture(scope="module")
def sees(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return seeing_walk(tmp_path_factory.mktemp("made") / "sees", SPEC)


def pair(one: Bundle, other: Bundle, **options: float) -> SwitchingStep:
    return SwitchingStep(PolicyStep(one, SPEC), PolicyStep(other, SPEC), **options)


@pytest.mark.slow
def test_two_hundred_switches_between_a_policy_that_sees_and_its_companion(sees: Bundle) -> None:
    turns = Turns(pair(sees, load_bundle("go2_walk", SPEC)), seed=4, cameras=camera())
    turns.go()
    check(turns)
    assert {record.command.gain_profile.split("/")[0] for record in turns.records} == {"go2_sees", "go2_walk"}


@pytest.mark.slow
def test_two_hundred_switches_between_go2_parkour_and_go2_walk() -> None:
    """The shipped pair: other observations, histories and memories, and one that sees."""
    images = camera(name="depth", delay_ns=100_000_000)
    turns = Turns(pair(load_bundle("go2_parkour", SPEC), load_bundle("go2_walk", SPEC)), seed=5, cameras=images)
    turns.go()
    check(turns)
    assert {record.command.gain_profile.split("/")[0] for record in turns.records} == {"go2_parkour", "go2_walk"}


@pytest.mark.slow
@pytest.mark.torch
def test_two_hundred_switches_with_an_imported_policy(foreign_fixtures: Path, tmp_path: Path) -> None:
    """Other gains, another order of joints, another unit of the action, another history."""
    from robot_policies.bundle.importers.importer import Request, import_policy

    source = foreign_fixtures / "rl_sar" / "go2" / "robot_lab"
    foreign = import_policy(Request("rl_sar", source, tmp_path / "foreign", "go2")).bundle
    turns = Turns(pair(load_bundle("go2_walk", SPEC), foreign), seed=3)
    turns.go()
    check(turns)


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["companion", "stand"])
def test_a_camera_that_goes_and_comes_back_while_it_walks(lost: str, tmp_path: Path) -> None:
    """Out for 0.7 s of every 2.1 s, at other moments of the stride each time."""
    bundle = seeing_walk(tmp_path / "sees", SPEC, lost)
    companion = PolicyStep(load_bundle("go2_walk", SPEC), SPEC) if lost == "companion" else None
    step = SwitchingStep(PolicyStep(bundle, SPEC), companion)
    turns = Turns(step, seed=1, switches=0, cameras=camera(lambda stamp_ns: stamp_ns % 2_117_000_000 > 700_000_000))
    for _ in range(6400):
        turns.run.cycle()
    own, switched = turns.rates()
    who = [record.command.gain_profile.split("/")[0] for record in turns.records]
    changes = sum(one != other for one, other in zip(who, who[1:], strict=False))
    assert set(who) == {"go2_sees", "stand" if lost == "stand" else "go2_walk"} and changes >= 24
    assert turns.robot_step.trips == () and turns.tilt < FELL
    assert switched.max() < 1.25 * own.max()
