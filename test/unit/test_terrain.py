"""Terrains by name: the ground that each kind lays, what is drawn, and what is refused."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

pytest.importorskip("mujoco")

from robot_policies.exceptions import RobotError
from robot_policies.resources import find, listing
from robot_policies.robot_spec import load_robot_spec
from sim2real.mujoco.ground import Ground
from sim2real.mujoco.terrain import find_ground, find_place, terrain_file
from sim2real.mujoco.world import build_model

KINDS = [name for name, _ in listing("terrains")]
LANES = [kind for kind in KINDS if terrain_file(kind).lane is not None]
FIELDS = [kind for kind in KINDS if terrain_file(kind).field is not None]


def along(ground: Ground, *x: float, y: float = 0.0) -> list[float]:
    """Return the heights at these places along the lane [m]."""
    return ground.heights(np.array([[place, y] for place in x])).round(6).tolist()


def written(folder: Path, kind: str, **changes: Any) -> str:
    """Return the path of a copy of a terrain; ``lane__floor`` is ``floor`` of ``lane``."""
    data = yaml.safe_load(find("terrains", kind).read_text(encoding="utf-8"))
    for key, value in changes.items():
        block, _, name = key.rpartition("__")
        (data[block] if block else data)[name] = value
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return str(path)


def test_what_is_shipped() -> None:
    assert set(KINDS) >= {
        "flat", "rough", "steps", "step", "stairs", "gap", "ramp", "tilt", "hurdle", "mixed",
    }  # fmt: skip
    assert set(FIELDS) == {"rough", "steps"}
    assert set(LANES) == set(KINDS) - {"flat", "rough", "steps"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_at_both_ends_of_its_range_starts_level_and_is_built_at_once(kind: str) -> None:
    spec = load_robot_spec("go2")
    near = np.stack(np.meshgrid(np.linspace(-0.4, 0.4, 9), np.linspace(-0.4, 0.4, 9)), axis=-1)
    for difficulty in terrain_file(kind).difficulty.range:
        begun = time.process_time()
        model = build_model(spec, f"{kind}:{difficulty}:1")
        assert time.process_time() - begun < 2.0
        assert model.geom("ground").type == 0
        assert np.ptp(find_ground(f"{kind}:{difficulty}:1").heights(near)) == 0.0
        assert find_ground(f"{kind}:{difficulty}:1").heights(near)[0, 0] == 0.0


@pytest.mark.parametrize("kind", LANES)
def test_every_lane_has_a_short_run_up_and_level_ground_behind_its_last_edge(kind: str) -> None:
    low, high = terrain_file(kind).difficulty.range
    for difficulty in (low, (low + high) / 2, high):
        place = find_place(f"{kind}:{difficulty}:3")
        lane = place.lane
        assert lane is not None and lane.width == 4.0
        assert 0.0 < lane.first_edge <= 1.2 and lane.end >= lane.last_edge + 2.5
        behind = along(place.ground, *np.linspace(lane.last_edge + 0.01, lane.end - 0.01, 20))
        assert np.ptp(behind) < 1e-6
        assert along(place.ground, *np.linspace(-1.9, lane.first_edge - 0.01, 20)) == [0.0] * 20
        levels = along(place.ground, *np.linspace(lane.first_edge, lane.last_edge + 0.3, 4000))
        assert bool(np.ptp(levels) > 1e-3) is (difficulty > 0.0) or kind == "tilt"


def test_a_step_goes_up_once_and_stays() -> None:
    ground = find_ground("step:0.2")
    assert along(ground, 1.19, 1.21, 5.0) == [0.0, 0.2, 0.2]
    assert along(ground, 3.0, y=1.99) == [0.2] and along(ground, 3.0, y=2.01) == [0.0]


def test_stairs_rise_and_fall_by_their_difficulty() -> None:
    ground = find_ground("stairs:0.1")
    up = along(ground, *(1.2 + 0.3 * np.arange(4) + 0.15))
    assert up == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert along(ground, 3.2, 3.5) == pytest.approx([0.4, 0.3]) and along(ground, 4.3) == [0.0]


def test_a_gap_is_as_wide_as_its_difficulty_and_a_metre_deep() -> None:
    ground = find_ground("gap:0.4:2")
    x = np.arange(0.0, 5.0, 0.002)
    levels = np.array(along(ground, *x))
    assert set(levels.tolist()) == {0.0, -1.0}
    edges = x[1:][np.diff(levels) != 0]
    assert edges[1::2] - edges[::2] == pytest.approx([0.4], abs=0.005)
    assert 0.0 < edges[0] <= 1.5  # the run-up


def test_a_hurdle_is_as_high_as_its_difficulty() -> None:
    levels = np.array(along(find_ground("hurdle:0.25"), *np.arange(0.0, 5.0, 0.01)))
    assert levels.max() == 0.25
    assert (np.diff(levels) > 0).sum() == 1


def test_a_ramp_climbs_at_its_angle_and_comes_down_again() -> None:
    ground = find_ground("ramp:0.4")
    low, high, top = along(ground, 1.5, 2.5, 3.0)
    assert (high - low) / 1.0 == pytest.approx(np.tan(0.4), abs=1e-5)
    assert top == pytest.approx(1.5 * np.tan(0.4), abs=1e-5)
    assert along(ground, 5.25) == [0.0]


def test_a_tilt_leans_to_a_side_that_the_seed_draws() -> None:
    sides = set()
    for seed in range(8):
        ground = find_ground(f"tilt:0.3:{seed}")
        left, right = along(ground, 2.5, y=1.0)[0], along(ground, 2.5, y=-1.0)[0]
        assert abs(left - right) / 2.0 == pytest.approx(np.tan(0.3), abs=1e-5)
        assert along(ground, 2.5) == pytest.approx([0.0], abs=1e-6)
        sides.add(left > right)
    assert sides == {True, False}


@pytest.mark.parametrize(
    ("kind", "difficulty", "low", "high"), [("rough", 0.05, -0.05, 0.05), ("steps", 0.2, 0.0, 0.2)]
)
def test_fields_are_uniform_within_their_difficulty_in_every_direction(
    kind: str, difficulty: float, low: float, high: float
) -> None:
    place = find_place(f"{kind}:{difficulty}:5")
    xy = np.random.default_rng(0).uniform(-place.reach, place.reach, (4000, 2))
    xy = xy[np.abs(xy).max(axis=1) > 1.1]
    heights = place.ground.heights(xy)
    assert low <= heights.min() < low + 0.02 * (high - low) and high >= heights.max() > high - 0.02 * (high - low)
    for quarter in (xy[:, 0] > 2, xy[:, 0] < -2, xy[:, 1] > 2, xy[:, 1] < -2):
        assert heights[quarter].mean() == pytest.approx((low + high) / 2, abs=0.1 * (high - low))
    assert place.ground.floor == low  # who leaves the field does not fall


def test_mixed_has_all_ten_obstacles_in_an_order_that_the_seed_draws() -> None:
    file = terrain_file("mixed").lane
    assert file is not None and len(file.obstacles) == 10
    assert {o.kind for o in file.obstacles} == {"step", "steps", "rough", "gap", "hurdle", "stairs", "ramp", "roll"}
    shapes = [find_ground(f"mixed:0.5:{seed}") for seed in (0, 1)]
    x = np.linspace(1.0, 20.0, 500)
    assert along(shapes[0], *x) != along(shapes[1], *x)
    hard = find_ground("mixed:1:4")
    levels = np.array(along(hard, *np.linspace(0, 30, 6000)))
    assert np.isclose(levels, 0.45).any() and np.isclose(levels, 0.4).any() and levels.min() == -2.0


def test_one_name_is_one_ground_and_defaults_are_part_of_the_name() -> None:
    assert find_ground("rough:0.03:7") == find_ground("rough:0.03:7") != find_ground("rough:0.03:8")
    place = find_place("step")
    assert place.name == "step:0.2:0" and place.ground == find_ground("step:0.2:0")
    assert find_ground(None) == find_ground("flat") == Ground()
    assert find_place("rough").reach == 8.0 and find_place("flat").reach == float("inf")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("moon", ("'moon'", "valid: flat, gap")),
        ("", ("''", "flat")),
        ("step:0.9", ("step", "found 0.9", "0 to 0.8 m")),
        ("step:-0.1", ("found -0.1", "0 to 0.8 m")),
        ("step:nan", ("found nan",)),
        ("step:inf", ("found inf",)),
        ("step:high", ("'high'", "KIND[:DIFFICULTY[:SEED]]")),
        ("step:", ("''", "KIND")),
        ("ramp:45", ("found 45", "0 to 0.8 rad")),
        ("flat:0.1", ("flat", "found 0.1", "valid: 0")),
        ("rough:0.03:-1", ("'-1'", "whole number")),
        ("rough:0.03:1.5", ("'1.5'",)),
        ("rough:0.03:99999999999", ("99999999999",)),
        ("rough:0.03:1:2", ("'rough:0.03:1:2'", "KIND")),
        ("./nowhere.yaml:0.1", ("nowhere.yaml", "no such path")),
    ],
)
def test_what_is_no_terrain_is_one_line_with_what_is_valid(name: str, words: tuple[str, ...]) -> None:
    with pytest.raises(RobotError) as refused:
        find_place(name)
    assert "\n" not in str(refused.value)
    assert all(word in str(refused.value) for word in words), refused.value


def test_a_users_terrain_is_found_by_path_and_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    obstacles = [{"kind": "step", "height": "0.5 d", "length": 1.0, "down": True, "back": True}]
    path = written(tmp_path, "step", lane__obstacles=obstacles, lane__floor=-1.0, lane__run_up=1.0)
    assert along(find_ground(f"{path}:0.4"), 0.9, 1.1, 2.1) == [0.0, -0.2, 0.0]
    (tmp_path / "terrains").mkdir()
    Path(path).rename(tmp_path / "terrains" / "pit.yaml")
    monkeypatch.setenv("ROBOT_POLICIES_PATH", str(tmp_path))
    assert along(find_ground("pit:0.4"), 1.5) == [-0.2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lane__floor": 1.0}, "lane.floor"),
        ({"lane__width": 0.0}, "lane.width"),
        ({"lane__obstacles": []}, "obstacles"),
        ({"lane__obstacles": [{"kind": "wall", "height": "d"}]}, "wall"),
        ({"lane__obstacles": [{"kind": "hurdle", "height": "2 * d"}]}, "height"),
        ({"lane__obstacles": [{"kind": "hurdle", "height": -0.1}]}, "height"),
        ({"lane__obstacles": [{"kind": "hurdle", "height": "d", "colour": "red"}]}, "colour"),
        ({"difficulty__default": 5.0}, "default"),
        ({"difficulty__range": [0.5, 0.1]}, "default"),
        ({"field": {"columns": {"kind": "rough", "height": "d", "length": 4.0}}}, "lane and field"),
        ({"wind": 3.0}, "wind"),
    ],
)
def test_a_file_that_is_no_terrain_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RobotError, match=message) as refused:
        find_place(written(tmp_path, "step", **changes))
    assert "\n" not in str(refused.value)


def test_pairs_are_drawn_from_the_seed(tmp_path: Path) -> None:
    obstacles = [{"kind": "step", "height": [0.1, "d"], "length": 1.0}]
    path = written(tmp_path, "step", lane__obstacles=obstacles)
    heights = [along(find_ground(f"{path}:0.3:{seed}"), 2.0)[0] for seed in range(20)]
    assert all(0.1 <= height <= 0.3 for height in heights) and np.ptp(heights) > 0.1
