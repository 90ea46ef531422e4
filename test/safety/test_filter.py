"""What the filter lets through, joint by joint, at and around every limit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from helpers import safety as kit
from helpers.filter_commands import LIMITS, NAMES, at, soft, torque_of
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from robot_policies.safety.filter import SafetyFilter
from robot_policies.types import Array, JointCommand, owned

STEP = owned(np.full(12, kit.RATE * 0.02))
EPS = 1e-6


def test_a_nominal_command_passes_as_the_same_object() -> None:
    filter_ = SafetyFilter(LIMITS)
    for command in (kit.command(), kit.command(joint_pos=owned(kit.STAND + 0.3)), soft(stiffness=0.0)):
        assert filter_(command, kit.state()) == (command, ())
        assert filter_(command, kit.state(), owned(kit.STAND), STEP)[0] is command
    assert not filter_.counts


@pytest.mark.parametrize("joint", range(12))
@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_position_away_from_the_limits(joint: int, side: float) -> None:
    """In the middle of the range a target may lie BEYOND the limit, and no further."""
    middle = (kit.LOWER + kit.UPPER) / 2
    limit = kit.UPPER[joint] + kit.BEYOND if side > 0 else kit.LOWER[joint] - kit.BEYOND
    state = kit.state(joint_pos=owned(middle))
    for extra, clamped in ((-1.0, False), (-EPS, False), (0.0, False), (EPS, True), (1e100, True)):
        command = soft(joint_pos=at(joint, limit + side * extra, middle))
        safe, clamps = SafetyFilter(LIMITS)(command, state)
        assert clamps == ((f"joint_pos {NAMES[joint]}",) if clamped else ())
        np.testing.assert_allclose(safe.joint_pos[joint], limit if clamped else limit + side * extra, atol=1e-12)
        assert np.array_equal(np.delete(safe.joint_pos, joint), np.delete(middle, joint))


@pytest.mark.parametrize("joint", range(12))
@pytest.mark.parametrize("side", [-1.0, 1.0])
@pytest.mark.parametrize(
    ("distance", "allowed"),
    [(0.2, 1.0), (0.1, 1.0), (0.075, 0.75), (0.05, 0.5), (0.01, 0.1), (0.0, 0.0), (-0.05, 0.0), (-1.0, 0.0)],
)
def test_position_near_a_limit(joint: int, side: float, distance: float, allowed: float) -> None:
    """The closer the measured joint is to its limit, the less may be asked beyond it; past it, nothing."""
    limit = kit.UPPER[joint] if side > 0 else kit.LOWER[joint]
    state = kit.state(joint_pos=at(joint, limit - side * distance))
    command = soft(joint_pos=at(joint, limit + side * 5.0))
    safe, clamps = SafetyFilter(LIMITS)(command, state)
    np.testing.assert_allclose(safe.joint_pos[joint], limit + side * allowed, atol=1e-9)
    assert clamps == (f"joint_pos {NAMES[joint]}",)


@pytest.mark.parametrize("joint", range(12))
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_target_velocity(joint: int, sign: float) -> None:
    limit = kit.TARGET_VEL[joint]
    zero = np.zeros(12)
    for value, clamped in ((0.5 * limit, False), (limit, False), (limit + EPS, True), (1e100, True)):
        command = soft(damping=0.01, joint_vel=at(joint, sign * value, zero))
        safe, clamps = SafetyFilter(LIMITS)(command, kit.state())
        assert clamps == ((f"joint_vel {NAMES[joint]}",) if clamped else ())
        assert safe.joint_vel[joint] == sign * min(value, limit)
        assert not np.delete(safe.joint_vel, joint).any()


@pytest.mark.parametrize("joint", range(12))
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_feed_forward_effort(joint: int, sign: float) -> None:
    limit = kit.TORQUE[joint]
    zero = np.zeros(12)
    for value, clamped in ((0.5 * limit, False), (limit, False), (limit + EPS, True), (1e100, True)):
        command = soft(joint_effort=at(joint, sign * value, zero))
        safe, clamps = SafetyFilter(LIMITS)(command, kit.state())
        assert clamps == ((f"joint_effort {NAMES[joint]}",) if clamped else ())
        assert safe.joint_effort[joint] == sign * min(value, limit)


@pytest.mark.parametrize("joint", range(12))
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_rate(joint: int, sign: float) -> None:
    """From one command to the next a target moves by RATE times the control period: 2.5 rad at 50 Hz, here 0.25."""
    base, step = owned(kit.STAND), owned(STEP / 10)
    for move, clamped in ((0.2, False), (0.25 - EPS, False), (0.25 + EPS, True), (0.3, True)):
        command = soft(joint_pos=at(joint, kit.STAND[joint] + sign * move))
        safe, clamps = SafetyFilter(LIMITS)(command, kit.state(), base, step)
        assert clamps == ((f"target_rate {NAMES[joint]}",) if clamped else ())
        np.testing.assert_allclose(safe.joint_pos[joint] - kit.STAND[joint], sign * min(move, 0.25), atol=1e-12)
    assert SafetyFilter(LIMITS)(command, kit.state(), None, step)[1] == ()
    assert SafetyFilter(LIMITS)(command, kit.state(), base, None)[1] == ()


def test_position_wins_over_rate() -> None:
    """A base outside the range, as after a fall, does not carry a target out of it."""
    base = owned(kit.UPPER + 3.0)
    command = soft(joint_pos=owned(kit.UPPER + 3.0))
    safe, clamps = SafetyFilter(LIMITS)(command, kit.state(joint_pos=owned(kit.UPPER)), base, STEP)
    np.testing.assert_array_equal(safe.joint_pos, kit.UPPER)
    assert clamps == tuple(f"joint_pos {name}" for name in NAMES)


def test_what_is_not_limited_stays() -> None:
    command = soft(joint_pos=owned(kit.STAND + 9.0))
    safe, _ = SafetyFilter(LIMITS)(dataclasses.replace(command, stamp_ns=77), kit.state())
    assert (safe.stamp_ns, safe.gain_profile) == (77, command.gain_profile)
    assert safe.stiffness is command.stiffness
    assert safe.damping is command.damping


def test_the_command_is_never_written_to_and_the_safe_one_is_its_own() -> None:
    pos, effort = np.array(kit.STAND + 9.0), np.full(12, 99.0)
    command = soft(joint_pos=pos, joint_effort=effort)
    safe, _ = SafetyFilter(LIMITS)(command, kit.state())
    assert np.array_equal(pos, kit.STAND + 9.0)
    assert set(effort) == {99.0}
    for values in (safe.joint_pos, safe.joint_vel, safe.joint_effort):
        assert not values.flags.writeable
    pos[:] = 0.0
    assert not np.array_equal(safe.joint_pos, pos)


def test_clamps_are_counted_by_name() -> None:
    filter_ = SafetyFilter(LIMITS)
    wild = soft(joint_pos=at(3, 50.0), joint_vel=at(5, 99.0, np.zeros(12)))
    for _ in range(7):
        filter_(wild, kit.state())
        filter_(kit.command(), kit.state())
    assert filter_.counts == {"joint_pos FL_hip_joint": 7, "joint_vel FL_calf_joint": 7}


def test_clamping_on_end() -> None:
    filter_ = SafetyFilter(LIMITS)
    wild, tame = soft(joint_pos=at(3, 50.0)), soft()
    for _ in range(kit.CLAMP_CYCLES - 1):
        filter_(wild, kit.state())
        assert filter_.clamped_for_long() is None
    filter_(tame, kit.state())  # a break: counting begins anew
    for _ in range(kit.CLAMP_CYCLES - 1):
        filter_(wild, kit.state())
    assert filter_.clamped_for_long() is None
    filter_(wild, kit.state())
    assert filter_.clamped_for_long() == "FL_hip_joint clamped for 100 cycles on end"
    filter_.reset()
    assert filter_.clamped_for_long() is None
    for _ in range(kit.CLAMP_CYCLES - 1):
        filter_(wild, kit.state())
        assert filter_.clamped_for_long() is None


def test_clamping_is_counted_joint_by_joint_whatever_the_kind() -> None:
    filter_ = SafetyFilter(LIMITS)
    one, other = soft(joint_pos=at(3, 50.0)), soft(joint_pos=at(4, 50.0))
    for _ in range(kit.CLAMP_CYCLES):
        filter_(one, kit.state())
        filter_(other, kit.state())
    assert filter_.clamped_for_long() is None  # two joints take turns
    for _ in range(kit.CLAMP_CYCLES - 1):
        filter_(one, kit.state())
        assert filter_.clamped_for_long() is None  # nothing is left from before
    kinds = (one, soft(joint_effort=at(3, 50.0, np.zeros(12))))
    for k in range(kit.CLAMP_CYCLES):
        filter_(kinds[k % 2], kit.state())
    assert filter_.clamped_for_long() == "FL_hip_joint clamped for 100 cycles on end"
    both = soft(joint_pos=kit.poisoned(at(3, 50.0), 4, 50.0))
    for _ in range(kit.CLAMP_CYCLES):
        filter_(both, kit.state())
    assert filter_.clamped_for_long() == "FL_hip_joint, FL_thigh_joint clamped for 100 cycles on end"


def wide(limit: float) -> st.SearchStrategy[Array]:
    edges = st.sampled_from([0.0, limit, -limit, 1e150, -1e150])
    return arrays(np.float64, 12, elements=st.floats(-2 * limit, 2 * limit) | edges)


positive = arrays(np.float64, 12, elements=st.floats(0.0, 120.0) | st.just(0.0))


@settings(max_examples=150, deadline=None)
@given(wide(6.0), wide(40.0), wide(60.0), positive, positive, wide(3.0), wide(40.0), wide(3.0))
def test_whatever_comes_in_what_goes_out_is_safe(
    pos: Array,
    vel: Array,
    effort: Array,
    stiffness: Array,
    damping: Array,
    joint_pos: Array,
    joint_vel: Array,
    base: Array,
) -> None:
    """Any finite command, state and base: finite, within every limit, and unchanged where the names say so."""
    command = JointCommand(3, pos, vel, effort, stiffness, damping / 20.0, "any")
    state = kit.state(joint_pos=owned(np.clip(joint_pos, -10, 10)), joint_vel=owned(np.clip(joint_vel, -99, 99)))
    safe, clamps = SafetyFilter(LIMITS)(command, state, np.clip(base, -6, 6), STEP)
    assert np.isfinite(np.concatenate([safe.joint_pos, safe.joint_vel, safe.joint_effort])).all()
    assert (safe.joint_pos <= kit.UPPER + kit.BEYOND).all()
    assert (safe.joint_pos >= kit.LOWER - kit.BEYOND).all()
    at_upper, at_lower = state.joint_pos >= kit.UPPER, state.joint_pos <= kit.LOWER
    assert (safe.joint_pos[at_upper] <= kit.UPPER[at_upper]).all()
    assert (safe.joint_pos[at_lower] >= kit.LOWER[at_lower]).all()
    assert (np.abs(safe.joint_vel) <= kit.TARGET_VEL).all()
    assert (np.abs(torque_of(safe, state)) <= kit.TORQUE + 1e-6).all()
    named = {name.split(" ")[1] for name in clamps}
    for j, name in enumerate(NAMES):
        same = all(getattr(safe, f)[j] == getattr(command, f)[j] for f in ("joint_pos", "joint_vel", "joint_effort"))
        assert same or name in named


@settings(max_examples=60, deadline=None)
@given(arrays(np.float64, 12, elements=st.floats(-1.0, 1.0)), arrays(np.float64, 12, elements=st.floats(-10.0, 10.0)))
def test_what_policies_do_in_every_stride_passes_unchanged(offset: Array, joint_vel: Array) -> None:
    """Targets within 1 rad of the stand at 20 N m/rad and moving joints: as asked, to the last bit."""
    command = kit.command(joint_pos=owned(kit.STAND + 0.9 * offset))
    state = kit.state(joint_vel=owned(joint_vel))
    assert SafetyFilter(LIMITS)(command, state, owned(kit.STAND - 0.9 * offset), STEP) == (command, ())


@pytest.mark.parametrize(("base", "step"), [(kit.STAND, None), (None, STEP)])
def test_without_a_base_or_a_step_only_the_rate_is_free(base: Array | None, step: Array | None) -> None:
    command = soft(joint_pos=at(4, 3.0), joint_vel=at(5, 99.0, np.zeros(12)))
    safe, clamps = SafetyFilter(LIMITS)(command, kit.state(), base, step)
    assert clamps == (f"joint_vel {NAMES[5]}",)
    assert safe.joint_pos[4] == 3.0
