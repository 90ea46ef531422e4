"""Which frame a robot of training looks at: the newest of its camera's grid that is as old as its delay."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_policies.exceptions import InputError
from sim2real.mujoco.camera_timing import NS, CaptureClock
from sim2real.training.parkour.captures import Captures

DT = 0.02
STEP = round(DT * NS)


def everyone(robots: int) -> np.ndarray:
    return np.ones(robots, dtype=bool)


def made(delays: list[float], rate: float = 30.0, seed: int = 0, longest: float = 0.142) -> Captures:
    captures = Captures(len(delays), 1, DT, rate, longest)
    captures.restart(everyone(len(delays)), np.array(delays), np.random.default_rng(seed))
    return captures


def run(captures: Captures, robots: int, steps: int) -> np.ndarray:
    """(steps, robots): the control step whose pose each robot is shown; a pose is the number of its step."""
    seen = []
    for step in range(steps):
        captures.push(np.full((robots, 1), float(step)))
        seen.append(captures.look(everyone(robots))[:, 0])
    return np.array(seen)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.floats(0.0, 0.142), min_size=1, max_size=5),
    st.sampled_from([10.0, 15.0, 30.0, 50.0, 60.0, 90.0]),
    st.integers(0, 1000),
)
def test_it_is_what_the_simulated_camera_would_give(delays: list[float], rate: float, seed: int) -> None:
    captures = made(delays, rate, seed)
    seen = run(captures, len(delays), 40)
    for robot, delay in enumerate(delays):
        phase, clock = int(captures._phase[robot]), CaptureClock(rate)
        clock.due(phase - 1)  # the camera was running before
        taken = [step for step in range(40) if clock.due(step * STEP + phase) or step == 0]
        for step in range(40):
            old_enough = [c for c in taken if (step - c) * STEP >= round(delay * NS)]
            assert seen[step, robot] == (old_enough[-1] if old_enough else 0)


def test_the_ages_of_a_d435() -> None:
    """At 30 Hz, on steps of 20 ms: at least the delay, at most a frame and a step more."""
    delays = np.random.default_rng(1).uniform(0.08, 0.142, 500)
    captures = made(delays.tolist())
    seen = run(captures, 500, 60)[20:]
    ages = DT * (np.arange(20, 60)[:, None] - seen)
    assert (ages >= delays - 1e-9).all() and (ages < delays + 1 / 30 + DT).all()
    assert (ages - delays).mean() == pytest.approx(0.018, abs=0.001)  # 10 ms up to a step, and 2 of 5 a step more
    assert ages.max() == pytest.approx(0.18) and ages.min() == pytest.approx(0.1)  # whole steps


def test_without_delay_at_the_rate_of_the_steps_it_is_the_present() -> None:
    captures = made([0.0], rate=50.0)
    captures._phase[:] = 0
    assert run(captures, 1, 8)[:, 0].tolist() == list(range(8))


def test_the_first_frame_fills_the_past() -> None:
    assert run(made([0.1]), 1, 6)[:, 0].tolist() == 6 * [0.0]


def test_rows_that_restart_see_their_own_first_pose_and_leave_the_others_alone() -> None:
    captures, twin = made([0.09, 0.1, 0.11]), made([0.09, 0.1, 0.11])
    for step in range(30):
        pose = np.full((3, 1), float(step))
        if step == 20:
            captures.restart(np.array([False, True, False]), np.array([0.142]), np.random.default_rng(5))
        captures.push(pose)
        twin.push(pose)
        seen, other = captures.look(everyone(3))[:, 0], twin.look(everyone(3))[:, 0]
        assert seen[[0, 2]].tolist() == other[[0, 2]].tolist()
        if 20 <= step <= 27:
            assert seen[1] == 20.0
    assert seen[1] > 20.0


def test_memory_is_bounded_and_just_enough() -> None:
    captures = made([0.142, 0.142])
    size = captures._kept.nbytes
    seen = run(captures, 2, 500)
    assert captures._kept.nbytes == size and len(captures._kept) == 11
    assert (seen[20:] > np.arange(20, 500)[:, None] - 11).all() and (np.diff(seen, axis=0) >= 0.0).all()


def test_some_rows_only() -> None:
    captures = made([0.0, 0.14, 0.0], rate=50.0)
    run(captures, 3, 20)
    assert len(captures.look(np.array([True, False, True]))) == 2
    assert (captures.ages(np.array([False, True, False])) >= 7).all()


@pytest.mark.parametrize(("dt", "rate", "longest"), [(0.0, 30.0, 0.1), (0.02, 0.0, 0.1), (0.02, 30.0, -0.1)])
def test_times_that_are_none_are_refused(dt: float, rate: float, longest: float) -> None:
    with pytest.raises(InputError, match="captures: control period, camera's rate, delay"):
        Captures(1, 1, dt, rate, longest)


@pytest.mark.parametrize("delay", [-0.01, 0.2])
def test_delays_beyond_what_is_kept_are_refused(delay: float) -> None:
    with pytest.raises(InputError, match="0 to 0.142 s"):
        made([0.1, delay])
