"""Foreign YAML, key by key, and the user's own."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from robot_policies.bundle.importers.contract_dict import bundle_name
from robot_policies.bundle.importers.describe import load_description
from robot_policies.bundle.importers.keys import Keys, is_integer, is_number, read
from robot_policies.bundle.importers.policy import shortened
from robot_policies.exceptions import ImportFormatError


def written(folder: Path, text: str) -> Path:
    path = folder / "file.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "value"), [("1e-3", 0.001), ("-2.5E+1", -25.0), (".5e0", 0.5), ("3", 3.0), ("+1.5", 1.5)]
)
def test_numbers_as_other_readers_of_yaml_take_them(tmp_path: Path, text: str, value: float) -> None:
    assert read(written(tmp_path, f"a: {text}")).number("a") == value


def test_text_that_looks_like_a_number_stays_text(tmp_path: Path) -> None:
    with pytest.raises(ImportFormatError, match=r"file.yaml: a; found 1e-3x; valid: one finite number"):
        read(written(tmp_path, "a: 1e-3x")).number("a")


def test_tags_of_isaac_lab(tmp_path: Path) -> None:
    keys = read(
        written(tmp_path, "a: !!python/tuple [1, 2]\nb: !!python/object/apply:builtins.slice [null, null, null]\n")
    )
    assert keys.integers("a") == (1, 2)
    assert keys.get("b") is None


@pytest.mark.parametrize(
    "text", ["a: !!python/object/apply:builtins.slice [0, 3, null]", "a: !!python/object/apply:os.getcwd []", "a: [1"]
)
def test_anything_else_that_yaml_could_do_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ImportFormatError, match=r"file.yaml: a readable YAML file"):
        read(written(tmp_path, text))


@pytest.mark.parametrize(
    ("data", "method", "named"),
    [
        ({}, "number", "where: a; found no such key; valid: one finite number"),
        ({"a": None}, "number", "where: a; found null"),
        ({"a": True}, "number", "where: a; found True"),
        ({"a": math.inf}, "number", "where: a; found inf"),
        ({"a": "x"}, "integers", "where: a; found x"),
        ({"a": [1, 2.5]}, "integers", "whole numbers"),
        ({"a": [1, -1]}, "integers", "whole numbers"),
        ({"a": []}, "strings", "a list of names"),
        ({"a": [1]}, "strings", "a list of names"),
        ({"a": ""}, "text", "a string"),
        ({"a": 1}, "below", "where: a: a mapping of keys"),
        ({"b": 1}, "below", "where: a; found only b"),
    ],
)
def test_each_fault_names_place_and_key(data: dict[str, Any], method: str, named: str) -> None:
    with pytest.raises(ImportFormatError, match=named):
        getattr(Keys(data, "where"), method)("a")


def test_numbers_per_joint() -> None:
    keys = Keys({"list": [1, 2.0], "one": 3, "nan": [1.0, math.nan]}, "where")
    assert keys.numbers("list", 2, "joint") == (1.0, 2.0)
    assert keys.numbers("one", 2, "joint", scalar=True) == (3.0, 3.0)
    with pytest.raises(ImportFormatError, match="where: one; found 3; valid: 2 finite numbers, one per joint"):
        keys.numbers("one", 2, "joint")
    with pytest.raises(ImportFormatError, match="where: list; found 2 entries; valid: 3 finite numbers"):
        keys.numbers("list", 3, "joint")
    with pytest.raises(ImportFormatError, match=r"where: nan\[1\]; found nan"):
        keys.numbers("nan", 2, "joint")


def test_keys_remember_what_was_read() -> None:
    keys = Keys({"a": 1, "b": 2, "c": 3}, "one").overridden_by(Keys({"b": 4}, "two"))
    assert (keys.number("b"), keys.where) == (4.0, "two")
    assert keys.unread() == ["a", "c"]
    assert keys.unread(("c",)) == ["a"]
    assert "a" in keys and "d" not in keys


def test_what_counts_as_a_number() -> None:
    assert [is_number(value) for value in (1, 2.5, True, "1", None, math.nan, 10**400)] == [True, True] + [False] * 5
    assert [is_integer(value) for value in (1, 2.0, 2.5, True)] == [True, True, False, False]


def test_equal_numbers_become_one() -> None:
    assert shortened([0.5, 0.5]) == 0.5
    assert shortened([0.5, 0.6]) == (0.5, 0.6)


@pytest.mark.parametrize(
    ("asked", "proposed", "name"),
    [
        (None, "go2_robot_lab", "go2_robot_lab"),
        (None, "Go2 Policy-v1.3", "go2_policy_v1_3"),
        (None, "2024", "policy_2024"),
        (None, "--", "policy"),
        ("mine", "x", "mine"),
    ],
)
def test_names_of_bundles(asked: str | None, proposed: str, name: str) -> None:
    assert bundle_name(asked, proposed) == name


@pytest.mark.parametrize("name", ["Mine", "1st", "a-b", "", "a/b"])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(ImportFormatError, match="--name"):
        bundle_name(name, "x")


def test_no_description_is_an_empty_one() -> None:
    assert load_description(None).control_dt is None


def test_all_faults_of_a_description_are_listed_at_once(tmp_path: Path) -> None:
    with pytest.raises(ImportFormatError) as caught:
        load_description(written(tmp_path, "control_dt: -1\nstiffness: soft\naction: {scale: x}\n"))
    text = str(caught.value)
    assert all(key in text for key in ("control_dt", "stiffness", "action.scale"))
    assert len(text.splitlines()) >= 3


def test_a_description_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ImportFormatError, match="nowhere.yaml: a readable YAML file"):
        load_description(tmp_path / "nowhere.yaml")
