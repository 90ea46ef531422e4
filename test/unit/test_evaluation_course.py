"""Courses as data: what is shipped, what a user can add, and what is refused before anything starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import mujoco
import pytest
import yaml
from helpers.bundles import contract_of
from helpers.offline import SPEC

from robot_policies.exceptions import InputError, ResourceError, RobotError, SchemaError
from robot_policies.resources import find, listing
from sim2real.evaluation.course import Course, Crossing, Following, load_course
from sim2real.evaluation.episode import Job
from sim2real.evaluation.plan import check_time
from sim2real.evaluation.plant import nominal
from sim2real.evaluation.world import simulated_cameras, varied_world
from sim2real.mujoco.world import build_model


def written(folder: Path, **changes: Any) -> Path:
    """Return a copy of the flat course with other values at the top, ``vary__`` and ``success__`` inside."""
    data = yaml.safe_load(find("courses", "flat").read_text(encoding="utf-8"))
    for key, value in changes.items():
        block, _, name = key.rpartition("__")
        (data[block] if block else data)[name] = value
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return path


def test_flat_is_shipped_and_says_when_an_episode_succeeds() -> None:
    course = load_course("flat")
    assert (course.name, course.difficulty.range, course.settle) == ("flat", (0.0, 0.0), 2.0)
    rules = course.success
    assert isinstance(rules, Following)
    assert (rules.velocity_tolerance, rules.drift, course.fall.tilt, course.fall.thighs) == (0.2, 0.2, 1.0, True)


def test_the_shipped_courses_are_named_after_their_terrains() -> None:
    names = {name for name, _ in listing("courses")}
    assert names >= {"flat", "rough", "steps", "step", "stairs", "gap", "ramp", "tilt", "hurdle", "mixed"}
    assert {load_course(name).terrain for name in names} == names <= {name for name, _ in listing("terrains")}


@pytest.mark.parametrize("name", [name for name, _ in listing("courses")])
def test_every_shipped_course_has_a_way_to_its_end_at_each_difficulty(name: str) -> None:
    course = load_course(name)
    low, high = course.difficulty.range
    for difficulty in {low, (low + high) / 2, high}:
        assert load_course(name, difficulty).name == name
        job = Job("x", "go2", course, difficulty, 3, course.seconds, course.command)
        check_time(job)
        lane = course.place(difficulty, 3).lane
        if isinstance(course.success, Crossing):
            assert lane is not None
            goal = lane.last_edge + course.success.beyond
            assert lane.end >= goal + 0.5 and course.seconds > 1.5 * goal / course.command[0]


def test_a_users_course_is_found_by_its_path(tmp_path: Path) -> None:
    path = written(tmp_path, name="mine", terrain="step", difficulty={"range": [0.1, 0.3], "default": 0.2})
    assert load_course(str(path), 0.25).name == "mine"


def test_any_number_in_the_range_is_a_difficulty() -> None:
    assert load_course("step", 0.123).name == "step"


@pytest.mark.parametrize("difficulty", [0.71, -0.01, float("nan"), float("inf")])
def test_a_difficulty_out_of_range_is_one_line_with_the_range_and_its_unit(difficulty: float) -> None:
    with pytest.raises(ResourceError, match=rf"course step: difficulty; found {difficulty:g}; valid: 0 to 0\.7 m$"):
        load_course("step", difficulty)


def test_an_unknown_course_is_one_line_with_what_is_valid() -> None:
    with pytest.raises(ResourceError, match="flat, gap, hurdle") as unknown:
        load_course("moon")
    with pytest.raises(ResourceError, match=r"found 0\.5; valid: 0$"):
        load_course("flat", 0.5)
    assert "\n" not in str(unknown.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"success__drift": -1.0}, "success.*drift"),
        ({"success__kind": "beauty"}, "beauty"),
        ({"settle": "2 s"}, "settle"),
        ({"wind": 3.0}, "wind: unknown key"),
        ({"vary__foot_friction": [1.0, 0.5]}, "friction"),
        ({"vary__added_mass": [1.0, 0.5]}, "added_mass"),
        ({"vary__start_yaw": [1.0, 0.5]}, "start_yaw"),
        ({"difficulty__default": float("nan")}, "difficulty"),
        (
            {"difficulty__range": [0.0, 0.1]},
            r"difficulty\.range; found 0 to 0\.1; valid: within 0 to 0 of terrain flat",
        ),
        ({"difficulty__range": [0.1, 0.0]}, "low before high"),
        ({"success": {"kind": "lane", "beyond": 1.0}}, "a terrain with a lane; found flat"),
    ],
)
def test_a_course_that_makes_no_sense_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        load_course(str(written(tmp_path, **changes)))


def test_a_course_on_a_terrain_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RobotError, match=r"terrain; found 'lava'; valid: .*flat"):
        load_course(str(written(tmp_path, terrain="lava")))


def test_each_seed_has_a_ground_of_its_own_where_something_is_drawn() -> None:
    course = load_course("rough")
    assert course.place(0.03, 1).ground == course.place(0.03, 1).ground != course.place(0.03, 2).ground


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seconds": 2.0}, "--seconds; found 2 s; valid: more than the 2 s"),
        ({"seconds": 40.0}, r"course rough: a way on its ground; found 0.5 m/s for 40 s is 20.0 m; valid: 8 m or less"),
        ({"command": (0.6, 0.8, 0.0)}, "10.0 m"),
    ],
)
def test_an_episode_that_leaves_its_ground_is_refused(changes: dict[str, Any], message: str) -> None:
    job = Job("x", "go2", load_course("rough"), 0.03, 0, 10.0, (0.5, 0.0, 0.0))
    check_time(replace(job, seconds=16.0))
    check_time(replace(job, seconds=60.0, command=(1.0, 0.0, 1.0)))  # a circle of 2 m
    with pytest.raises(InputError, match=message):
        check_time(replace(job, **changes))


def world_of(course: Course, seed: int) -> mujoco.MjModel:
    return build_model(SPEC, varied_world(course.place(0.0, seed).ground, nominal(course.vary, seed), SPEC))


def feet_and_trunk(model: mujoco.MjModel) -> tuple[float, float, float]:
    friction = {float(model.geom(foot).friction[0]) for foot in SPEC.feet}
    trunk = model.body("base").id
    assert len(friction) == 1
    return friction.pop(), float(model.body_mass[trunk]), float(model.body_inertia[trunk].sum())


def test_seeds_draw_feet_and_trunk_within_the_ranges_and_again_the_same() -> None:
    course, plain = load_course("flat", 0.0), feet_and_trunk(build_model(SPEC))
    drawn = [feet_and_trunk(world_of(course, seed)) for seed in range(12)]
    again = [feet_and_trunk(world_of(course, seed)) for seed in range(12)]
    assert drawn == again and len(set(drawn)) == 12
    for friction, mass, inertia in drawn:
        assert course.vary.foot_friction[0] <= friction <= course.vary.foot_friction[1]
        assert course.vary.added_mass[0] <= mass - plain[1] <= course.vary.added_mass[1]
        assert inertia / plain[2] == pytest.approx(mass / plain[1])  # the mass is added where the mass is
    assert max(d[0] for d in drawn) - min(d[0] for d in drawn) > 0.2


def test_ranges_of_zero_width_give_the_nominal_robot(tmp_path: Path) -> None:
    course = load_course(str(written(tmp_path, vary__foot_friction=[0.8, 0.8], vary__added_mass=[0.0, 0.0])), 0.0)
    plain, varied = build_model(SPEC), world_of(course, 5)
    assert feet_and_trunk(varied) == pytest.approx(feet_and_trunk(plain))
    assert varied.ngeom == plain.ngeom


def test_a_blind_bundle_has_no_cameras() -> None:
    from robot_policies.contract import Contract
    from robot_policies.schema import parse

    contract = parse(Contract, {"format": 1, "files": {}, **contract_of(SPEC)}, "test")
    assert simulated_cameras(contract, SPEC, lambda: None, None, 0) is None  # type: ignore[arg-type, return-value]
