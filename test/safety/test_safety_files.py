"""The shipped safety files say what is written here, joint by joint."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import safety as kit

from robot_policies.exceptions import ResourceError, SchemaError
from robot_policies.robot_spec import load_robot_spec
from robot_policies.safety.landings import TRIPS, UNTRUSTWORTHY
from robot_policies.safety.limits import load_safety, per_joint
from robot_policies.types import Mode


def test_go2_limits_are_the_restated_ones() -> None:
    limits = load_safety(kit.GO2_FILE, kit.go2())
    for found, restated in (
        (limits.lower, kit.LOWER),
        (limits.upper, kit.UPPER),
        (limits.target_beyond, kit.BEYOND),
        (limits.target_soft, kit.SOFT),
        (limits.target_rate, kit.RATE),
        (limits.target_vel, kit.TARGET_VEL),
        (limits.torque, kit.TORQUE),
        (limits.max_stiffness, kit.MAX_STIFFNESS),
        (limits.max_damping, kit.MAX_DAMPING),
        (limits.joint_vel, kit.JOINT_VEL),
        (limits.joint_lower, kit.LOWER - kit.STRAY),
        (limits.joint_upper, kit.UPPER + kit.STRAY),
        (limits.stand_pose, kit.STAND),
        (limits.stand_stiffness, kit.STAND_STIFFNESS),
        (limits.stand_damping, kit.STAND_DAMPING),
        (limits.sit_pose, kit.SIT),
        (limits.damping, kit.DAMPING),
    ):
        np.testing.assert_array_equal(found, np.broadcast_to(restated, 12))
        assert not found.flags.writeable


def test_go2_scalars_are_the_restated_ones() -> None:
    limits = load_safety(kit.GO2_FILE, kit.go2())
    assert limits.clamp_cycles == kit.CLAMP_CYCLES
    assert limits.gain_ramp_ns == kit.GAIN_RAMP
    assert (limits.state_age_ns, limits.state_gap_ns) == (kit.STATE_AGE, kit.STATE_GAP)
    assert (limits.state_future_ns, limits.clock_step_ns) == (kit.FUTURE, kit.CLOCK_STEP)
    assert limits.frozen_ns == kit.FROZEN
    assert (limits.tilt, limits.tilt_ns) == (kit.TILT, kit.TILT_TIME)
    assert (limits.joint_vel_ns, limits.joint_pos_ns) == (kit.JOINT_VEL_TIME, kit.STRAY_TIME)
    assert (limits.command_ticks, limits.command_age_ns, limits.command_grace_ns) == (4.0, 80 * kit.MS, kit.GRACE)
    assert (limits.stand_speed, limits.stand_min_ns, limits.stand_tolerance) == (1.5, 1000 * kit.MS, kit.TOLERANCE)
    assert (limits.settle_speed, limits.settle_min_ns) == (10.0, 150 * kit.MS)
    assert (limits.sit_speed, limits.sit_min_ns) == (1.5, 1000 * kit.MS)
    assert limits.feet == 4
    assert limits.joint_names == kit.go2().joint_names
    assert limits.landings == kit.LANDINGS


def test_g1_limits_are_the_restated_ones() -> None:
    spec = load_robot_spec(kit.CONFIG / "robots" / "g1.yaml")
    limits = load_safety(kit.CONFIG / "safety" / "g1.yaml", spec)
    leg, arm = [88.0, 139.0, 88.0, 139.0, 50.0, 50.0], [25.0] * 5 + [5.0, 5.0]
    np.testing.assert_array_equal(limits.torque, leg + leg + [88.0, 50.0, 50.0] + arm + arm)
    np.testing.assert_array_equal(limits.torque, spec.effort_limit)
    leg, arm = [5.0] * 4 + [2.0, 2.0], [2.0] * 4 + [1.0] * 3
    np.testing.assert_array_equal(limits.damping, leg + leg + [5.0] * 3 + arm + arm)
    assert (limits.tilt, limits.tilt_ns) == (0.8, 100 * kit.MS)
    assert set(limits.target_beyond) == {0.5}
    assert limits.feet == 0
    assert {landing for (_, mode), landing in limits.landings.items() if mode is Mode.ACTIVE} == {"damping"}


def test_a_killed_policy_lands_within_100_ms() -> None:
    """Oldest command when the watchdog trips, plus the cycle until it looks, plus the cycle until it writes."""
    for robot in ("go2", "g1"):
        limits = load_safety(kit.CONFIG / "safety" / f"{robot}.yaml", load_robot_spec(robot))
        assert limits.command_age_ns + 2 * kit.CYCLE <= 100 * kit.MS


def test_the_trips_are_the_restated_ones() -> None:
    assert set(TRIPS) == set(kit.HARD + kit.SOFT_TRIPS)
    assert set(kit.HARD) == UNTRUSTWORTHY
    assert all(TRIPS.values())


def test_values_per_joint() -> None:
    names = ("FR_hip_joint", "FR_calf_joint")
    np.testing.assert_array_equal(per_joint(2.0, names, "x"), [2.0, 2.0])
    np.testing.assert_array_equal(per_joint({"*_calf_*": 1.0, "*_hip_*": 3.0}, names, "x"), [3.0, 1.0])
    with pytest.raises(
        SchemaError, match="x; found FR_calf_joint matches 0 patterns; valid: patterns of which exactly"
    ):
        per_joint({"*_hip_*": 3.0}, names, "x")
    with pytest.raises(SchemaError, match="FR_hip_joint matches 0"):
        per_joint({"*_HIP_*": 3.0, "*calf*": 1.0}, names, "x")  # names are case-sensitive


def test_shipped_names_are_found() -> None:
    assert load_safety("go2", kit.go2()).torque.tolist() == kit.TORQUE.tolist()
    with pytest.raises(ResourceError, match="no_such_robot"):
        load_safety("no_such_robot", kit.go2())


@pytest.mark.parametrize(("factor", "cycles"), [(1.0, 100), (2.5, 250), (0.5, 50), (0.014, 1), (1e-6, 1)])
def test_what_is_counted_in_cycles_lasts_as_long_at_another_rate(factor: float, cycles: int) -> None:
    limits = kit.go2_limits()
    changed_limits = limits.at_rate(factor)
    assert changed_limits.clamp_cycles == cycles
    assert changed_limits.torque is limits.torque
