"""The action decoder: clip, filter, the point of the last action, joint order, and the name of the gains."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import numpy as np
import pytest
from helpers.bundles import contract_of
from hypothesis import example, given, settings
from hypothesis import strategies as st

from robot_policies.action.decoder import ActionDecoder, gain_profile
from robot_policies.contract import Contract
from robot_policies.exceptions import BundleError, InputError
from robot_policies.robot_spec import load_robot_spec
from robot_policies.schema import parse

SPEC = load_robot_spec("go2")
RAW = np.linspace(-6.0, 5.0, 12).astype(np.float32)


def contract(action: dict[str, Any] | None = None, joints: dict[str, Any] | None = None) -> Contract:
    data = contract_of(SPEC) | {"format": 1, "files": {}}
    data["action"] |= action or {}
    data["joints"] |= joints or {}
    return parse(Contract, data, "test")


def decoder(**action: Any) -> ActionDecoder:
    return ActionDecoder(contract(action), SPEC)


def test_target_is_offset_plus_scale_times_clipped_in_robot_order() -> None:
    made = contract()
    action = ActionDecoder(made, SPEC).action(RAW, 7)
    command = ActionDecoder(made, SPEC).command(action)
    scale, offset = np.array(made.action.scale), np.array(made.action.offset)
    expected = offset + scale * np.clip(RAW, -4.0, 4.0)
    np.testing.assert_allclose(command.joint_pos, expected[::-1], rtol=1e-7)  # the bundle's order is the reverse
    assert (action.stamp_ns, command.stamp_ns) == (7, 7)
    np.testing.assert_array_equal(command.joint_vel, np.zeros(12))
    np.testing.assert_array_equal(command.joint_effort, np.zeros(12))
    np.testing.assert_array_equal(command.stiffness, np.array(made.joints.stiffness)[::-1])
    np.testing.assert_array_equal(command.damping, np.array(made.joints.damping)[::-1])


@settings(max_examples=50, deadline=None)
@given(st.permutations(SPEC.joint_names))
@example(list(SPEC.joint_names))  # nothing to pick
def test_any_order_reaches_the_same_motors(names: list[str]) -> None:
    wanted = {name: 0.01 * i for i, name in enumerate(SPEC.joint_names)}
    made = contract({"scale": 1.0, "offset": 0.0, "clip": None}, {"names": list(names)})
    raw = np.array([wanted[name] for name in names], np.float32)
    step = ActionDecoder(made, SPEC)
    command = step.command(step.action(raw, 0))
    np.testing.assert_allclose(command.joint_pos, list(wanted.values()), rtol=1e-6)


def test_clips_per_joint() -> None:
    low, high = [-0.1 * i for i in range(12)], [0.2 * i for i in range(12)]
    processed = decoder(clip=[low, high]).action(RAW, 0).processed
    np.testing.assert_allclose(processed, np.clip(RAW, low, high), rtol=1e-6)


def test_no_clip_leaves_everything() -> None:
    np.testing.assert_array_equal(decoder(clip=None).action(RAW * 1e6, 0).processed, RAW * 1e6)


def test_the_filter_starts_at_the_first_action_and_follows() -> None:
    step, alpha = decoder(filter={"alpha": 0.25}, clip=[-1.0, 1.0]), 0.25
    first, second = np.full(12, 3.0, np.float32), np.full(12, -3.0, np.float32)
    np.testing.assert_array_equal(step.action(first, 0).processed, np.ones(12))
    np.testing.assert_allclose(step.action(second, 1).processed, np.full(12, 1.0 - 2.0 * alpha))
    np.testing.assert_allclose(step.action(second, 2).processed, np.full(12, 0.5 - 1.5 * alpha))
    step.reset()
    np.testing.assert_array_equal(step.action(second, 3).processed, -np.ones(12))


@pytest.mark.parametrize(("point", "expected"), [("raw", -6.0), ("clipped", -4.0), ("filtered", 0.0)])
def test_the_last_action_is_taken_where_the_bundle_says(point: str, expected: float) -> None:
    step = decoder(last_action=point, filter={"alpha": 0.5})
    step.action(np.full(12, 9.0, np.float32), 0)  # the filter stands at 4
    action = step.action(np.full(12, -6.0, np.float32), 1)
    np.testing.assert_array_equal(action.last_action, np.full(12, expected))
    np.testing.assert_array_equal(action.raw, np.full(12, -6.0))
    np.testing.assert_array_equal(action.processed, np.zeros(12))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused_before_any_clip(bad: float) -> None:
    raw = RAW.copy()
    raw[5] = bad
    step = decoder(filter={"alpha": 0.5})
    with pytest.raises(InputError, match="action: finite numbers"):
        step.action(raw, 0)
    np.testing.assert_array_equal(step.action(np.ones(12, np.float32), 1).processed, np.ones(12))  # filter untouched


@pytest.mark.parametrize("size", [0, 1, 11, 13])
def test_another_size_is_refused(size: int) -> None:
    with pytest.raises(InputError, match=rf"one number per joint; found \({size},\); valid: \(12,\)"):
        decoder().action(np.zeros(size, np.float32), 0)


def test_action_and_command_own_their_arrays() -> None:
    step = decoder(filter={"alpha": 0.5})
    raw = RAW.copy()
    action = step.action(raw, 0)
    command = step.command(action)
    arrays = (action.raw, action.processed, action.last_action, command.joint_pos, command.joint_vel, command.stiffness)
    kept = [array.copy() for array in arrays]
    raw[:] = 99.0
    for stamp in range(1, 4):
        step.command(step.action(raw, stamp))
    for array, before in zip(arrays, kept, strict=True):
        np.testing.assert_array_equal(array, before)
        assert not array.flags.writeable


def test_the_name_of_the_gains_is_the_hash_of_their_doubles_in_robot_order() -> None:
    made = contract()
    stiffness, damping = made.joints.stiffness[::-1], made.joints.damping[::-1]
    content = struct.pack("<24d", *stiffness, *damping)
    assert gain_profile(made, SPEC).name == f"tiny/{hashlib.sha256(content).hexdigest()[:12]}"
    assert gain_profile(made, SPEC).name == "tiny/32deed6370e1"  # of these numbers, for good


def test_gains_that_differ_in_one_bit_have_another_name() -> None:
    damping = list(contract().joints.damping)
    damping[3] = float(np.nextafter(damping[3], 1.0))
    assert gain_profile(contract(joints={"damping": damping}), SPEC).name != gain_profile(contract(), SPEC).name


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (list(SPEC.joint_names[:11]), "found missing RL_calf_joint; valid"),
        ([*SPEC.joint_names[:11], "tail"], "found unknown tail; missing RL_calf_joint; valid"),
        ([*SPEC.joint_names, "tail"], "found unknown tail; valid"),
        ([*SPEC.joint_names[:11], SPEC.joint_names[0]], "missing RL_calf_joint; twice FR_hip_joint; valid"),
    ],
)
def test_a_bundle_commands_every_joint_of_the_robot_once(names: list[str], found: str) -> None:
    with pytest.raises(BundleError, match=f"every joint of the robot, once.*{found}"):
        ActionDecoder(contract(joints={"names": names}), SPEC)
