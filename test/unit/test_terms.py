"""Observation terms against definitions written another way."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers.bundles import standing
from hypothesis import given
from hypothesis import strategies as st

from robot_policies.exceptions import InputError
from robot_policies.observation.terms import TERMS, TermContext, TermSetup
from robot_policies.robot_spec import load_robot_spec
from robot_policies.types import HeightScan, PolicyInputs, VelocityCommand, owned

SPEC = load_robot_spec("go2")
INDEX = np.array([3, 4, 5, 0, 1, 2, 9, 10, 11, 6, 7, 8], dtype=np.intp)  # FL, FR, RL, RR, as simulators enumerate
DEFAULT = owned(np.linspace(-0.5, 0.5, 12))


def setup(**params: object) -> TermSetup:
    feet = params.get("feet", [])
    index = np.array([SPEC.feet.index(foot) for foot in feet], dtype=np.intp)
    return TermSetup(0.02, INDEX, DEFAULT, SPEC.feet, params, index)


PLAIN = setup()


def value(name: str, tick: int = 0, setup: TermSetup = PLAIN, command: object = None, **changes: object) -> np.ndarray:
    inputs = PolicyInputs(standing(SPEC, **changes), command)  # type: ignore[arg-type]
    return np.asarray(TERMS[name].function(TermContext(inputs, tick, owned(np.arange(12), np.float32)), setup))


def rotation(quat: np.ndarray) -> np.ndarray:
    """Base to world, from the vector form v' = v + 2 w (u x v) + 2 u x (u x v), column by column."""
    w, u = quat[0], quat[1:]
    return np.stack([v + 2 * w * np.cross(u, v) + 2 * np.cross(u, np.cross(u, v)) for v in np.eye(3)], axis=1)


quaternions = (
    st.lists(st.floats(-1.0, 1.0), min_size=4, max_size=4)
    .map(np.array)
    .filter(lambda quat: np.linalg.norm(quat) > 0.1)
    .map(lambda quat: quat / np.linalg.norm(quat))
)


@given(quaternions)
def test_projected_gravity_is_down_turned_into_the_base(quat: np.ndarray) -> None:
    expected = rotation(quat).T @ np.array([0.0, 0.0, -1.0])
    np.testing.assert_allclose(value("projected_gravity", base_quat_wxyz=quat), expected, atol=1e-12)


def test_projected_gravity_of_an_upright_robot_points_down() -> None:
    np.testing.assert_array_equal(value("projected_gravity"), [0.0, 0.0, -1.0])


@given(st.floats(-3.1, 3.1), st.floats(-1.5, 1.5), st.floats(-3.1, 3.1))
def test_roll_and_pitch_come_back(roll: float, pitch: float, yaw: float) -> None:
    cr, sr, cp, sp, cy, sy = (f(a / 2) for a in (roll, pitch, yaw) for f in (math.cos, math.sin))
    quat = [
        cr * cp * cy + sr * sp * sy,
        sr * cp * cy - cr * sp * sy,
        cr * sp * cy + sr * cp * sy,
        cr * cp * sy - sr * sp * cy,
    ]
    np.testing.assert_allclose(value("base_roll_pitch", base_quat_wxyz=quat), [roll, pitch], atol=1e-6)


def test_pitch_is_finite_where_rounding_leaves_the_unit_sphere() -> None:
    quat = np.array([math.sqrt(0.5), 0.0, math.sqrt(0.5) * (1 + 1e-12), 0.0])
    assert value("base_roll_pitch", base_quat_wxyz=quat)[1] == pytest.approx(math.pi / 2)


def test_joint_terms_are_in_the_order_of_the_bundle() -> None:
    pos, vel = np.arange(12.0), np.arange(12.0) * 10
    order = [3, 4, 5, 0, 1, 2, 9, 10, 11, 6, 7, 8]
    np.testing.assert_array_equal(value("joint_pos", joint_pos=pos), order)
    np.testing.assert_array_equal(value("joint_vel", joint_vel=vel), np.array(order) * 10.0)
    np.testing.assert_allclose(value("joint_pos_rel", joint_pos=pos), np.array(order) - DEFAULT)


def test_joint_pos_rel_leaves_the_state_alone() -> None:
    state = standing(SPEC)
    before = state.joint_pos.copy()
    TERMS["joint_pos_rel"].function(TermContext(PolicyInputs(state), 0, owned(np.zeros(12), np.float32)), setup())
    np.testing.assert_array_equal(state.joint_pos, before)


def test_what_is_measured_is_given_on() -> None:
    np.testing.assert_array_equal(value("base_ang_vel", base_ang_vel=[1.0, 2.0, 3.0]), [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(value("base_lin_vel", base_lin_vel=[4.0, 5.0, 6.0]), [4.0, 5.0, 6.0])
    np.testing.assert_array_equal(value("last_action"), np.arange(12))
    np.testing.assert_array_equal(value("velocity_command", command=VelocityCommand(0, 0.1, 0.2, 0.3)), [0.1, 0.2, 0.3])


def test_base_lin_vel_without_an_estimator_says_so() -> None:
    with pytest.raises(InputError, match="base_lin_vel.*no estimate.*an estimator on this robot"):
        value("base_lin_vel")


def test_a_command_must_be_there() -> None:
    with pytest.raises(InputError, match="velocity_command; found none"):
        value("velocity_command")


@pytest.mark.parametrize(("tick", "turn"), [(0, 0.0), (10, 0.25), (20, 0.5), (35, 0.875), (40, 0.0), (4_000_010, 0.25)])
def test_gait_phase_turns_once_per_period(tick: int, turn: float) -> None:
    angle = 2 * math.pi * turn
    expected = [math.sin(angle), math.cos(angle)]
    np.testing.assert_allclose(value("gait_phase", tick, setup(period=0.8)), expected, atol=1e-7)


def test_constant_and_foot_contact() -> None:
    np.testing.assert_array_equal(value("constant", setup=setup(value=[1.0, 0.0])), [1.0, 0.0])
    feet = ["RL_foot", "FR_foot", "RR_foot"]  # the robot's order is FR, FL, RR, RL
    contact = value("foot_contact", setup=setup(threshold=2.0, feet=feet), foot_force=[1.9, 50.0, 2.0, 2.1])
    np.testing.assert_array_equal(contact, [1.0, 0.0, 0.0])


@pytest.mark.parametrize("name", sorted(TERMS))
def test_every_term_has_the_size_that_it_states(name: str) -> None:
    grid = {"x": [0.0, 0.1, 0.2], "y": [-0.1, 0.1]}
    known = setup(period=0.8, value=[1.0, 2.0, 3.0], threshold=2.0, feet=list(SPEC.feet[:2]), **grid)
    state = standing(SPEC, base_lin_vel=np.zeros(3))
    inputs = PolicyInputs(state, VelocityCommand(0, 0.1, 0.2, 0.3), height_scan=HeightScan(0, 0.3, np.zeros(6)))
    context = TermContext(inputs, 0, owned(np.arange(12), np.float32), heading_error=0.1)
    assert len(np.asarray(TERMS[name].function(context, known))) == TERMS[name].size(known)


def test_contact_is_held_for_one_tick() -> None:
    known = setup(threshold=2.0, feet=["FR_foot", "RL_foot"])  # places 0 and 3 of the robot's order

    def held(now: list[float], before: list[float] | None) -> list[bool]:
        previous = None if before is None else standing(SPEC, foot_force=before)
        inputs = PolicyInputs(standing(SPEC, foot_force=now))
        context = TermContext(inputs, 1, owned(np.zeros(12), np.float32), previous)
        return np.asarray(TERMS["foot_contact_held"].function(context, known)).tolist()

    up, fr, rl = [0.0, 9.0, 9.0, 0.0], [2.1, 0.0, 0.0, 2.0], [2.0, 0.0, 0.0, 2.1]
    assert held(fr, None) == [True, False]
    assert held(rl, fr) == [True, True]
    assert held(up, rl) == [False, True]
    assert held(up, up) == [False, False]


def test_the_forward_command_is_the_first_of_three() -> None:
    assert value("forward_command", command=VelocityCommand(0, 0.7, 0.2, 0.3)).tolist() == [0.7]
    with pytest.raises(InputError, match="velocity_command"):
        value("forward_command")


def test_a_heading_needs_a_policy_that_follows_one() -> None:
    with pytest.raises(InputError, match="valid: kind: parkour"):
        value("heading_error", setup=setup(limit=0.6, period=5))


def test_the_height_scan_is_the_base_above_the_ground() -> None:
    def scanned(scan: HeightScan | None) -> np.ndarray:
        inputs = PolicyInputs(standing(SPEC, 40), height_scan=scan)
        context = TermContext(inputs, 1, owned(np.zeros(12), np.float32))
        return np.asarray(TERMS["height_scan"].function(context, setup(x=[0.0, 0.5], y=[-0.1, 0.1], cell=0.05)))

    ground = owned([0.0, 0.1, -1.0, 0.4])
    np.testing.assert_allclose(scanned(HeightScan(40, 0.3, ground)), [0.3, 0.2, 1.3, -0.1])
    for scan, named in (
        (None, "found none"),
        (HeightScan(20, 0.3, ground), "one of 20 ns"),
        (HeightScan(40, 0.3, ground[:3]), "finite heights"),
        (HeightScan(40, float("nan"), ground), "finite heights"),
        (HeightScan(40, 0.3, owned([0.0, 0.0, 0.0, np.inf])), "finite heights"),
    ):
        with pytest.raises(InputError, match=named):
            scanned(scan)


def test_a_threshold_of_zero_is_one() -> None:
    assert TERMS["foot_contact"].params["threshold"].accepts(0, PLAIN)


def test_feet_of_an_unknown_robot_are_only_counted() -> None:
    unknown = TermSetup(0.02, INDEX, DEFAULT, None, {"feet": ["a", "b"]})
    assert TERMS["foot_contact"].params["feet"].accepts(["a", "b"], unknown)
    assert not TERMS["foot_contact"].params["feet"].accepts(["a", "b"], PLAIN)
    assert TERMS["foot_contact"].size(unknown) == 2


@pytest.mark.parametrize(
    ("term", "param", "bad"),
    [
        ("gait_phase", "period", 0.0),
        ("gait_phase", "period", "0.8"),
        ("gait_phase", "period", True),
        ("gait_phase", "period", float("nan")),
        ("constant", "value", []),
        ("constant", "value", 1.0),
        ("constant", "value", [1.0, "a"]),
        ("constant", "value", [float("inf")]),
        ("foot_contact", "threshold", -1.0),
        ("foot_contact", "feet", []),
        ("foot_contact", "feet", "FR_foot"),
        ("foot_contact", "feet", ["FR_foot", "FR_foot"]),
        ("foot_contact", "feet", ["FR_foot", "tail"]),
        ("foot_contact", "feet", [0, 1]),
    ],
)
def test_parameters_that_no_term_can_use(term: str, param: str, bad: object) -> None:
    assert not TERMS[term].params[param].accepts(bad, PLAIN)
