"""docs/bundle.md says every key and every term, and its example is a bundle."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.networks import mlp

from robot_policies import contract as contract_module
from robot_policies.bundle.golden import check_golden
from robot_policies.bundle.write import write_bundle
from robot_policies.observation.terms import TERMS
from robot_policies.robot_spec import load_robot_spec
from robot_policies.schema import parse

DOCS = (Path(__file__).resolve().parents[2] / "docs" / "bundle.md").read_text(encoding="utf-8")
EXAMPLES = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL)]
SCHEMAS = [kind for kind in vars(contract_module).values() if isinstance(kind, type) and dataclasses.is_dataclass(kind)]


def words(text: str) -> set[str]:
    """Return every word that is in backticks or a key of the examples."""
    quoted = set(re.findall(r"[A-Za-z_0-9]+", " ".join(re.findall(r"`([^`\n]+)`", text))))
    return quoted | keys(EXAMPLES)


def keys(data: Any) -> set[str]:
    if isinstance(data, dict):
        return set(data) | {key for value in data.values() for key in keys(value)}
    return {key for value in data for key in keys(value)} if isinstance(data, list) else set()


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.__name__)
def test_every_key_is_explained(schema: type) -> None:
    missing = {field.name for field in dataclasses.fields(schema)} - words(DOCS)
    assert not missing, f"docs/bundle.md does not name {sorted(missing)} of {schema.__name__}"


def test_every_term_and_parameter_is_explained() -> None:
    named = words(DOCS)
    assert not set(TERMS) - named
    assert not {param for term in TERMS.values() for param in term.params} - named


def test_the_example_is_a_bundle(tmp_path: Path) -> None:
    example = dict(EXAMPLES[0])
    listed = example.pop("files")
    assert example.pop("format") == 1
    assert set(listed) == {"README.md", "actor.onnx", "golden.npz"}
    spec = load_robot_spec("go2")
    files = {"actor.onnx": mlp((270, 16, 12)), "README.md": "x"}
    bundle = write_bundle(tmp_path / "example_walk", example, files, spec, ticks=32)
    assert check_golden(bundle, spec).ticks == 32


def test_the_example_with_a_camera_is_of_the_form() -> None:
    for network in EXAMPLES[1]:
        parse(contract_module.Network, network, "docs/bundle.md")
