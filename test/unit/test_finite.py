from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from robot_policies.finite import all_finite


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
@given(
    st.sampled_from([np.float32, np.float64]).flatmap(
        lambda dtype: hnp.arrays(dtype, st.integers(0, 20), elements=st.floats(width=32))
    )
)
def test_it_is_numpys_test_of_each(values: np.ndarray) -> None:
    assert all_finite(values) == bool(np.isfinite(values).all())


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_corners(dtype: type) -> None:
    largest = np.finfo(dtype).max
    assert all_finite(np.full(5, largest, dtype))
    assert all_finite(np.array([largest, -largest], dtype))
    assert not all_finite(np.array([largest, np.inf], dtype))
    assert not all_finite(np.array([np.inf, -np.inf], dtype))
    assert not all_finite(np.array([0.0, np.nan], dtype))
    assert all_finite(np.zeros(0, dtype))
