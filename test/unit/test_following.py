"""What a policy takes over from another one that commanded: its last action, its filter, and the way that it heads."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.bundles import contract_of, files_of, make_bundle, standing
from helpers.offline import SPEC
from helpers.seeing_walk import contract, seeing_walk
from hypothesis import given
from hypothesis import strategies as st

from robot_policies.action.decoder import ActionDecoder
from robot_policies.bundle.contract_check import TAKE_OVER, contract_faults
from robot_policies.bundle.load import Bundle
from robot_policies.contract import Contract, Filter
from robot_policies.policies.parkour import ParkourPolicy
from robot_policies.schema import parse
from robot_policies.types import PolicyInputs, VelocityCommand

CONTRACT: Contract = parse(Contract, {"format": 1, "files": {}, **contract_of(SPEC)}, "test")  # joints in reverse
TARGETS = st.lists(st.floats(-2.0, 2.0), min_size=12, max_size=12)


def decoder(**action: Any) -> ActionDecoder:
    return ActionDecoder(dataclasses.replace(CONTRACT, action=dataclasses.replace(CONTRACT.action, **action)), SPEC)


@given(TARGETS)
def test_what_a_target_means_asks_for_that_target(targets: list[float]) -> None:
    made, wanted = decoder(clip=None), np.array(targets)
    again = made.command(made.action(made.meant_by(wanted), 0)).joint_pos
    np.testing.assert_allclose(again, wanted, atol=1e-5)


@given(TARGETS)
def test_it_stays_within_the_clip_and_is_exact_where_that_allows(targets: list[float]) -> None:
    made, free = decoder(clip=(-1.5, 0.5)), decoder(clip=None)
    meant, wanted = made.meant_by(np.array(targets)), free.meant_by(np.array(targets))
    np.testing.assert_array_equal(meant, np.clip(wanted, -1.5, 0.5))
    assert meant.dtype == np.float32 and not meant.flags.writeable


def test_a_joint_that_the_action_does_not_move_counts_as_nothing() -> None:
    scale = tuple([0.0] + [0.25] * 11)
    meant = decoder(scale=scale, clip=None).meant_by(np.full(12, 0.7))
    assert meant[0] == 0.0 and np.all(np.isfinite(meant)) and np.abs(meant[1:]).min() > 0.0


def test_the_filter_goes_on_from_what_was_commanded() -> None:
    made = decoder(filter=Filter(alpha=0.25), clip=None)
    made.action(np.zeros(12, np.float32), 0)
    wanted = SPEC.poses["stand"] + 0.2
    meant = made.meant_by(wanted)
    after = made.action(np.zeros(12, np.float32), 1).processed
    np.testing.assert_allclose(after, 0.75 * meant, rtol=1e-6)


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle of kind parkour with a heading, and without a camera."""
    data = contract_of(SPEC)
    term = {"term": "heading_error", "size": 1, "params": {"limit": 0.6, "period": 1}}
    data["observations"]["policy"]["terms"].append(term)
    data["networks"][0]["inputs"][0]["shape"] = [1, 46]
    folder = tmp_path_factory.mktemp("made") / "heads"
    changes = {key: data[key] for key in ("observations", "networks")}
    return make_bundle(folder, SPEC, kind="parkour", files=files_of(data), **changes)


def turned(tick: int, yaw: float, rate: float = 0.0) -> PolicyInputs:
    quat = (np.cos(yaw / 2.0), 0.0, 0.0, np.sin(yaw / 2.0))
    stamp = tick * 20_000_000
    return PolicyInputs(standing(SPEC, stamp, base_quat_wxyz=quat), VelocityCommand(stamp, 0.5, 0.0, rate))


def test_the_heading_is_the_robots_own_while_another_one_leads(heads: Bundle) -> None:
    """Led round by half a turn, it does not want to turn back once it commands; and then it follows again."""
    policy = ParkourPolicy(heads, SPEC)
    for tick in range(30):
        observation = policy.observe(turned(tick, 0.1 * tick, rate=1.0), tick)
        assert observation.groups["policy"][45] == 0.0
        policy.follow(SPEC.poses["stand"])
    errors = [policy.observe(turned(tick, 3.0, rate=1.0), tick).groups["policy"][45] for tick in range(30, 34)]
    np.testing.assert_allclose(errors, [0.0, 0.02, 0.04, 0.06], atol=1e-6)


def test_without_another_one_it_keeps_the_heading(heads: Bundle) -> None:
    policy = ParkourPolicy(heads, SPEC)
    errors = [policy.observe(turned(tick, 0.1 * tick), tick).groups["policy"][45] for tick in range(4)]
    np.testing.assert_allclose(errors, [0.0, -0.1, -0.2, -0.3], atol=1e-6)


@pytest.mark.parametrize("lost", ["stand", "companion"])
@pytest.mark.parametrize(("max_age", "fine"), [(0.2, True), (0.23, True), (0.24, False)])
def test_a_bundle_that_hands_over_must_notice_in_time(lost: str, max_age: float, fine: bool) -> None:
    data = contract(lost)
    data["limits"]["inputs"]["depth"]["max_age"] = max_age
    faults = contract_faults(parse(Contract, {"format": 1, "files": {}, **data}, "test"), None)
    found = [fault for fault in faults if "limits.inputs.depth.max_age" in fault]
    assert (found == []) is fine
    assert fine or f"time to stop within {TAKE_OVER:g} s; found 0.24 s; valid: at most 0.23 s" in found[0]


@pytest.mark.parametrize("lost", ["landing", "blind"])
def test_the_other_words_leave_the_age_to_the_bundle(lost: str, tmp_path: Path) -> None:
    data = contract(lost)["limits"]
    data["inputs"]["depth"]["max_age"] = 2.0
    assert seeing_walk(tmp_path / "made", SPEC, lost, limits=data).contract.limits.inputs["depth"].max_age == 2.0
