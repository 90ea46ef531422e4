"""Courses as data: what is shipped, what a user can add, and what is refused before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mujoco
import pytest
import yaml
from helpers.bundles import contract_of
from helpers.offline import SPEC

from robot_policies.exceptions import ResourceError, SchemaError
from robot_policies.resources import find, listing
from sim2real.evaluation.course import load_course
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
    course = load_course("flat", 0.0)
    assert (course.name, course.difficulties) == ("flat", (0.0,))
    rules = course.success
    assert (rules.settle, rules.velocity_tolerance, rules.drift, rules.tilt) == (2.0, 0.2, 0.2, 1.0)


def test_every_shipped_course_loads_at_each_of_its_difficulties() -> None:
    for name, _ in listing("courses"):
        raw = yaml.safe_load(find("courses", name).read_text(encoding="utf-8"))
        for difficulty in raw["difficulties"]:
            assert load_course(name, difficulty).name == name


def test_a_users_course_is_found_by_its_path(tmp_path: Path) -> None:
    assert load_course(str(written(tmp_path, name="mine", difficulties=[0.0, 1.5])), 1.5).name == "mine"


def test_unknown_course_and_difficulty_are_one_line_with_what_is_valid() -> None:
    with pytest.raises(ResourceError, match="flat") as unknown:
        load_course("moon", 0.0)
    with pytest.raises(ResourceError, match=r"found 0\.5; valid: 0\.0") as hard:
        load_course("flat", 0.5)
    assert "\n" not in str(unknown.value) + str(hard.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"success__drift": -1.0}, "success.drift"),
        ({"success__settle": "2 s"}, "success.settle"),
        ({"wind": 3.0}, "wind: unknown key"),
        ({"vary__foot_friction": [1.0, 0.5]}, "friction"),
        ({"vary__added_mass": [1.0, 0.5]}, "added_mass"),
        ({"difficulties": [float("nan")]}, "difficulties"),
    ],
)
def test_a_course_that_makes_no_sense_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        load_course(str(written(tmp_path, **changes)), 0.0)


def test_a_course_on_a_terrain_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    course = load_course(str(written(tmp_path, terrain="lava")), 0.0)
    with pytest.raises(ResourceError, match=r"terrain; found lava; valid: .*flat"):
        varied_world(course, SPEC, 0)


def feet_and_trunk(model: mujoco.MjModel) -> tuple[float, float, float]:
    friction = {float(model.geom(foot).friction[0]) for foot in SPEC.feet}
    trunk = model.body("base").id
    assert len(friction) == 1
    return friction.pop(), float(model.body_mass[trunk]), float(model.body_inertia[trunk].sum())


def test_seeds_draw_feet_and_trunk_within_the_ranges_and_again_the_same() -> None:
    course, nominal = load_course("flat", 0.0), feet_and_trunk(build_model(SPEC))
    drawn = [feet_and_trunk(build_model(SPEC, varied_world(course, SPEC, seed))) for seed in range(12)]
    again = [feet_and_trunk(build_model(SPEC, varied_world(course, SPEC, seed))) for seed in range(12)]
    assert drawn == again and len(set(drawn)) == 12
    for friction, mass, inertia in drawn:
        assert course.vary.foot_friction[0] <= friction <= course.vary.foot_friction[1]
        assert course.vary.added_mass[0] <= mass - nominal[1] <= course.vary.added_mass[1]
        assert inertia / nominal[2] == pytest.approx(mass / nominal[1])  # the mass is added where the mass is
    assert max(d[0] for d in drawn) - min(d[0] for d in drawn) > 0.2


def test_ranges_of_zero_width_give_the_nominal_robot(tmp_path: Path) -> None:
    course = load_course(str(written(tmp_path, vary__foot_friction=[0.8, 0.8], vary__added_mass=[0.0, 0.0])), 0.0)
    nominal, varied = build_model(SPEC), build_model(SPEC, varied_world(course, SPEC, 5))
    assert feet_and_trunk(varied) == pytest.approx(feet_and_trunk(nominal))
    assert varied.ngeom == nominal.ngeom


def test_a_blind_bundle_has_no_cameras() -> None:
    from robot_policies.contract import Contract
    from robot_policies.schema import parse

    contract = parse(Contract, {"format": 1, "files": {}, **contract_of(SPEC)}, "test")
    assert simulated_cameras(contract, SPEC, lambda: None, None, 0) is None  # type: ignore[arg-type, return-value]
