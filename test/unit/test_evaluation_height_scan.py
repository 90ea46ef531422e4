"""True heights for a policy: which points, which corners, which frame."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers.bundles import contract_of, standing

from robot_policies.contract import Contract, Term
from robot_policies.robot_spec import load_robot_spec
from robot_policies.schema import parse
from sim2real.evaluation.height_scan import corner_heights, height_scans, scan_points
from sim2real.mujoco.ground import Ground, column

SPEC = load_robot_spec("go2")
TERM = {"term": "height_scan", "size": 6, "params": {"x": [-0.4, 0.1, 1.0], "y": [-0.5, 0.5], "cell": 0.05}}
STEP = Ground((column((1.0, -2.0), (3.0, 2.0), 0.4, -0.5),))


def contract(*terms: dict[str, Any]) -> Contract:
    data = contract_of(SPEC) | {"format": 1, "files": {}}
    data["observations"]["policy"]["terms"] += terms
    return parse(Contract, data, "test")


def truth(x: float, y: float, z: float, yaw: float, pitch: float = 0.0) -> Any:
    cy, sy, cp, sp = math.cos(yaw / 2), math.sin(yaw / 2), math.cos(pitch / 2), math.sin(pitch / 2)
    quat = np.array([cy * cp, -sy * sp, cy * sp, sy * cp])
    return SimpleNamespace(position=np.array([x, y, z]), quat_wxyz=quat)


def scanned(x: float, y: float, yaw: float, pitch: float = 0.0) -> list[float]:
    scans = height_scans(contract(TERM), lambda: truth(x, y, 0.31, yaw, pitch), STEP)
    assert scans is not None
    made = scans(standing(SPEC, 40))
    assert (made.stamp_ns, made.base) == (40, 0.31)
    return made.ground.tolist()


def test_a_bundle_that_reads_none_gets_none() -> None:
    assert height_scans(contract(), lambda: truth(0, 0, 0, 0), STEP) is None


def test_all_y_for_the_first_x() -> None:
    points = scan_points(parse(Term, TERM, "test"))
    assert points.tolist() == [[-0.4, -0.5], [-0.4, 0.5], [0.1, -0.5], [0.1, 0.5], [1.0, -0.5], [1.0, 0.5]]


@pytest.mark.parametrize("pitch", [0.0, 0.7])  # the grid stays level
def test_the_grid_turns_with_the_robot(pitch: float) -> None:
    assert scanned(0.3, 0.0, 0.0, pitch) == pytest.approx([0.0, 0.0, 0.0, 0.0, 0.4, 0.4])
    assert scanned(0.3, 0.0, math.pi, pitch) == pytest.approx([0.0] * 6)
    # it looks left (+y): what is on its right (y < 0) is further along +x of the world
    assert scanned(0.8, 0.0, math.pi / 2, pitch) == pytest.approx([0.4, 0.0, 0.4, 0.0, 0.4, 0.0])


def test_the_lowest_of_three_corners() -> None:
    heights = corner_heights(STEP, 0.05)
    at = heights(np.array([[0.99, 0.0], [1.01, 0.0], [2.94, 0.01], [2.96, 0.01], [2.99, 0.01], [3.01, 0.01]]))
    # a cell before the edge has its low corner on the floor; one at the end has all three on the step
    assert at == pytest.approx([0.0, 0.4, 0.4, 0.4, 0.4, 0.0])
    assert heights(np.array([[1.5, -2.01], [1.5, 1.99], [1.5, 2.01]])) == pytest.approx([0.0, 0.4, 0.0])


def test_ground_that_only_the_next_corner_sees() -> None:
    gap = Ground((column((-5.0, -5.0), (1.02, 5.0), 0.0, -2.0), column((1.5, -5.0), (9.0, 5.0), 0.0, -2.0)), floor=-1.0)
    heights = corner_heights(gap, 0.05)
    assert heights(np.array([[0.97, 0.0], [1.01, 0.0]])) == pytest.approx([0.0, -1.0])  # the corner at 1.05 is open
    aside = Ground((column((-5.0, -5.0), (5.0, 1.02), 0.0, -2.0),), floor=-1.0)
    assert corner_heights(aside, 0.05)(np.array([[0.0, 0.97], [0.0, 1.01]])) == pytest.approx([0.0, -1.0])


def test_a_plane_is_a_plane_everywhere() -> None:
    heights = corner_heights(Ground(), 0.05)
    assert heights(np.array([[0.0, 0.0], [100.0, -50.0]])).tolist() == [0.0, 0.0]
    assert corner_heights(STEP, 0.05)(np.array([[-40.0, 3.0], [40.0, 0.0]])).tolist() == [0.0, 0.0]
