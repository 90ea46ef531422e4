"""Bundles that take turns, and inputs with and without an image, tick by tick."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from helpers.bundles import contract_of, inputs_at, make_bundle
from helpers.images import floor
from helpers.offline import SPEC
from helpers.seeing_walk import NAME as SEES
from helpers.seeing_walk import seeing_walk

from robot_policies.bundle.load import Bundle
from robot_policies.control.member import RECOVERY_NS
from robot_policies.control.policy_step import PolicyStep
from robot_policies.control.switching import SwitchingStep
from robot_policies.exceptions import InputError
from robot_policies.types import DepthImage, PolicyInputs

TICK = 20_000_000  # [ns]
RECOVERY = RECOVERY_NS // TICK  # ticks
BACK = -3 * TICK  # capture of an image, from its tick


MADE: dict[str, Bundle] = {}


def made_bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    """Return bundles that go together, by name; made once for all tests."""
    if MADE:
        return MADE
    folder = tmp_path_factory.mktemp("bundles")
    other = contract_of(SPEC)
    names = list(SPEC.joint_names)
    pose = SPEC.poses["stand"].tolist()
    joints = {**other["joints"], "names": names, "default_joint_pos": pose, "stiffness": [40.0] * 12}
    joints["torque_limit"] = SPEC.effort_limit.tolist()
    action = {**other["action"], "scale": 0.3, "offset": pose, "clip": [-1.0, 0.5], "last_action": "clipped"}
    start = {**other["limits"], "start": {"joint_pos": pose, "tolerance": 0.5}}
    MADE.update(
        {
            "tiny": make_bundle(folder / "tiny", SPEC),
            "other": make_bundle(
                folder / "other", SPEC, name="other", joints=joints, action=action, limits=start, seed=5
            ),
            SEES: seeing_walk(folder / "sees", SPEC),
            "stands": seeing_walk(folder / "stands", SPEC, "stand"),
            "lands": seeing_walk(folder / "lands", SPEC, "landing"),
            "goes_blind": seeing_walk(folder / "goes_blind", SPEC, "blind"),
        }
    )
    return MADE


def step(bundles: dict[str, Bundle], main: str = "tiny", companion: str | None = "other", **options: Any) -> Any:
    second = None if companion is None else PolicyStep(bundles[companion], SPEC)
    return SwitchingStep(PolicyStep(bundles[main], SPEC), second, **options)


def seen(tick: int, image: DepthImage | None = None) -> PolicyInputs:
    """Inputs of a tick with an image: a new one, unless another is given."""
    image = image or floor(tick * TICK + BACK)
    return dataclasses.replace(inputs_at(SPEC, tick), depth={"front": image})


def unseen(tick: int) -> PolicyInputs:
    return inputs_at(SPEC, tick)


def felt(step: PolicyStep) -> float:
    """Return the first number of the latent: half of what the memory holds, and a little."""
    return float(step._policy.graph.outputs()["eye"]["latent"][0, 0])


def failing(*_: Any) -> Any:
    raise InputError("of the test")
