"""The check that comes first, made cheap enough to be done at every stage."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt


def all_finite(values: npt.NDArray[Any]) -> bool:
    """Return whether every number of the flat array ``values`` (n,) is finite.

    The sum of squares is finite only if every term is, and takes a fifth of the time of a test of each; where it is
    not, which numbers over 1e19 in single precision do too, each is tested.
    """
    with_squares = float(values.dot(values))
    return math.isfinite(with_squares) or bool(np.isfinite(values).all())
