"""What the filter makes of a command that would ask for more torque than a joint may give."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from helpers import safety as kit
from helpers.filter_commands import LIMITS, NAMES, at, torque_of

from robot_policies.safety.filter import ROUNDING, SafetyFilter


@pytest.mark.parametrize("joint", range(12))
@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("velocity", [0.0, 7.0, -7.0])
def test_torque_moves_the_target_until_it_fits(joint: int, sign: float, velocity: float) -> None:
    stiffness, damping = 100.0, 1.0
    state = kit.state(joint_vel=at(joint, velocity, np.zeros(12)))
    for share, clamped in ((0.9, False), (1 - 1e-9, False), (1 + 1e-6, True), (1.5, True)):
        torque = sign * share * kit.TORQUE[joint]
        target = kit.STAND[joint] + (torque + damping * velocity) / stiffness
        command = kit.command(0, kit.profile(stiffness=stiffness, damping=damping), joint_pos=at(joint, target))
        safe, clamps = SafetyFilter(LIMITS)(command, state)
        assert clamps == ((f"torque {NAMES[joint]}",) if clamped else ())
        wanted = sign * min(share, 1.0) * kit.TORQUE[joint]
        np.testing.assert_allclose(torque_of(safe, state)[joint], wanted, rtol=1e-6)
        assert not safe.joint_effort.any()  # the target alone made it fit
        assert np.array_equal(np.delete(safe.joint_pos, joint), np.delete(kit.STAND, joint))


def test_torque_that_the_target_cannot_take_comes_off_the_effort() -> None:
    """The joint flies inward so fast that damping alone is over the limit, and the target is at its end already."""
    vel = at(2, -30.0, np.zeros(12))
    state = kit.state(joint_pos=at(2, -1.0), joint_vel=vel)
    command = kit.command(0, kit.profile(stiffness=1.0, damping=2.0), joint_pos=at(2, -1.0))
    safe, clamps = SafetyFilter(LIMITS)(command, state)
    assert clamps == (f"torque {NAMES[2]}",)
    assert safe.joint_pos[2] == kit.LOWER[2] - kit.BEYOND
    np.testing.assert_allclose(torque_of(safe, state)[2], kit.TORQUE[2], rtol=1e-9)
    assert safe.joint_effort[2] < 0.0
    assert not np.delete(safe.joint_effort, 2).any()


@pytest.mark.parametrize("joint", range(12))
def test_torque_without_stiffness_comes_off_the_effort(joint: int) -> None:
    """No division by a stiffness of zero; the target of such a joint stays what was asked."""
    speed = at(joint, 20.0, np.zeros(12))
    command = kit.command(0, kit.profile(stiffness=0.0, damping=5.0))
    safe, clamps = SafetyFilter(LIMITS)(command, kit.state(joint_vel=speed))
    assert clamps == (f"torque {NAMES[joint]}",)
    np.testing.assert_array_equal(safe.joint_pos, kit.STAND)
    np.testing.assert_allclose(safe.joint_effort[joint], 100.0 - kit.TORQUE[joint])
    np.testing.assert_allclose(torque_of(safe, kit.state(joint_vel=speed))[joint], -kit.TORQUE[joint])
    assert not np.delete(safe.joint_effort, joint).any()


def test_only_the_joint_over_its_torque_is_moved() -> None:
    stiffness = at(0, 0.0, np.full(12, 20.0))  # one joint without stiffness beside one that is over
    command = kit.command(joint_pos=at(4, 3.4), stiffness=stiffness, joint_effort=at(7, 3.0, np.zeros(12)))
    safe, clamps = SafetyFilter(LIMITS)(command, kit.state())
    assert clamps == (f"torque {NAMES[4]}",)
    np.testing.assert_allclose(safe.joint_pos[4], 0.8 + kit.TORQUE[4] / 20.0)
    assert np.array_equal(np.delete(safe.joint_pos, 4), np.delete(kit.STAND, 4))
    assert safe.joint_effort.tolist() == command.joint_effort.tolist()


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_target_and_effort_add_up(sign: float) -> None:
    """Each within the torque limit, and together over it."""
    state = kit.state()
    command = kit.command(
        0,
        kit.profile(stiffness=20.0),
        joint_pos=at(4, kit.STAND[4] + sign * 0.8),
        joint_effort=at(4, sign * 16.0, np.zeros(12)),
    )
    safe, clamps = SafetyFilter(LIMITS)(command, state)
    assert clamps == (f"torque {NAMES[4]}",)
    np.testing.assert_allclose(torque_of(safe, state)[4], sign * kit.TORQUE[4])
    against = dataclasses.replace(command, joint_effort=at(4, -sign * 16.0, np.zeros(12)))
    assert SafetyFilter(LIMITS)(against, state) == (against, ())


def test_a_torque_over_the_limit_by_rounding_is_within_it() -> None:
    """A stiffness of 32 keeps every bit: the torque is the limit plus what counts as rounding, exactly."""
    edge = kit.TORQUE[4] + ROUNDING
    state = kit.state(joint_pos=at(4, 0.0))
    command = kit.command(0, kit.profile(stiffness=32.0, damping=0.0), joint_pos=at(4, edge / 32.0))
    assert SafetyFilter(LIMITS)(command, state) == (command, ())
    beside = dataclasses.replace(command, joint_vel=at(0, 99.0, np.zeros(12)))
    assert SafetyFilter(LIMITS)(beside, state)[1] == (f"joint_vel {NAMES[0]}",)
    over = dataclasses.replace(command, joint_pos=at(4, np.nextafter(edge, 99.0) / 32.0))
    assert SafetyFilter(LIMITS)(over, state)[1] == (f"torque {NAMES[4]}",)


@pytest.mark.filterwarnings("error")
def test_a_tiny_stiffness_is_no_overflow() -> None:
    speed = at(4, 30.0, np.zeros(12))
    command = kit.command(0, kit.profile(stiffness=1e-308, damping=5.0))
    safe, clamps = SafetyFilter(LIMITS)(command, kit.state(joint_vel=speed))
    assert clamps == (f"torque {NAMES[4]}",)
    assert np.isfinite(safe.joint_pos).all()
    np.testing.assert_allclose(torque_of(safe, kit.state(joint_vel=speed))[4], -kit.TORQUE[4])
