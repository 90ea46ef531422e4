"""Exports of Extreme Parkour with the bundles made of them, and inputs to compare on. Imports PyTorch when made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from robot_policies.bundle.load import Bundle
from robot_policies.bundle.synthetic import synthetic_inputs
from robot_policies.contract import Contract
from robot_policies.policies.parkour import ParkourPolicy
from robot_policies.robot_spec import load_robot_spec
from robot_policies.schema import parse
from robot_policies.types import PolicyInputs, owned

SPEC = load_robot_spec("go2")
SEEING = pytest.mark.parametrize("sees", [False, True], ids=["scan", "depth"])


@dataclass
class Pair:
    """An export, and the bundle made of it."""

    source: Path
    folder: Path
    bundle: Bundle

    def policy(self) -> ParkourPolicy:
        return ParkourPolicy(self.bundle, SPEC)

    def bent(self, change: Callable[[dict[str, Any]], Any]) -> ParkourPolicy:
        """Return the policy with another contract, which nothing checks."""
        data = yaml.safe_load((self.folder / "policy.yaml").read_text(encoding="utf-8"))
        change(data)
        return ParkourPolicy(Bundle(parse(Contract, data, "bent"), self.folder), SPEC)


MADE: dict[bool, Pair] = {}


def made_pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Pair]:
    """Return a pair that reads true heights (False) and one that sees (True), made once for all tests."""
    from helpers.extreme_parkour import bring, export

    for sees in () if MADE else (False, True):
        folder = tmp_path_factory.mktemp("depth" if sees else "scan")
        source = export(folder / "export", sees)
        MADE[sees] = Pair(source, folder / "bundle", bring(source, folder / "bundle").bundle)
    return MADE


def inputs_of(pair: Pair, ticks: int, seed: int = 5) -> list[PolicyInputs]:
    """Return plausible inputs, with contacts that come and go and a robot that turns."""
    random = np.random.default_rng(seed)
    made = synthetic_inputs(pair.bundle.contract, SPEC, seed, ticks)
    forces = random.uniform(0.0, 4.0, (ticks, 4))
    return [replace(item, state=replace(item.state, foot_force=owned(forces[i]))) for i, item in enumerate(made)]


def term(data: dict[str, Any], group: str, name: str, place: int = 0) -> dict[str, Any]:
    """Return one term of a contract."""
    return [entry for entry in data["observations"][group]["terms"] if entry["term"] == name][place]
