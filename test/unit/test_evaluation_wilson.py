"""The Wilson interval against published values, a numerical solution of its definition, and its edges."""

from __future__ import annotations

import math

import pytest

from robot_policies.exceptions import InputError
from sim2real.evaluation.wilson import wilson


# R. G. Newcombe, Two-sided confidence intervals for the single proportion, Statistics in Medicine 17 (1998), table I,
# method 3 (score), 95 %.
@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_published_values(successes: int, trials: int, low: float, high: float) -> None:
    """Four decimals of the published table are met."""
    assert wilson(successes, trials) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("successes", "trials"), [(1, 2), (7, 20), (19, 20), (480, 1000)])
@pytest.mark.parametrize(("confidence", "z"), [(0.95, 1.959963985), (0.99, 2.575829304)])
def test_ends_are_z_standard_errors_away(successes: int, trials: int, confidence: float, z: float) -> None:
    """By definition the ends p satisfy |rate - p| = z sqrt(p (1 - p) / n), with p's own standard error."""
    for end in wilson(successes, trials, confidence):
        assert abs(successes / trials - end) == pytest.approx(z * math.sqrt(end * (1.0 - end) / trials), rel=1e-6)


@pytest.mark.parametrize("trials", [1, 3, 9, 20, 32, 10_000])
def test_edges_are_exact_and_mirrored(trials: int) -> None:
    """No success starts at exactly 0, all successes end at exactly 1, and one mirrors the other."""
    none, everything = wilson(0, trials), wilson(trials, trials)
    assert none[0] == 0.0 and everything[1] == 1.0
    assert none[1] == pytest.approx(1.0 - everything[0])
    assert 0.0 < none[1] < 1.0


@pytest.mark.parametrize(
    ("successes", "trials", "confidence"), [(-1, 5, 0.95), (6, 5, 0.95), (0, 0, 0.95), (1, 2, 1.0)]
)
def test_nonsense_is_refused(successes: int, trials: int, confidence: float) -> None:
    """Impossible counts and confidences are errors, not numbers."""
    with pytest.raises(InputError, match="wilson"):
        wilson(successes, trials, confidence)
