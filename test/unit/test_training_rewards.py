"""Each reward term, on motions of which the answer is known."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from sim2real.training import rewards
from sim2real.training.motion import Gait, Motion, gravity_in_base, rotate_inverse
from sim2real.training.rewards import TERMS, Body, total
from sim2real.training.tasks import GO2_WALK

DEFAULT = np.tile([0.0, 0.8, -1.5], 4)
BODY = Body(
    default_joint_pos=DEFAULT,
    joint_lower=DEFAULT - 0.7,
    joint_upper=DEFAULT + 0.7,
    hips=np.tile([1.0, 0.0, 0.0], 4),
    diagonals=((0, 3), (1, 2)),
)


def motion(**changes: Any) -> Motion:
    still = Motion(
        height=np.full(1, GO2_WALK.base_height),
        base_quat_wxyz=np.array([[1.0, 0.0, 0.0, 0.0]]),
        base_lin_vel=np.zeros((1, 3)),
        base_ang_vel=np.zeros((1, 3)),
        gravity=np.array([[0.0, 0.0, -1.0]]),
        joint_pos=DEFAULT[None].copy(),
        joint_vel=np.zeros((1, 12)),
        joint_acc=np.zeros((1, 12)),
        torque=np.zeros((1, 12)),
        demand=np.zeros((1, 12)),
        foot_contact=np.ones((1, 4), dtype=bool),
        foot_height=np.zeros((1, 4)),
        foot_vel=np.zeros((1, 4, 3)),
        bad_contact=np.zeros(1),
        scan=np.zeros((1, 35)),
    )
    return replace(still, **{name: np.asarray(value) for name, value in changes.items()})


def gait(command: tuple[float, float, float] = (0.0, 0.0, 0.0), **changes: Any) -> Gait:
    asked = np.array([command], dtype=float)
    quiet = Gait(
        command=asked,
        moving=np.abs(asked).max(axis=1) > 0,
        action=np.zeros((1, 12)),
        action_1=np.zeros((1, 12)),
        action_2=np.zeros((1, 12)),
        target=DEFAULT[None].copy(),
        swing=np.zeros((1, 4)),
        landed=np.zeros((1, 4), dtype=bool),
        error=np.zeros((1, 3)),
    )
    return replace(quiet, **{name: np.asarray(value) for name, value in changes.items()})


def term(name: str, seen: Motion, remembered: Gait) -> float:
    (value,) = TERMS[name](seen, remembered, GO2_WALK, BODY)
    return float(value)


WALK = (0.8, 0.0, 0.0)
JOINT = np.eye(12)[:1]  # the first joint, a hip, off by 1

CASES = [
    ("alive", motion(), gait(), 1.0),
    ("progress", motion(base_lin_vel=[[0.4, 0.3, 0.0]]), gait(WALK), 0.5),
    ("progress", motion(base_lin_vel=[[1.2, 0.0, 0.0]]), gait(WALK), 0.5),
    ("progress", motion(base_lin_vel=[[-2.0, 0.0, 0.0]]), gait(WALK), -1.0),
    ("progress", motion(base_lin_vel=[[0.8, 0.0, 0.0]]), gait((0.0, 0.0, 1.0)), 0.0),
    ("track_lin_vel", motion(base_lin_vel=[[0.8, 0.0, 5.0]]), gait(WALK), 1.0),
    ("track_lin_vel", motion(), gait(WALK), np.exp(-0.64 / rewards.LIN_VARIANCE)),
    ("track_ang_vel", motion(base_ang_vel=[[3.0, 3.0, -0.5]]), gait((0.0, 0.0, -0.5)), 1.0),
    ("track_ang_vel", motion(base_ang_vel=[[0.0, 0.0, 1.0]]), gait(), np.exp(-1.0 / rewards.ANG_VARIANCE)),
    ("track_mean_lin_vel", motion(), gait(WALK, error=[[0.06, -0.08, 9.0]]), np.exp(-0.01 / rewards.MEAN_LIN_VARIANCE)),
    ("track_mean_ang_vel", motion(), gait(error=[[9.0, 9.0, 0.2]]), np.exp(-2.0)),
    ("power", motion(torque=[[3.0, -4.0] + 10 * [1.0]], joint_vel=[[2.0, 5.0] + 10 * [0.0]]), gait(), 26.0),
    ("lin_vel_z", motion(base_lin_vel=[[1.0, 1.0, -0.5]]), gait(), 0.25),
    ("ang_vel_xy", motion(base_ang_vel=[[1.0, -2.0, 9.0]]), gait(), 5.0),
    ("orientation", motion(gravity=[[0.6, 0.0, -0.8]]), gait(), 0.36),
    ("base_height", motion(height=[GO2_WALK.base_height - 0.1]), gait(), 0.01),
    ("torque", motion(torque=[[3.0, -4.0] + 10 * [0.0]]), gait(), 25.0),
    ("torque_limit", motion(demand=[[1.0, 0.9, 0.5] + 9 * [0.0]]), gait(), 0.3),
    ("joint_acc", motion(joint_acc=100.0 * JOINT), gait(), 1e4),
    ("joint_limit", motion(joint_pos=DEFAULT + 0.75 * JOINT), gait(target=DEFAULT - 0.85 * JOINT), 0.1 + 0.2),
    ("joint_limit", motion(joint_pos=DEFAULT + 0.6 * JOINT), gait(), 0.0),
    ("action_rate", motion(), gait(action=JOINT, action_1=-JOINT), 4.0),
    ("action_jerk", motion(), gait(action=JOINT, action_1=np.zeros((1, 12)), action_2=JOINT), 4.0),
    ("feet_clearance", motion(foot_height=[[0.0, 0.0, 0.0, 0.0]], foot_vel=[[[2.0, 0, 9], [0, 0, 0], [0, 0, 0],
     [0, 0, 0]]]), gait(), 2.0 * GO2_WALK.foot_height**2),
    ("feet_slip", motion(foot_vel=[[[3.0, 4.0, 7.0], [1, 0, 0], [0, 0, 0], [0, 0, 0]]],
     foot_contact=[[True, False, True, True]]), gait(), 25.0),
    ("trot", motion(foot_contact=[[True, False, False, True]]), gait(WALK), 1.0),
    ("trot", motion(foot_contact=[[True, False, False, True]]), gait(), 0.0),
    ("trot", motion(), gait(WALK), 0.0),
    ("trot", motion(foot_contact=[[True, True, False, False]]), gait(WALK), 0.0),
    ("contact", motion(bad_contact=[2.0]), gait(), 2.0),
    ("hip", motion(joint_pos=DEFAULT + np.eye(12)[:2].sum(axis=0)[None] * 0.5), gait(), 0.25),
    ("pose", motion(joint_pos=DEFAULT + np.eye(12)[:2].sum(axis=0)[None] * 0.5), gait(), 0.5),
    ("stand_still", motion(joint_pos=DEFAULT + 0.5 * JOINT, joint_vel=2.0 * JOINT), gait(), 0.6),
    ("stand_still", motion(foot_contact=[[True, True, False, True]]), gait(), 1.0),
    ("stand_still", motion(joint_pos=DEFAULT + 0.5 * JOINT), gait(WALK), 0.0),
]  # fmt: skip


@pytest.mark.parametrize(("name", "seen", "remembered", "value"), CASES, ids=[case[0] for case in CASES])
def test_term(name: str, seen: Motion, remembered: Gait, value: float) -> None:
    assert term(name, seen, remembered) == pytest.approx(value)


def test_air_time_pays_for_landing_after_a_whole_swing_while_walking() -> None:
    landed, wanted = [[True, False, False, False]], GO2_WALK.air_time
    swings = [0.2 * wanted, wanted, 5.0 * wanted]
    paid = [term("feet_air_time", motion(), gait(WALK, swing=[4 * [swing]], landed=landed)) for swing in swings]
    assert paid == pytest.approx([0.0, 0.6 * wanted, 0.8 * wanted])
    assert term("feet_air_time", motion(), gait(swing=[4 * [wanted]], landed=landed)) == 0.0


def test_every_weight_belongs_to_a_term_and_every_term_is_tested() -> None:
    assert set(GO2_WALK.rewards) <= set(TERMS)
    assert {case[0] for case in CASES} | {"feet_air_time"} == set(TERMS)


def test_total_is_the_weighted_sum_per_step_and_never_negative() -> None:
    seen = motion(base_lin_vel=[[0.4, 0.0, 0.1]], bad_contact=[1.0])
    reward, means = total(seen, gait(WALK), GO2_WALK, BODY)
    by_hand = sum(weight * term(name, seen, gait(WALK)) for name, weight in GO2_WALK.rewards.items())
    assert reward[0] == pytest.approx(by_hand * GO2_WALK.control_dt)
    assert sum(means.values()) == pytest.approx(by_hand)
    assert by_hand > 0
    worst, means = total(motion(bad_contact=[100.0]), gait(WALK), GO2_WALK, BODY)
    assert worst[0] == 0.0 and sum(means.values()) < 0


def test_walking_earns_more_than_standing_when_asked_to_walk() -> None:
    walking = motion(base_lin_vel=[[0.8, 0.0, 0.0]], foot_contact=[[True, False, False, True]], joint_acc=np.full(
        (1, 12), 100.0), torque=np.full((1, 12), 8.0))  # fmt: skip
    assert total(walking, gait(WALK), GO2_WALK, BODY)[0] > 1.5 * total(motion(), gait(WALK), GO2_WALK, BODY)[0]


def test_rotations_agree_with_each_other_and_with_a_known_turn() -> None:
    rng = np.random.default_rng(0)
    quat = rng.normal(size=(50, 4))
    quat /= np.linalg.norm(quat, axis=1, keepdims=True)
    down = np.tile([0.0, 0.0, -1.0], (50, 1))
    np.testing.assert_allclose(gravity_in_base(quat), rotate_inverse(quat, down), atol=1e-12)
    quarter = np.array([[np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)]])  # yaw by 90 degrees: the world's x is to the right
    np.testing.assert_allclose(rotate_inverse(quarter, np.array([[1.0, 0.0, 0.0]])), [[0.0, -1.0, 0.0]], atol=1e-12)


def test_helpers_fill_every_field() -> None:
    assert {field.name for field in fields(Motion)} == set(vars(motion()))
    assert {field.name for field in fields(Gait)} == set(vars(gait()))
