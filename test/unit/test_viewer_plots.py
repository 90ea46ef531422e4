"""Samples of joints in bounded memory, and which joints are plotted together."""

from __future__ import annotations

import numpy as np
import pytest

from robot_policies.nodes.viewer_plots import CHARTS, KEPT, RATE, SPAN, JointHistory, groups
from robot_policies.robot_spec import load_robot_spec


def filled(seconds: float, start: float = 1000.0) -> JointHistory:
    history = JointHistory(("a", "b"))
    for k in range(round(seconds * 200)):
        now = start + k * 0.005
        if history.is_due(now):
            history.add(now, {"a": now}, {"b": -now, "a": now + 1.0})
    return history


def test_samples_come_at_their_rate_oldest_first_and_end_now() -> None:
    times, target, position = filled(2.0).of("a")
    assert len(times) == pytest.approx(2.0 * RATE, abs=1)
    assert np.diff(times) == pytest.approx(np.full(len(times) - 1, 1.0 / RATE))
    assert times[-1] == 0.0
    assert position - target == pytest.approx(np.ones(len(times)))
    assert target[-1] - target[0] == pytest.approx(times[-1] - times[0])


def test_memory_is_bounded_and_shows_the_last_seconds() -> None:
    history = filled(60.0)
    times, target, _ = history.of("a")
    assert KEPT - 1 <= len(times) <= KEPT
    assert times[0] > -SPAN
    assert target[-1] == pytest.approx(history.newest)
    assert history._values.shape == (2, KEPT, 2)


def test_a_joint_that_is_not_named_has_no_value() -> None:
    _, target, position = filled(1.0).of("b")
    assert np.isnan(target).all()
    assert np.isfinite(position).all()


def test_a_clock_that_goes_back_starts_anew() -> None:
    history = filled(3.0)
    assert history.is_due(5.0)
    history.add(5.0, {}, {"a": 0.5})
    times, _, position = history.of("a")
    assert (times.tolist(), position.tolist()) == ([0.0], [0.5])


def test_the_legs_of_a_quadruped_are_offered_first_and_then_each_joint() -> None:
    names = load_robot_spec("go2").joint_names
    found = groups(names)
    assert list(found)[:4] == [f"{leg}: hip, thigh, calf" for leg in ("FR", "FL", "RR", "RL")]
    assert found["FL: hip, thigh, calf"] == ("FL_hip_joint", "FL_thigh_joint", "FL_calf_joint")
    assert list(found)[4:] == list(names)


def test_no_more_joints_together_than_there_are_charts() -> None:
    found = groups(load_robot_spec("g1").joint_names)
    assert max(map(len, found.values())) == CHARTS
    assert {name for joints in found.values() for name in joints} == set(load_robot_spec("g1").joint_names)
    assert groups(()) == {}
