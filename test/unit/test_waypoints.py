"""Points to go to: what makes a path, where the robot is by what odom says, and what is asked of it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_policies.control.waypoints import (
    LONGEST_GAP,
    MOST,
    TURN_RATE,
    DeadReckoning,
    WaypointFollower,
    load_waypoints,
)
from robot_policies.exceptions import InputError, RobotPoliciesError

DT = 0.05  # [s]
MS = 1_000_000


def walked(follower: WaypointFollower, x: float = 0.0, y: float = 0.0, yaw: float = 0.0, limit: float = 200.0) -> list:
    """Return the places (x, y) of a robot that does exactly what it is asked to, until the end."""
    places = [(x, y)]
    for _ in range(round(limit / DT)):
        forward, turn = follower((x, y), yaw)
        if follower.done:
            assert (forward, turn) == (0.0, 0.0)
            return places
        assert abs(turn) <= TURN_RATE and forward >= 0.0
        yaw += turn * DT
        x, y = x + forward * math.cos(yaw) * DT, y + forward * math.sin(yaw) * DT
        places.append((x, y))
    raise AssertionError(f"not there after {limit} s: {places[-1]}, to {follower.points[follower.next]}")


coordinate = st.floats(-5.0, 5.0)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(coordinate, coordinate), min_size=1, max_size=5), st.floats(-3.0, 3.0))
def test_it_comes_to_every_point_in_order_wherever_they_lie(points: list[tuple[float, float]], yaw: float) -> None:
    """Also those beside it and behind it, which a robot that goes on at full speed would circle for ever."""
    places = walked(WaypointFollower(points, 0.5, 0.3), yaw=yaw)
    last = 0
    for point in points:
        near = [i for i in range(last, len(places)) if math.dist(places[i], point) <= 0.3 + 0.5 * DT]
        assert near, point
        last = near[0]


def test_straight_ahead_it_goes_at_its_speed_and_behind_it_turns_first() -> None:
    assert WaypointFollower([(2.0, 0.0)], 0.5, 0.3)((0.0, 0.0), 0.0) == (0.5, 0.0)
    forward, turn = WaypointFollower([(-2.0, 0.1)], 0.5, 0.3)((0.0, 0.0), 0.0)
    assert (forward, turn) == (0.0, TURN_RATE)
    assert WaypointFollower([(0.0, -2.0)], 0.5, 0.3)((0.0, 0.0), 0.0)[1] == -TURN_RATE


def test_at_the_end_it_asks_for_nothing_and_stays_so() -> None:
    follower = WaypointFollower([(0.1, 0.0), (0.2, 0.0)], 0.5, 0.3)
    assert follower((0.0, 0.0), 0.0) == (0.0, 0.0) and follower.done
    assert follower((9.0, 9.0), 0.0) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("points", "says"),
    [
        ([], f"path: its points; found none; valid: 1 to {MOST}"),
        ([(0.0, 0.0)] * (MOST + 1), f"found {MOST + 1}"),
        ([(0.0, 0.0), (1.0, math.nan)], "point 1"),
        ([(math.inf, 0.0)], "point 0"),
    ],
)
def test_what_makes_no_path(points: list[tuple[float, float]], says: str) -> None:
    with pytest.raises(InputError, match=says):
        WaypointFollower(points, 0.5, 0.3)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("points: [[1.0, 2.0], [3.0, .nan]]", "points"),
        ("points: []", "1 to 1000"),
        ("points: [[1.0]]", "points"),
        ("points: [[1.0, 0.0]]\nspeed: 0.0", "speed"),
        ("points: [[1.0, 0.0]]\nfast: 1.0", "fast"),
        ("speed: 0.5", "points"),
        ("[1, 2", ""),
    ],
)
def test_a_malformed_file_is_refused_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "way.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RobotPoliciesError) as refused:
        load_waypoints(path)
    assert says in str(refused.value)


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "way.yaml"
    path.write_text("points: [[1.0, 0.0], [2, -1.5]]\nspeed: 0.8\n", encoding="utf-8")
    waypoints = load_waypoints(path)
    assert (waypoints.points, waypoints.speed, waypoints.reached) == (((1.0, 0.0), (2.0, -1.5)), 0.8, 0.3)
    with pytest.raises(RobotPoliciesError):
        load_waypoints(tmp_path / "none.yaml")


def test_positions_are_the_sum_of_what_odom_estimates() -> None:
    """A circle of 1 m radius: one turn at 0.5 m/s to the left ends where it began; half of it 2 m to the left."""
    reckoning, rate, dt = DeadReckoning(), 0.5, 0.005
    count = round(2.0 * math.pi / rate / dt)
    places = [reckoning(round(i * dt * 1e9), rate * dt * i, (0.5, 0.0)) for i in range(count)]
    assert places[0] == (0.0, 0.0)
    assert places[count // 2] == pytest.approx((0.0, 2.0), abs=0.01)
    assert places[-1] == pytest.approx((0.0, 0.0), abs=0.01)
    sideways = DeadReckoning()
    for i in range(3):
        place = sideways(i * 100 * MS, math.pi / 2.0, (0.0, 1.0))
    assert place == pytest.approx((-0.2, 0.0))


@pytest.mark.parametrize("gap_ms", [0, -5, round(1e3 * LONGEST_GAP) + 1])
def test_stamps_that_do_not_follow_each_other_mean_that_nobody_knows_where_it_is(gap_ms: int) -> None:
    reckoning = DeadReckoning()
    reckoning(1000 * MS, 0.0, (0.5, 0.0))
    with pytest.raises(InputError, match="odom: stamps that follow each other"):
        reckoning((1000 + gap_ms) * MS, 0.0, (0.5, 0.0))
