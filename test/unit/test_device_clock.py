"""The mapping of a device's clock to system time: what its error is under delay, drift, steps and wrap-around."""

from __future__ import annotations

import numpy as np
import pytest

from robot_policies.cameras.device_clock import MAX_DRIFT, STEPS, DeviceClock

MS = 1_000_000
START = 1_800_000_000_000_000_000  # system time [ns]
PERIOD = 33_333_333


def run(
    clock: DeviceClock, delays_ms: np.ndarray, drift: float = 0.0, boot_ns: int = 7_000 * MS, wrap: int | None = None
) -> np.ndarray:
    """Return the error [ms] of each stamp; ``drift`` of the device, ``delays_ms`` from capture to receipt."""
    errors = []
    for k, delay in enumerate(delays_ms):
        truth = START + k * PERIOD
        device = boot_ns + round(k * PERIOD * (1.0 + drift))
        device = device % wrap if wrap else device
        errors.append((clock.stamp(device, truth + round(delay * MS)) - truth) / MS)
    return np.array(errors)


def delays(count: int, least: float = 20.0, seed: int = 0) -> np.ndarray:
    """Half of the images come without extra delay; a few come 80 ms late."""
    rng = np.random.default_rng(seed)
    extra = np.where(rng.random(count) < 0.5, 0.0, rng.exponential(4.0, count))
    return least + extra + np.where(rng.random(count) < 0.02, 80.0, 0.0)


def test_an_even_transport_is_undone_exactly() -> None:
    assert np.abs(run(DeviceClock(20 * MS), np.full(100, 20.0))).max() < 1e-3


@pytest.mark.parametrize("drift", [0.0, 5e-5, -5e-5, 1e-4, -1e-4])
def test_delay_and_drift_stay_within_a_fifth_of_a_millisecond(drift: float) -> None:
    """Ten minutes: unbounded, a drift of 1e-4 would be 60 ms."""
    errors = run(DeviceClock(20 * MS), delays(18_000), drift)
    settled = errors[30:]
    assert np.abs(settled).max() < 0.3
    assert np.abs(np.mean(settled)) < 0.05


def test_the_bound_is_the_drift_since_the_last_undelayed_image() -> None:
    late = np.full(300, 60.0)
    late[0] = 20.0  # and then every image is 40 ms late, for ten seconds
    errors = run(DeviceClock(20 * MS), late)
    passed_ms = PERIOD / MS * np.arange(300)
    assert (errors <= MAX_DRIFT * passed_ms + 1e-3).all()
    assert (errors >= -1e-3).all()


def test_a_first_image_that_was_late_is_forgotten() -> None:
    errors = run(DeviceClock(20 * MS), np.array([90.0, 20.0, 20.0]))
    assert errors.round(3).tolist() == [70.0, 0.0, 0.0]


def test_a_single_late_image_does_not_move_the_clock() -> None:
    values = np.full(50, 20.0)
    values[20:24] = 400.0  # four on end: still no step
    clock = DeviceClock(20 * MS)
    assert np.abs(run(clock, values)).max() < 0.1
    assert clock.steps == 0


@pytest.mark.parametrize("step_ms", [5_000, -5_000])
def test_a_system_clock_that_is_set_is_followed(step_ms: int) -> None:
    clock = DeviceClock(20 * MS)
    run(clock, np.full(30, 20.0))
    errors = []
    for k in range(30, 60):
        truth = START + k * PERIOD + step_ms * MS
        errors.append((clock.stamp(7_000 * MS + k * PERIOD, truth + 20 * MS) - truth) / MS)
    assert clock.steps == 1
    assert np.abs(errors[STEPS:]).max() < 1.0
    assert step_ms > 0 or np.abs(errors).max() < 1.0  # set back: at once


def test_a_device_that_starts_anew_is_followed() -> None:
    clock = DeviceClock(20 * MS)
    run(clock, np.full(30, 20.0))
    errors = run(clock, np.full(30, 20.0), boot_ns=0)
    assert np.abs(errors).max() < 0.1
    assert clock.steps == 1


def test_a_clock_of_32_bits_wraps_around_unseen() -> None:
    wrap = 2**32 * 1000
    clock = DeviceClock(20 * MS, wrap)
    errors = run(clock, np.full(200, 20.0), boot_ns=wrap - 50 * PERIOD, wrap=wrap)
    assert np.abs(errors).max() < 0.1
    assert clock.steps == 0


def test_stamps_grow_with_the_images() -> None:
    clock = DeviceClock(20 * MS)
    rng = np.random.default_rng(3)
    truth = START
    stamps = []
    for k in range(2000):
        truth = START + k * PERIOD
        stamps.append(clock.stamp(k * PERIOD, truth + round((20 + rng.exponential(8.0)) * MS)))
    assert (np.diff(stamps) > 0.5 * PERIOD).all()
