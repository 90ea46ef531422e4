"""Who commands while images stay away, and what of the ground is remembered then, tick by tick."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.images import floor
from helpers.offline import SPEC
from helpers.seeing_walk import NAME as SEES
from helpers.switching import BACK, RECOVERY, TICK, failing, felt, made_bundles, seen, step, unseen

from robot_policies.bundle.load import Bundle
from robot_policies.control.member import RECOVERY_NS
from robot_policies.control.stander import Stander
from robot_policies.exceptions import InputError


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    return made_bundles(tmp_path_factory)


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
