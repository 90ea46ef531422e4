"""Kind parkour against the deployment loop of Extreme Parkour, written anew, and that the comparison feels mistakes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers.parkour_pair import SEEING, Pair, inputs_of, made_pairs, term

from robot_policies.policies.parkour import ParkourPolicy
from robot_policies.types import PolicyInputs

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Pair]:
    return made_pairs(tmp_path_factory)


def largest_difference(pair: Pair, policy: ParkourPolicy, inputs: list[PolicyInputs], reset: int) -> float:
    """Run policy and loop side by side, with a reset of both before tick ``reset``; return how far the actions part."""
    from helpers.parkour_loop import Loop

    sees, worst = bool(pair.bundle.contract.depth), 0.0
    policy.reset()
    loop, first = Loop(pair.source, sees), 0
    for place, item in enumerate(inputs):
        if place == reset:
            policy.reset()
            loop, first = Loop(pair.source, sees), place
        command = policy._command(item.velocity_command, item.state.stamp_ns)
        _, wanted = loop(replace(item, velocity_command=command))
        raw = policy.infer(policy.observe(item, place - first), place - first)
        policy.decode(raw, item.state.stamp_ns)
        loop.last_action = raw.copy()  # rounding is not to grow from step to step
        worst = max(worst, float(np.abs(raw - wanted).max()))
    return worst


@SEEING
def test_two_hundred_steps_are_those_of_the_original_loop(pairs: dict[bool, Pair], sees: bool) -> None:
    pair = pairs[sees]
    assert largest_difference(pair, pair.policy(), inputs_of(pair, 200), reset=103) < 2e-5


def network(data: dict[str, Any], name: str) -> dict[str, Any]:
    return next(entry for entry in data["networks"] if entry["name"] == name)


BOTH = {
    "history with the present": lambda d: d["observations"]["history"]["history"].update(ages=list(range(9, -1, -1))),
    "history newest first": lambda d: d["observations"]["history"]["history"].update(ages=list(range(1, 11))),
    "history that begins full": lambda d: d["observations"]["history"]["history"].update(fill="first_frame"),
    "history that stays empty": lambda d: d["observations"]["history"]["history"].update(fill="zeros"),
    "contact of one tick only": lambda d: term(d, "proprio", "foot_contact_held").update(term="foot_contact"),
    "contact from 3 N on": lambda d: term(d, "proprio", "foot_contact_held")["params"].update(threshold=3.0),
    "contact not centred": lambda d: term(d, "proprio", "foot_contact_held").pop("offset"),
    "feet left first": lambda d: term(d, "proprio", "foot_contact_held")["params"]["feet"].reverse(),
    "flags of walking": lambda d: term(d, "proprio", "constant", -1)["params"].update(value=[0.0, 1.0]),
    "action after the clip": lambda d: d["action"].update(last_action="clipped", clip=[-0.01, 0.01]),
    "velocities not scaled": lambda d: term(d, "proprio", "joint_vel").pop("scale"),
    "turning not scaled": lambda d: term(d, "proprio", "base_ang_vel").pop("scale"),
    "another default pose": lambda d: d["joints"]["default_joint_pos"].__setitem__(0, 0.1),
}
ONLY_DEPTH = {
    "looks every fourth tick": lambda d: network(d, "depth_encoder").update(period=4),
    "predicted yaw not scaled": lambda d: network(d, "actor")["inputs"][0]["source"][1].pop("scale"),
    "estimator without yaw": lambda d: network(d, "estimator")["inputs"][0]["source"][1].update(scale=0.0),
    "bilinear": lambda d: d["depth"]["depth"].update(interpolation="bilinear"),
    "clip at 3 m": lambda d: d["depth"]["depth"].update(far=3.0),
    "crop at the top": lambda d: d["depth"]["depth"].update(crop=[2, 0, 4, 4]),
    "holes near": lambda d: d["depth"]["depth"].update(invalid="near"),
}
ONLY_SCAN = {
    "scans every tick": lambda d: network(d, "scan").update(period=1),
    "base not lowered": lambda d: term(d, "scan", "height_scan").pop("offset"),
    "scan not clipped": lambda d: term(d, "scan", "height_scan").update(clip=[-0.2, 0.2]),
    "yaw error not held": lambda d: [
        term(d, group, "heading_error", i)["params"].update(period=1)
        for group in ("proprio", "history")
        for i in (0, 1)
    ],
    "yaw errors remembered": lambda d: d["observations"]["history"]["history"].update(mask=[]),
}


@pytest.mark.parametrize(
    ("sees", "change"),
    [(s, c) for s in (False, True) for c in (BOTH | (ONLY_DEPTH if s else ONLY_SCAN)).values()],
    ids=[f"{'depth' if s else 'scan'}: {n}" for s in (False, True) for n in BOTH | (ONLY_DEPTH if s else ONLY_SCAN)],
)
def test_the_comparison_feels_every_mistake(pairs: dict[bool, Pair], sees: bool, change: Callable[..., Any]) -> None:
    pair = pairs[sees]
    assert largest_difference(pair, pair.bent(change), inputs_of(pair, 14), reset=-1) > 2e-4
