"""The Wilson score interval of a success rate."""

from __future__ import annotations

import math
from statistics import NormalDist

from robot_policies.exceptions import InputError, expected


def wilson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval (low, high) of the rate behind ``successes`` of ``trials``.

    E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927). It stays within
    [0, 1] and is useful at 0 and at all successes, where the normal approximation is not.

    Args:
        successes: number of successful trials.
        trials: number of trials, at least 1.
        confidence: two-sided, between 0 and 1.

    Raises:
        InputError: the counts or the confidence make no sense.
    """
    if not 0 <= successes <= trials or trials < 1:
        raise InputError(
            expected("wilson: successes of trials", f"{successes} of {trials}", "0 <= successes <= trials >= 1")
        )
    if not 0.0 < confidence < 1.0:
        raise InputError(expected("wilson: confidence", confidence, "between 0 and 1"))
    z2 = NormalDist().inv_cdf(0.5 + confidence / 2.0) ** 2
    centre = (successes + z2 / 2.0) / (trials + z2)
    rate = successes / trials
    half = math.sqrt(z2 * (rate * (1.0 - rate) * trials + z2 / 4.0)) / (trials + z2)
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == trials else min(1.0, centre + half)
    return low, high
