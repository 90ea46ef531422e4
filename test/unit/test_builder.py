"""Groups: order, scales, clips and histories, against the same sum done by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.bundles import contract_of, standing
from hypothesis import example, given, settings
from hypothesis import strategies as st

from robot_policies.contract import Contract
from robot_policies.exceptions import BundleError, InputError
from robot_policies.observation.builder import ObservationBuilder
from robot_policies.robot_spec import load_robot_spec
from robot_policies.schema import parse
from robot_policies.sizes import frame_size, group_size
from robot_policies.types import PolicyInputs, VelocityCommand, owned

SPEC = load_robot_spec("go2")
LAST = owned(np.linspace(0.0, 1.1, 12), np.float32)


def contract(groups: dict[str, Any] | None = None, **changes: Any) -> Contract:
    data = contract_of(SPEC) | {"format": 1, "files": {}} | changes
    return parse(Contract, data | ({} if groups is None else {"observations": groups}), "test")


def group(*terms: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"group": {"terms": list(terms), **more}}


def at(tick: int, **changes: Any) -> PolicyInputs:
    return PolicyInputs(standing(SPEC, tick * 20_000_000, **changes), VelocityCommand(0, 0.4, -0.2, 0.8))


def test_the_order_scales_and_clip_of_a_velocity_policy() -> None:
    built = ObservationBuilder(contract(), SPEC).build(
        at(0, joint_pos=np.arange(12.0) * 20, joint_vel=np.arange(12.0), base_ang_vel=[1.0, 2.0, 4.0]), 0, LAST
    )
    default = np.array(contract_of(SPEC)["joints"]["default_joint_pos"])
    expected = np.concatenate(
        [
            [0.25, 0.5, 1.0],
            [0.0, 0.0, -1.0],
            [0.8, -0.4, 0.2],
            np.minimum(np.arange(12.0)[::-1] * 20 - default, 100.0),  # the bundle's order is the reverse
            0.05 * np.arange(12.0)[::-1],
            LAST,
        ]
    )
    np.testing.assert_allclose(built.groups["policy"], expected, rtol=1e-6)
    assert built.groups["policy"].max() == 100.0, "the clip of the group was never reached"
    assert built.stamp_ns == 0


def test_a_term_is_scaled_then_moved_then_clipped() -> None:
    term = {"term": "base_ang_vel", "size": 3, "scale": [1.0, 2.0, -3.0], "offset": 0.5, "clip": [[-1, -1, -4], 2.25]}
    built = ObservationBuilder(contract(group(term)), SPEC).build(at(0, base_ang_vel=[1.0, 1.0, 2.0]), 0, LAST)
    np.testing.assert_array_equal(built.groups["group"], [1.5, 2.25, -4.0])


def test_a_clip_of_one_term_leaves_the_others_alone() -> None:
    terms = ({"term": "base_ang_vel", "size": 3, "clip": [-1.0, 1.0]}, {"term": "constant", "size": 1})
    terms[1]["params"] = {"value": [1e6]}
    built = ObservationBuilder(contract(group(*terms)), SPEC).build(at(0, base_ang_vel=[5.0, -5.0, 0.5]), 0, LAST)
    np.testing.assert_array_equal(built.groups["group"], [1.0, -1.0, 0.5, 1e6])


def test_history_by_term_and_by_frame_differ_only_in_order() -> None:
    terms = [{"term": "base_ang_vel", "size": 3}, {"term": "gait_phase", "size": 2, "params": {"period": 0.8}}]
    past = {"ages": [2, 1, 0], "fill": "zeros"}
    by_term = ObservationBuilder(contract(group(*({**term, "history": past} for term in terms))), SPEC)
    by_frame = ObservationBuilder(contract(group(*terms, history=past)), SPEC)
    for tick in range(4):
        inputs = at(tick, base_ang_vel=[tick, 10.0 + tick, 20.0 + tick])
        one = by_term.build(inputs, tick, LAST).groups["group"]
        other = by_frame.build(inputs, tick, LAST).groups["group"].reshape(3, 5)
        np.testing.assert_array_equal(one, np.concatenate([other[:, :3].reshape(-1), other[:, 3:].reshape(-1)]))
    np.testing.assert_array_equal(one[:9], [1, 11, 21, 2, 12, 22, 3, 13, 23])


def test_a_term_without_history_beside_one_that_has_it() -> None:
    terms = (
        {"term": "base_ang_vel", "size": 3, "history": {"ages": [1], "fill": "first_frame"}},
        {"term": "projected_gravity", "size": 3},
    )
    built = contract(group(*terms, history={"ages": [0, 1], "fill": "first_frame"}))
    builder = ObservationBuilder(built, SPEC)
    for tick in range(3):
        values = builder.build(at(tick, base_ang_vel=[tick, 0.0, 0.0]), tick, LAST).groups["group"]
    # frame at tick 2 holds the velocity of tick 1, frame at tick 1 that of tick 0
    np.testing.assert_array_equal(values, [1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 0, -1])
    assert (frame_size(built.observations["group"]), group_size(built.observations["group"])) == (6, 12)


def test_reset_forgets() -> None:
    past = {"ages": [0, 1, 2], "fill": "first_frame"}
    terms = ({"term": "base_ang_vel", "size": 3, "history": past}, {"term": "projected_gravity", "size": 3})
    builder = ObservationBuilder(contract(group(*terms, history=past)), SPEC)
    fresh = builder.build(at(0, base_ang_vel=[1.0, 2.0, 3.0]), 0, LAST).groups["group"].copy()
    builder.build(at(1, base_ang_vel=[7.0, 8.0, 9.0]), 1, LAST)
    builder.reset()
    again = builder.build(at(2, base_ang_vel=[1.0, 2.0, 3.0]), 0, LAST).groups["group"]
    np.testing.assert_array_equal(fresh, again)


@settings(max_examples=50, deadline=None)
@given(st.permutations(SPEC.joint_names))
@example(list(SPEC.joint_names))  # nothing to pick
def test_any_order_of_the_joints_is_mapped_by_name(names: list[str]) -> None:
    data = contract_of(SPEC)
    data["joints"]["names"] = list(names)
    data["observations"] = group({"term": "joint_pos", "size": 12}, {"term": "joint_vel", "size": 12})
    pos, vel = np.arange(12.0), np.arange(12.0) + 100.0
    built = ObservationBuilder(parse(Contract, {**data, "format": 1, "files": {}}, "test"), SPEC)
    values = built.build(at(0, joint_pos=pos, joint_vel=vel), 0, LAST).groups["group"]
    by_name = {name: float(i) for i, name in enumerate(SPEC.joint_names)}
    np.testing.assert_array_equal(values, [by_name[n] for n in names] + [by_name[n] + 100.0 for n in names])


def test_terms_of_joints_in_order_leave_the_state_alone() -> None:
    data = contract_of(SPEC)
    data["joints"] |= {"names": list(SPEC.joint_names), "default_joint_pos": [1.0] * 12}
    data["observations"] = group({"term": "joint_pos_rel", "size": 12, "scale": 3.0}, {"term": "joint_pos", "size": 12})
    builder = ObservationBuilder(parse(Contract, {**data, "format": 1, "files": {}}, "test"), SPEC)
    pos = owned(np.arange(12.0))
    values = builder.build(at(0, joint_pos=pos), 0, LAST).groups["group"]
    np.testing.assert_array_equal(values, [*((np.arange(12.0) - 1.0) * 3.0), *np.arange(12.0)])
    np.testing.assert_array_equal(pos, np.arange(12.0))


def test_feet_are_mapped_by_name_too() -> None:
    params = {"threshold": 2.0, "feet": ["RL_foot", "FL_foot"]}  # the robot's order is FR, FL, RR, RL
    builder = ObservationBuilder(contract(group({"term": "foot_contact", "size": 2, "params": params})), SPEC)
    built = builder.build(at(0, foot_force=[0.0, 0.0, 0.0, 9.0]), 0, LAST)
    np.testing.assert_array_equal(built.groups["group"], [1.0, 0.0])


def test_an_observation_owns_its_arrays() -> None:
    past = {"ages": [0, 1], "fill": "first_frame"}
    plain = {"term": "base_ang_vel", "size": 3}
    groups = {
        "plain": {"terms": [plain]},
        "clipped": {"terms": [plain], "clip": [-1e3, 1e3]},
        "frames": {"terms": [plain], "history": past},
        "terms": {"terms": [{**plain, "history": past}]},
    }
    builder = ObservationBuilder(contract(groups), SPEC)
    first = builder.build(at(0, base_ang_vel=[1.0, 2.0, 3.0]), 0, LAST).groups
    kept = {name: values.copy() for name, values in first.items()}
    for tick in range(1, 5):
        builder.build(at(tick, base_ang_vel=[9.0, 9.0, 9.0]), tick, LAST)
    for name, values in first.items():
        np.testing.assert_array_equal(values, kept[name], err_msg=name)
        assert not values.flags.writeable, name
        assert values.dtype == np.float32, name


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ({"term": "joint_pos", "size": 11}, "observations.group: size: of joint_pos; found 11; valid: 12 "),
        ({"term": "height", "size": 1}, "a known observation term; found height; valid: base_ang_vel, base_lin_vel"),
        ({"term": "gait_phase", "size": 2}, "params: of gait_phase; found none; valid: period"),
        ({"term": "foot_contact", "size": 4, "params": {"threshold": 2.0}}, "params: of foot_contact; found threshold"),
    ],
)
def test_terms_are_checked_at_construction(term: dict[str, Any], message: str) -> None:
    with pytest.raises(BundleError, match=message):
        ObservationBuilder(contract(group(term)), SPEC)


def test_unknown_joints_are_named() -> None:
    data = contract_of(SPEC)["joints"]
    with pytest.raises(InputError, match="unknown FR_hip; valid: FR_hip_joint"):
        ObservationBuilder(contract(joints={**data, "names": ["FR_hip", *data["names"][1:]]}), SPEC)
