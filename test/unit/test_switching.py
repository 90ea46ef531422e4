"""Who commands, what the other one keeps, and how a hand-over goes, tick by tick."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from helpers.bundles import contract_of, inputs_at, make_bundle
from helpers.images import floor
from helpers.offline import SPEC
from helpers.seeing_walk import NAME as SEES
from helpers.seeing_walk import seeing_walk

from robot_policies.bundle.load import Bundle
from robot_policies.control.blend import Blend
from robot_policies.control.member import RECOVERY_NS
from robot_policies.control.policy_step import PolicyStep
from robot_policies.control.stander import Stander
from robot_policies.control.switching import SwitchingStep, check_pair
from robot_policies.exceptions import BundleError, InputError
from robot_policies.types import DepthImage, PolicyInputs, PolicyRecord

TICK = 20_000_000  # [ns]
RECOVERY = RECOVERY_NS // TICK  # ticks
BACK = -3 * TICK  # capture of an image, from its tick


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    folder = tmp_path_factory.mktemp("bundles")
    other = contract_of(SPEC)
    names = list(SPEC.joint_names)
    pose = SPEC.poses["stand"].tolist()
    joints = {**other["joints"], "names": names, "default_joint_pos": pose, "stiffness": [40.0] * 12}
    joints["torque_limit"] = SPEC.effort_limit.tolist()
    action = {**other["action"], "scale": 0.3, "offset": pose, "clip": [-1.0, 0.5], "last_action": "clipped"}
    start = {**other["limits"], "start": {"joint_pos": pose, "tolerance": 0.5}}
    return {
        "tiny": make_bundle(folder / "tiny", SPEC),
        "other": make_bundle(folder / "other", SPEC, name="other", joints=joints, action=action, limits=start, seed=5),
        SEES: seeing_walk(folder / "sees", SPEC),
        "stands": seeing_walk(folder / "stands", SPEC, "stand"),
        "lands": seeing_walk(folder / "lands", SPEC, "landing"),
        "goes_blind": seeing_walk(folder / "goes_blind", SPEC, "blind"),
    }


def step(bundles: dict[str, Bundle], main: str = "tiny", companion: str | None = "other", **options: Any) -> Any:
    second = None if companion is None else PolicyStep(bundles[companion], SPEC)
    return SwitchingStep(PolicyStep(bundles[main], SPEC), second, **options)


def seen(tick: int, image: DepthImage | None = None) -> PolicyInputs:
    """Inputs of a tick with an image: a new one, unless another is given."""
    image = image or floor(tick * TICK + BACK)
    return dataclasses.replace(inputs_at(SPEC, tick), depth={"front": image})


def unseen(tick: int) -> PolicyInputs:
    return inputs_at(SPEC, tick)


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


def felt(step: PolicyStep) -> float:
    """Return the first number of the latent: half of what the memory holds, and a little."""
    return float(step._policy.graph.outputs()["eye"]["latent"][0, 0])


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


def failing(*_: Any) -> Any:
    raise InputError("of the test")


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


# Blind.


def test_without_images_the_companion_commands_and_with_them_it_is_the_main_ones_turn(
    bundles: dict[str, Bundle],
) -> None:
    assert RECOVERY_NS == 500_000_000  # docs/switching.md
    both = step(bundles, SEES, "other")
    last = floor(9 * TICK + BACK)
    who = []
    for tick in range(60):
        blind = 10 <= tick < 25
        both(seen(tick, last if blind else None))
        who.append(both.commanding)
        assert bool(both.why) == (both.commanding == "other")
    lost = 9 - 3 + 10 + 1  # ticks: the last capture, 0.2 s of age, and the next tick
    assert who[:lost] == [SEES] * lost
    back = 25 + RECOVERY + 1  # the tick after the one that makes the time full
    assert who[lost:back] == ["other"] * (back - lost)
    assert who[back:] == [SEES] * (60 - back)


def test_the_memory_of_ground_that_was_left_is_gone(bundles: dict[str, Bundle]) -> None:
    both = step(bundles, SEES, "other")
    for tick in range(40):
        both(seen(tick))
    long = felt(both._main.step)
    for tick in range(40, 60):
        both(unseen(tick) if tick < 45 else seen(tick, floor(39 * TICK)))
    for tick in range(60, 66):
        both(seen(tick))
    assert 0.0 < felt(both._main.step) < 0.6 * long  # of two images, not of all of them


def test_from_the_start_blind_it_begins_with_the_companion(bundles: dict[str, Bundle]) -> None:
    both = step(bundles, SEES, "other")
    both(unseen(0))
    assert (both.commanding, both.wanted) == ("other", SEES)
    assert "none, and no newer one has come" in both.why


@pytest.mark.parametrize(("main", "companion"), [("stands", "other"), ("stands", None), (SEES, None)])
def test_it_stands_where_the_bundle_says_so_or_nobody_else_is_there(
    bundles: dict[str, Bundle], main: str, companion: str | None
) -> None:
    both = step(bundles, main, companion)
    for tick in range(20):
        record = both(unseen(tick))
    assert both.commanding == "stand"
    np.testing.assert_array_equal(record.command.joint_pos, SPEC.poses["stand"])
    np.testing.assert_array_equal(record.command.stiffness, SPEC.stand_stiffness)
    stand = Stander(SPEC).gains.name
    assert record.command.gain_profile == stand and stand in [profile.name for profile in both.profiles]


def test_it_stands_where_the_companion_fails_too(bundles: dict[str, Bundle]) -> None:
    both = step(bundles, SEES, "other")
    both(seen(0))
    both._members["other"].step._policy.infer = failing
    both(seen(1))
    for tick in range(2, 20):
        both(unseen(tick) if tick < 3 else seen(tick, floor(TICK + BACK)))
    assert both.commanding == "stand"


def test_the_words_that_were_there_before_mean_what_they_meant(bundles: dict[str, Bundle]) -> None:
    blind = step(bundles, "goes_blind", "other")
    for tick in range(20):
        blind(unseen(tick))
        assert blind.commanding == SEES
    lands = step(bundles, "lands", "other")
    lands(seen(0))
    with pytest.raises(InputError, match="depth front: a good image"):
        for tick in range(1, 12):
            lands(seen(tick, floor(BACK)))
    assert tick == 8  # at the first tick at which it is over 0.2 s old, whichever ticks the network reads it at
    assert [profile.name.split("/")[0] for profile in lands.profiles] == [SEES, "other"]


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
