"""Who commands, what the other one keeps, and how a hand-over goes, tick by tick."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from helpers.bundles import inputs_at
from helpers.offline import SPEC
from helpers.seeing_walk import NAME as SEES
from helpers.switching import RECOVERY, TICK, failing, felt, made_bundles, seen, step

from robot_policies.bundle.load import Bundle
from robot_policies.control.blend import Blend
from robot_policies.control.policy_step import PolicyStep
from robot_policies.control.switching import check_pair
from robot_policies.exceptions import BundleError, InputError
from robot_policies.types import PolicyRecord


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    return made_bundles(tmp_path_factory)


def targets(records: list[PolicyRecord]) -> np.ndarray:
    return np.array([record.command.joint_pos for record in records])


# Alone.


def test_alone_it_is_the_policy_step_number_by_number(bundles: dict[str, Bundle]) -> None:
    alone, plain = step(bundles, companion=None), PolicyStep(bundles["tiny"], SPEC)
    assert (alone.names, alone.next(), alone.wanted) == (("tiny",), "tiny", "tiny")
    for tick in range(8):
        one, other = alone(inputs_at(SPEC, tick)), plain(inputs_at(SPEC, tick))
        assert one.command is not other.command
        np.testing.assert_array_equal(one.command.joint_pos, other.command.joint_pos)
        np.testing.assert_array_equal(one.action.last_action, other.action.last_action)
        assert one.tick == tick and alone.commanding == "tiny"


def test_with_a_companion_the_one_that_commands_is_not_changed(bundles: dict[str, Bundle]) -> None:
    both, plain = step(bundles), PolicyStep(bundles["tiny"], SPEC)
    for tick in range(8):
        one, other = both(inputs_at(SPEC, tick)), plain(inputs_at(SPEC, tick))
        np.testing.assert_array_equal(one.command.joint_pos, other.command.joint_pos)


# The other one.


def test_the_other_one_reads_what_was_commanded_in_its_own_units(bundles: dict[str, Bundle]) -> None:
    both = step(bundles, blend=0.0)
    commanded = [both(inputs_at(SPEC, tick)).command.joint_pos for tick in range(5)]
    both.switch("other")
    record = both(inputs_at(SPEC, 5))
    assert both.commanding == "other" and record.command.gain_profile.startswith("other/")
    read = record.observation.groups["policy"][33:45]  # last_action, after 9 + 12 + 12 entries
    meant = (commanded[-1] - SPEC.poses["stand"]) / 0.3
    np.testing.assert_allclose(read, np.clip(meant, -1.0, 0.5), atol=1e-6)
    assert np.abs(meant).max() > 0.1
    assert record.tick == 5  # its ticks went on, and with them its gait phase and the rate of its networks


def test_the_histories_of_the_other_one_are_those_of_one_that_was_there_all_along(bundles: dict[str, Bundle]) -> None:
    """go2_walk's frame is kept at ages 0, 1 and 4: what it reads after a switch is what really was."""
    both = step(bundles, SEES, "other", blend=0.0)
    both.switch("other")
    records = [both(seen(tick)) for tick in range(6)]
    both.switch(SEES)
    record = both(seen(6))
    frames = record.observation.groups["policy"].reshape(3, 45)
    contract = bundles[SEES].contract
    index = SPEC.joint_index(contract.joints.names)
    for age, frame in zip((0, 1, 4), frames, strict=True):
        asked = records[6 - age - 1].command.joint_pos[index]
        meant = (asked - np.array(contract.action.offset)) / np.array(contract.action.scale)
        np.testing.assert_allclose(frame[33:45], np.clip(meant, -5.0, 5.0), atol=1e-5)


def test_the_depth_network_remembers_while_another_one_commands(bundles: dict[str, Bundle]) -> None:
    both, plain = step(bundles, SEES, "other"), PolicyStep(bundles[SEES], SPEC)
    both.switch("other")
    for tick in range(11):
        both(seen(tick))
        plain(seen(tick))
    mine, theirs = felt(both._main.step), felt(plain)
    assert mine == theirs > 1.0  # of three images


def test_one_that_fails_while_it_does_not_command_fails_nobody_and_comes_back(bundles: dict[str, Bundle]) -> None:
    both = step(bundles)
    other = both._members["other"]
    both(inputs_at(SPEC, 0))
    other.step._policy.infer, infer = failing, other.step._policy.infer
    both(inputs_at(SPEC, 1))
    other.step._policy.infer = infer
    for tick in range(2, 2 + RECOVERY):
        both(inputs_at(SPEC, tick))
        with pytest.raises(InputError, match="switch to other: of the test"):
            both.switch("other")
    both(inputs_at(SPEC, 2 + RECOVERY))
    both.switch("other")
    assert both.wanted == "other"


def test_what_fails_while_it_commands_is_an_error(bundles: dict[str, Bundle]) -> None:
    both = step(bundles)
    both._members["tiny"].step._policy.infer = failing
    with pytest.raises(InputError, match="of the test"):
        both(inputs_at(SPEC, 0))


# The hand-over.


@pytest.mark.parametrize("ticks", [0, 1, 3, 5])
def test_what_lies_between_two_targets_fades_out(ticks: int) -> None:
    blend = Blend(ticks)
    target = np.array([1.0, -2.0])
    assert blend(target) is target
    blend.begin(np.array([0.6, -0.3]))
    shares = [1.0 - k / ticks for k in range(1, ticks)]
    for share in shares:
        np.testing.assert_allclose(blend(target), target + share * np.array([0.6, -0.3]))
    assert blend(target) is target and blend(target) is target
    blend.begin(np.ones(2))
    blend.reset()
    assert blend(target) is target


@pytest.mark.parametrize("blend", [0.0, 0.06, 0.1])
def test_a_target_moves_as_the_new_ones_own_and_a_share_of_what_was_between(
    bundles: dict[str, Bundle], blend: float
) -> None:
    both, share = step(bundles, blend=blend), 1.0 / max(round(blend / 0.02), 1)
    records = [both(inputs_at(SPEC, tick)) for tick in range(6)]
    proposed = [both._members["other"].proposal]
    both.switch("other")
    for tick in range(6, 14):
        records.append(both(inputs_at(SPEC, tick)))
        proposed.append(both._members["other"].proposal)
    between = np.abs(targets(records)[5] - proposed[0])
    assert between.max() > 0.05
    moved = np.abs(np.diff(targets(records)[5:], axis=0))
    own = np.abs(np.diff(np.array(proposed), axis=0))
    assert np.all(moved <= own + share * between + 1e-9)
    np.testing.assert_array_equal(records[-1].command.joint_pos, proposed[-1])


def test_within_a_hand_over_the_new_one_reads_what_was_really_commanded(bundles: dict[str, Bundle]) -> None:
    both = step(bundles, blend=0.2)
    for tick in range(6):
        both(inputs_at(SPEC, tick))
    both.switch("other")
    first, second = (both(inputs_at(SPEC, tick)) for tick in (6, 7))
    read = second.observation.groups["policy"][33:45]
    meant = np.clip((first.command.joint_pos - SPEC.poses["stand"]) / 0.3, -1.0, 0.5)
    np.testing.assert_allclose(read, meant, atol=1e-6)
    assert np.abs(read - first.action.last_action).max() > 0.05  # which is not what it asked for itself


def test_there_and_back_in_the_middle_of_a_hand_over(bundles: dict[str, Bundle]) -> None:
    both = step(bundles, blend=0.2)
    records = []
    for tick in range(40):
        if tick in (10, 13, 14, 20):
            both.switch(both.next())
        records.append(both(inputs_at(SPEC, tick)))
    plain = PolicyStep(bundles["tiny"], SPEC)
    first = [plain(inputs_at(SPEC, tick)).command.joint_pos for tick in range(10)]
    np.testing.assert_array_equal(targets(records)[:10], first)
    assert both.commanding == "tiny"
    assert np.abs(np.diff(targets(records), axis=0)).max() < 0.5


def test_a_reset_forgets_all_but_who_is_to_command(bundles: dict[str, Bundle]) -> None:
    both = step(bundles)
    both(inputs_at(SPEC, 0))
    both.switch("other")
    both.reset()
    assert (both.wanted, both.commanding) == ("other", "")
    plain = PolicyStep(bundles["other"], SPEC)
    np.testing.assert_array_equal(  # no blend, no last action
        both(inputs_at(SPEC, 0)).command.joint_pos, plain(inputs_at(SPEC, 0)).command.joint_pos
    )


def test_a_name_that_is_not_there(bundles: dict[str, Bundle]) -> None:
    with pytest.raises(InputError, match=r"switch to; found third; valid: tiny, other"):
        step(bundles).switch("third")


# What goes together.


def test_profiles_inputs_and_period_are_those_of_both(bundles: dict[str, Bundle]) -> None:
    both = step(bundles, SEES, "other")
    assert [profile.name.split("/")[0] for profile in both.profiles] == [SEES, "other", "stand"]
    assert set(both.inputs) == {"state", "velocity_command", "depth"}
    assert both.control_dt_ns == TICK


def test_the_start_pose_of_both_counts(bundles: dict[str, Bundle]) -> None:
    state = inputs_at(SPEC, 0).state
    step(bundles).check_start(state)
    far = dataclasses.replace(state, joint_pos=state.joint_pos + 0.6)
    with pytest.raises(InputError, match="start pose"):
        step(bundles).check_start(far)


def bent(bundle: Bundle, **changes: Any) -> Bundle:
    return dataclasses.replace(bundle, contract=dataclasses.replace(bundle.contract, **changes))


def test_what_does_not_go_together_is_refused(bundles: dict[str, Bundle]) -> None:
    tiny, other, sees = bundles["tiny"], bundles["other"], bundles[SEES]
    check_pair(sees, tiny)
    slow = bent(other, timing=dataclasses.replace(other.contract.timing, control_dt=0.04))
    for main, companion, says in (
        (tiny, tiny, "a bundle of another name; found tiny"),
        (tiny, sees, "a blind policy; found go2_sees, which reads front"),
        (tiny, slow, "control_dt; found 0.04 s of other; valid: 0.02 s, as tiny"),
        (tiny, bent(other, name="stand"), "found stand"),
    ):
        with pytest.raises(BundleError, match=says):
            check_pair(main, companion)
