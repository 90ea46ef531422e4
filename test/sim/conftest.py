"""A ROS domain of its own for each test, and somebody on it who listens and asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from helpers.node_process import Probe


@pytest.fixture
def domain() -> int:
    from helpers.node_process import free_domain

    return free_domain()


@pytest.fixture
def probe(domain: int) -> Iterator[Probe]:
    from helpers.node_process import Probe

    with Probe(domain) as probe:
        yield probe
