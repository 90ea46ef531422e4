"""The policy half: what it refuses, what it records, and that a record never changes."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.bundles import contract_of, inputs_at, make_bundle, standing

from robot_policies.bundle.load import Bundle
from robot_policies.control.policy_step import PolicyStep
from robot_policies.exceptions import InputError, ResourceError
from robot_policies.robot_spec import load_robot_spec
from robot_policies.types import PolicyInputs, PolicyRecord, VelocityCommand, owned

SPEC = load_robot_spec("go2")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("bundles") / "tiny", SPEC)


@pytest.fixture
def step(bundle: Bundle) -> PolicyStep:
    return PolicyStep(bundle, SPEC)


def arrays(value: Any) -> list[np.ndarray]:
    """Return every array that is in a record, however deep."""
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, dict):
        return [array for entry in value.values() for array in arrays(entry)]
    if dataclasses.is_dataclass(value):
        return [array for field in dataclasses.fields(value) for array in arrays(getattr(value, field.name))]
    return []


def tilted(angle: float, stamp_ns: int = 0, axis: tuple[float, float, float] = (1.0, 0.0, 0.0)) -> PolicyInputs:
    quat = [math.cos(angle / 2), *(math.sin(angle / 2) * np.array(axis))]
    return PolicyInputs(standing(SPEC, stamp_ns, base_quat_wxyz=quat))


def test_ticks_are_counted_from_the_reset(step: PolicyStep) -> None:
    assert [step(inputs_at(SPEC, number)).tick for number in range(3)] == [0, 1, 2]
    step.reset()
    assert step(inputs_at(SPEC, 0)).tick == 0


def test_a_record_holds_every_stage(step: PolicyStep) -> None:
    inputs = inputs_at(SPEC, 3)
    record = step(inputs)
    assert record.inputs is inputs
    assert {record.observation.stamp_ns, record.action.stamp_ns, record.command.stamp_ns} == {60_000_000}
    assert record.observation.groups["policy"].shape == (45,)
    assert record.command.gain_profile == step.gains.name
    assert record.command.gain_profile.startswith("tiny/")
    assert len(record.durations_ns) == 3
    assert all(0 < duration < 1_000_000_000 for duration in record.durations_ns)
    assert step.control_dt_ns == 20_000_000


def test_no_value_of_a_record_changes_with_later_ticks(step: PolicyStep) -> None:
    records: list[PolicyRecord] = []
    kept: list[list[np.ndarray]] = []
    for number in range(6):
        records.append(step(inputs_at(SPEC, number, (0.1 * number, 0.0, 0.0))))
        kept.append([array.copy() for array in arrays(records[-1])])
    step.reset()
    assert len(kept[0]) >= 14
    for record, before in zip(records, kept, strict=True):
        for now, then in zip(arrays(record), before, strict=True):
            np.testing.assert_array_equal(now, then)
            assert not now.flags.writeable


def test_records_share_no_memory_but_the_gains(step: PolicyStep) -> None:
    one, other = step(inputs_at(SPEC, 0)), step(inputs_at(SPEC, 1))
    for a in (*arrays(one.observation), *arrays(one.action), one.command.joint_pos):
        for b in (*arrays(other.observation), *arrays(other.action), other.command.joint_pos):
            assert not np.shares_memory(a, b)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    "field",
    ["joint_pos", "joint_vel", "joint_effort", "base_quat_wxyz", "base_ang_vel", "base_lin_acc", "foot_force"],
)
def test_a_state_that_is_not_finite_is_refused_whole(step: PolicyStep, field: str, bad: float) -> None:
    values = getattr(standing(SPEC), field).copy()
    values[2] = bad
    with pytest.raises(InputError, match=rf"state.{field}\[2\]: a finite number; found "):
        step(PolicyInputs(standing(SPEC, **{field: values})))
    assert step(inputs_at(SPEC, 0)).tick == 0  # nothing has happened


def test_an_estimate_that_is_not_finite_is_refused(step: PolicyStep) -> None:
    for bad in ([0.0, np.nan, 0.0], [0.0, 0.0]):
        with pytest.raises(InputError, match="state.base_lin_vel: three finite numbers"):
            step(PolicyInputs(standing(SPEC, base_lin_vel=bad)))
    assert step(PolicyInputs(standing(SPEC, base_lin_vel=[0.0, 0.0, 0.0]))).tick == 0


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("joint_pos", np.zeros(11)),
        ("foot_force", np.zeros(2)),
        ("base_quat_wxyz", np.zeros(3)),
        ("joint_vel", np.zeros((12, 1))),
    ],
)
def test_a_state_of_another_size_is_refused(step: PolicyStep, field: str, values: np.ndarray) -> None:
    with pytest.raises(InputError, match=rf"state.{field}: its size; found \("):
        step(PolicyInputs(standing(SPEC, **{field: values})))


@pytest.mark.parametrize("quat", [(0.0, 0.0, 0.0, 0.0), (1.1, 0.0, 0.0, 0.0)])
def test_a_quaternion_that_is_no_rotation_is_refused(step: PolicyStep, quat: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="state.base_quat_wxyz: a unit quaternion"):
        step(PolicyInputs(standing(SPEC, base_quat_wxyz=quat)))


def test_the_tilt_that_the_bundle_allows(step: PolicyStep) -> None:
    assert step(tilted(0.999)).tick == 0
    with pytest.raises(InputError, match="a tilt within the bundle's limit; found 1.001 rad; valid: at most 1 rad"):
        step(tilted(1.001, 20_000_000))
    with pytest.raises(InputError, match="found 3.1"):
        step(tilted(math.pi - 0.01, 40_000_000))
    with pytest.raises(InputError, match="found 1.001 rad"):
        step(tilted(1.001, 60_000_000, (0.6, 0.8, 0.0)))
    assert step(tilted(3.0, 80_000_000, (0.0, 0.0, 1.0))).tick == 1  # yaw is no tilt


@pytest.mark.parametrize("stamp", [20_000_000, 19_999_999, 0])
def test_a_stamp_that_does_not_advance_is_refused(step: PolicyStep, stamp: int) -> None:
    step(inputs_at(SPEC, 1))
    with pytest.raises(InputError, match=f"a stamp after the last step's; found {stamp} ns; valid: over 20000000 ns"):
        step(PolicyInputs(standing(SPEC, stamp)))
    step.reset()
    assert step(PolicyInputs(standing(SPEC, stamp))).tick == 0


@pytest.mark.parametrize(("age_ns", "fine"), [(0, True), (50_000_000, True), (50_000_001, False), (-1, False)])
def test_the_age_of_the_state_against_a_clock(step: PolicyStep, age_ns: int, fine: bool) -> None:
    inputs = inputs_at(SPEC, 10)
    if fine:
        assert step(inputs, inputs.state.stamp_ns + age_ns).tick == 0
        return
    found = f"found {age_ns * 1e-9:.6f} s old; valid: 0 to 0.05 s"
    with pytest.raises(InputError, match=f"neither old nor from the future; {found}"):
        step(inputs, inputs.state.stamp_ns + age_ns)


@pytest.mark.parametrize("axis", ["lin_vel_x", "lin_vel_y", "ang_vel_z"])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_command_that_is_not_finite_is_refused_and_can_be_mended(step: PolicyStep, axis: str, bad: float) -> None:
    command = dataclasses.replace(VelocityCommand(0, 0.0, 0.0, 0.0), **{axis: bad})
    with pytest.raises(InputError, match="velocity_command: finite numbers"):
        step(PolicyInputs(standing(SPEC), command))
    assert step(PolicyInputs(standing(SPEC), VelocityCommand(0, 0.0, 0.0, 0.0))).tick == 0


def test_after_a_failure_inside_the_policy_only_a_reset_helps(step: PolicyStep) -> None:
    future = PolicyInputs(standing(SPEC, 0), VelocityCommand(5, 0.0, 0.0, 0.0))
    with pytest.raises(InputError, match="a stamp at or before the state's"):
        step(future)
    with pytest.raises(InputError, match="found a policy that failed at its last step; valid: reset it first"):
        step(inputs_at(SPEC, 1))
    step.reset()
    assert step(inputs_at(SPEC, 1)).tick == 0


def test_the_same_inputs_give_the_same_commands(bundle: Bundle) -> None:
    one, other = PolicyStep(bundle, SPEC), PolicyStep(bundle, SPEC)
    for number in range(20):
        inputs = inputs_at(SPEC, number)
        np.testing.assert_array_equal(one(inputs).command.joint_pos, other(inputs).command.joint_pos)


def test_where_activation_is_allowed(step: PolicyStep) -> None:
    pose = SPEC.poses["stand"]
    step.check_start(standing(SPEC, joint_pos=pose + 0.499))
    away = pose.copy()
    away[4] += 0.6
    with pytest.raises(
        InputError, match=r"start pose: FL_thigh_joint; found 1.400 rad; valid: 0.8 rad, at most 0.5 rad"
    ):
        step.check_start(standing(SPEC, joint_pos=away))
    away[4] = np.nan
    with pytest.raises(InputError, match="start pose"):
        step.check_start(standing(SPEC, joint_pos=away))


def test_a_policy_that_reads_base_lin_vel_does_not_start_without_it(tmp_path: Path) -> None:
    contract = contract_of(SPEC)
    contract["observations"]["policy"]["terms"][0] = {"term": "base_lin_vel", "size": 3}
    step = PolicyStep(make_bundle(tmp_path / "tiny", SPEC, **contract), SPEC)
    with pytest.raises(InputError, match="base_lin_vel, which this policy reads; found no estimate"):
        step.check_start(standing(SPEC))
    step.check_start(standing(SPEC, base_lin_vel=np.zeros(3)))


def test_a_wrapper_can_stand_in_for_the_policy(bundle: Bundle) -> None:
    class Half:
        """Halves the action of the policy inside: composition without a flag."""

        def __init__(self, inside: Any) -> None:
            self._inside = inside

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inside, name)

        def infer(self, observation: Any, tick: int) -> Any:
            return owned(0.5 * self._inside.infer(observation, tick), np.float32)

    plain, inputs = PolicyStep(bundle, SPEC), inputs_at(SPEC, 0)
    wrapped = PolicyStep(bundle, SPEC, Half(PolicyStep(bundle, SPEC)._policy))
    np.testing.assert_allclose(wrapped(inputs).action.raw, 0.5 * plain(inputs).action.raw)


def test_a_kind_that_nothing_offers_is_named_with_those_there_are(bundle: Bundle) -> None:
    other = Bundle(dataclasses.replace(bundle.contract, kind="acrobatics"), bundle.folder)
    with pytest.raises(
        ResourceError, match="'acrobatics' of robot_policies.policies; found none; valid: parkour, velocity"
    ):
        PolicyStep(other, SPEC)
