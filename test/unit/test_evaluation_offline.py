"""When what acts: the offline loop on a robot without physics, cycle by cycle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.bundles import contract_of, make_bundle
from helpers.offline import COMMAND_X, CYCLE, SPEC, Kept, event, kept_run, nan_bundle

from robot_policies.bundle.load import Bundle
from robot_policies.types import DepthImage, Mode, RobotState, owned
from sim2real.evaluation.schedule import Operator

ARM, STAND = 20, 30  # cycles
ACTIVATE = 300  # after the ramp: from pose to pose takes the safety file's 1 s at least
UP = [event(ARM, "arm"), event(STAND, "stand")]
ACTIVE = [*UP, event(ACTIVATE, "activate")]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A small network with random weights, 50 Hz: every fourth cycle."""
    return make_bundle(tmp_path_factory.mktemp("bundles") / "tiny", SPEC)


@pytest.fixture(scope="module")
def active(bundle: Bundle) -> Kept:
    """A run of 400 cycles that becomes active after cycle 300."""
    return kept_run(bundle, ACTIVE).until(400)


def modes(kept: Kept, *cycles: int) -> list[Mode]:
    return [kept.record(cycle).mode for cycle in cycles]


def test_stamps_are_whole_cycles_and_every_record_is_seen_once(active: Kept) -> None:
    assert [record.state.stamp_ns for record in active.records] == [CYCLE * k for k in range(1, 401)]


def test_a_request_is_handled_after_the_cycle_of_its_stamp(active: Kept) -> None:
    assert modes(active, ARM, ARM + 1) == [Mode.DISARMED, Mode.DAMPING]
    assert modes(active, STAND, STAND + 1) == [Mode.DAMPING, Mode.STAND]
    assert modes(active, ACTIVATE, ACTIVATE + 1) == [Mode.STAND, Mode.ACTIVE]
    assert active.record(ARM).safe is None and active.record(ARM + 1).safe is not None


def test_a_request_between_two_stamps_waits_for_the_later(bundle: Bundle) -> None:
    kept = kept_run(bundle, [event(ARM, "arm", after_ns=1)]).until(ARM + 2)
    assert modes(kept, ARM, ARM + 1, ARM + 2) == [Mode.DISARMED, Mode.DISARMED, Mode.DAMPING]


def test_the_policy_is_due_at_the_first_state_after_activation_then_every_period(active: Kept) -> None:
    stamps = [step.inputs.state.stamp_ns // CYCLE for step in active.steps]
    assert stamps == list(range(ACTIVATE + 1, 401, 4))
    assert [step.tick for step in active.steps] == list(range(len(stamps)))


def test_a_command_acts_from_the_next_cycle_on_and_is_held(active: Kept) -> None:
    first, second = active.steps[:2]
    begin = ACTIVATE + 1
    assert active.record(begin).command is None
    for cycle in range(begin + 1, begin + 5):
        np.testing.assert_array_equal(active.record(cycle).command.joint_pos, first.command.joint_pos)
    np.testing.assert_array_equal(active.record(begin + 5).command.joint_pos, second.command.joint_pos)
    assert np.abs(first.command.joint_pos - second.command.joint_pos).max() > 1e-6


def test_the_robot_gets_the_safe_command_of_its_own_cycle(bundle: Bundle) -> None:
    kept, written = kept_run(bundle, ACTIVE), []
    plain_write = kept.robot.write
    kept.robot.write = lambda command: (written.append(command), plain_write(command))[1]
    kept.until(330)
    assert all(command is record.safe for command, record in zip(written, kept.records, strict=True))
    assert any(record.safe is not record.command for record in kept.records[ACTIVATE + 1 :])  # the gains are ramped
    for cycle in range(ACTIVATE, 330):
        safe, following = kept.record(cycle).safe, kept.record(cycle + 1).state
        np.testing.assert_array_equal(following.joint_pos, safe.joint_pos)  # the mock is there at once


def test_a_policy_step_reads_the_state_of_its_own_cycle(active: Kept) -> None:
    for step in active.steps:
        assert step.inputs.state is active.record(step.inputs.state.stamp_ns // CYCLE).state


def velocities(kept: Kept) -> dict[int, float | None]:
    """Return the forward command that each policy step was given, by cycle."""
    given = {step.inputs.state.stamp_ns // CYCLE: step.inputs.velocity_command for step in kept.steps}
    return {cycle: None if command is None else command.lin_vel_x for cycle, command in given.items()}


def test_a_velocity_command_takes_effect_at_the_first_tick_at_or_after_its_stamp(bundle: Bundle) -> None:
    schedule = [
        *ACTIVE,
        event(ACTIVATE - 1, "velocity_command", 0.1, 0.0, 0.0),  # forgotten at activation
        event(ACTIVATE + 5, "velocity_command", 0.2, 0.0, 0.0),  # on the stamp of a tick
        event(ACTIVATE + 9, "velocity_command", 0.3, 0.0, 0.0, after_ns=1),  # just after one
        event(ACTIVATE + 11, "velocity_command", 0.4, 0.0, 0.0),  # newer, before the same tick
    ]
    given = velocities(kept_run(bundle, schedule).until(ACTIVATE + 14))
    ticks = {1: None, 5: 0.2, 9: 0.2, 13: 0.4}
    assert given == {ACTIVATE + tick: value for tick, value in ticks.items()}


def test_an_old_velocity_command_counts_as_none(bundle: Bundle) -> None:
    """The bundle lets a command grow 0.5 s old and then takes zero; the observation scales it by 2."""
    sent = ACTIVATE + 1
    kept = kept_run(bundle, [*ACTIVE, event(sent, "velocity_command", 0.4, 0.0, 0.0)]).until(420)
    seen = {s.inputs.state.stamp_ns // CYCLE: float(s.observation.groups["policy"][COMMAND_X]) for s in kept.steps}
    for cycle, value in seen.items():
        assert value == pytest.approx(0.8 if (cycle - sent) * CYCLE <= 500_000_000 else 0.0)
    assert len(set(seen.values())) == 2


def test_nan_from_a_network_lands_at_once_and_the_robot_works_again_after_reset(tmp_path: Path) -> None:
    bad, again = ACTIVATE + 21, ACTIVATE + 40
    schedule = [
        *ACTIVE,
        event(bad - 1, "velocity_command", 1.0, 0.0, 0.0),
        event(again, "reset"),
        event(again + 1, "stand"),
        event(again + 402, "activate"),
    ]
    kept = kept_run(nan_bundle(tmp_path / "nan"), schedule).until(again + 420)
    assert modes(kept, bad, bad + 1) == [Mode.ACTIVE, Mode.LANDING]
    trip = kept.record(bad + 1).trips[0]
    assert (trip.name, trip.mode) == ("policy", Mode.ACTIVE)
    assert "finite" in trip.detail
    ticks = [step.inputs.state.stamp_ns // CYCLE for step in kept.steps]
    assert [cycle for cycle in ticks if cycle < again] == list(range(ACTIVATE + 1, bad, 4))
    for record in kept.records:
        assert record.safe is None or np.isfinite(record.safe.joint_pos).all()
    assert kept.record(again + 1).trips == ()
    assert kept.record(again + 420).mode is Mode.ACTIVE
    assert kept.steps[-1].tick == (420 - 403) // 4


def test_a_trip_of_the_robot_ends_the_policy(bundle: Bundle) -> None:
    kept = kept_run(bundle, [*ACTIVE, event(340, "estop")]).until(360)
    assert modes(kept, 340, 341) == [Mode.ACTIVE, Mode.LANDING]
    assert not kept.run.active
    assert kept.steps[-1].inputs.state.stamp_ns < 340 * CYCLE + 1


def test_deactivation_gives_the_lease_back_and_the_robot_stands(bundle: Bundle) -> None:
    kept = kept_run(bundle, [*ACTIVE, event(340, "deactivate")]).until(360)
    assert modes(kept, 340, 341, 360) == [Mode.ACTIVE, Mode.STAND, Mode.STAND]
    assert kept.record(360).trips == () and kept.robot_step.lease is None
    assert kept.steps[-1].inputs.state.stamp_ns <= 340 * CYCLE


def test_a_refused_activation_is_noted_and_nothing_steps(bundle: Bundle) -> None:
    kept = kept_run(bundle, [event(5, "activate"), event(6, "stand")]).until(20)
    assert [(stamp // CYCLE, asked) for stamp, asked, _ in kept.run.refusals] == [(5, "activate"), (6, "stand")]
    assert "stand" in kept.run.refusals[0][2]
    assert not kept.steps and not kept.run.active


def test_a_start_far_from_the_bundles_pose_is_refused(tmp_path: Path) -> None:
    limits = contract_of(SPEC)["limits"]
    index = SPEC.joint_index(contract_of(SPEC)["joints"]["names"])
    limits["start"] = {"joint_pos": SPEC.poses["sit"][index].tolist(), "tolerance": 0.1}
    kept = kept_run(make_bundle(tmp_path / "far", SPEC, limits=limits), ACTIVE).until(320)
    assert [asked for _, asked, _ in kept.run.refusals] == ["activate"]
    assert "start pose" in kept.run.refusals[0][2]
    assert kept.record(320).mode is Mode.STAND


def test_the_operator_activates_as_soon_as_the_robot_stands(bundle: Bundle) -> None:
    kept = kept_run(bundle, Operator((0.3, 0.1, -0.2))).until(600)
    first: dict[Mode, int] = {}
    for cycle, record in enumerate(kept.records, start=1):
        first.setdefault(record.mode, cycle)
    assert first[Mode.DAMPING] == 21  # 0.1 s, and one cycle
    assert first[Mode.STAND] == 22
    ramp = kept.robot_step.limits.stand_min_ns // CYCLE
    assert first[Mode.ACTIVE] == pytest.approx(22 + ramp, abs=2)
    assert set(velocities(kept).values()) == {0.3}
    ages = [s.inputs.state.stamp_ns - s.inputs.velocity_command.stamp_ns for s in kept.steps]
    assert 0 < max(ages) <= 100_000_000


class _Watcher:
    """A policy step that only notes which image it was given."""

    def __init__(self, inner: object) -> None:
        self._inner, self.seen = inner, {}

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def __call__(self, inputs: object) -> object:
        image = inputs.depth.get("front")
        self.seen[inputs.state.stamp_ns // CYCLE] = None if image is None else image.stamp_ns // CYCLE
        return self._inner(inputs)


def test_a_policy_sees_the_newest_image_that_has_come_out(bundle: Bundle) -> None:
    """A camera that captures every tenth cycle and takes three cycles to give the image out.

    The first tick reads the one from before the activation: it has a stamp, and the bundle limits its age.
    """

    def cameras(state: RobotState) -> dict[str, DepthImage]:
        captured = state.stamp_ns // CYCLE - 3
        return {"front": DepthImage(captured * CYCLE, owned([[1.0]], np.float32))} if captured % 10 == 0 else {}

    kept = kept_run(bundle, ACTIVE, cameras=cameras)
    watcher = kept.run._policy_step = _Watcher(kept.run._policy_step)
    kept.until(ACTIVATE + 30)
    ticks = {1: -10, 5: 0, 9: 0, 13: 10, 17: 10, 21: 10, 25: 20, 29: 20}
    wanted = {ACTIVATE + tick: ACTIVATE + image for tick, image in ticks.items()}
    assert watcher.seen == wanted
