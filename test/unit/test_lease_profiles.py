"""A lease with several gain profiles: which commands are taken, and how the gains go from one to the next."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import safety as kit
from helpers.safety import Bench

from robot_policies.control.lease import Lease

WALK, JUMP = "walk/0123456789ab", "jump/0123456789ab"
JUMP_STIFFNESS = 40.0


def active() -> Bench:
    bench = Bench().stand()
    for profile in (kit.profile(), kit.profile(JUMP, JUMP_STIFFNESS)):
        assert bench.step.set_gain_profile(profile).ok
    reply = bench.step.take_lease(Lease("policy_node", kit.DT, WALK, ("state",), (JUMP,)), bench.now)
    assert reply.ok, reply.message
    bench.cycle()
    return bench


def send(bench: Bench, profile: str, **changes: object) -> str | None:
    return bench.step.take_command(kit.command(bench.now, bench.step.profiles[profile], **changes), bench.now)


def stiffness(bench: Bench, cycles: int, profile: str) -> list[float]:
    """Return the stiffness that goes out, cycle by cycle, under commands of a profile at 50 Hz."""
    found = []
    for k in range(cycles):
        bench.cycle()
        if k % 4 == 0:
            assert send(bench, profile) is None
        found.append(float(bench.safe.stiffness[0]))
    return found


def test_commands_may_change_the_profile_and_the_gains_ramp_from_what_went_out_last() -> None:
    bench = active()
    first = stiffness(bench, 60, WALK)
    assert first[0] > 40.0 and first[-1] == 20.0  # from the stand's gains
    assert bench.step.active_profile == WALK
    ramp = kit.GAIN_RAMP // kit.CYCLE
    second = stiffness(bench, ramp + 4, JUMP)
    assert bench.step.active_profile == JUMP and bench.safe.gain_profile == JUMP
    assert second[0] == 20.0 and second[-1] == JUMP_STIFFNESS
    steps = np.diff(second)
    assert steps.min() >= 0.0 and steps.max() <= (JUMP_STIFFNESS - 20.0) / ramp * 1.01
    back = stiffness(bench, 10, WALK) + stiffness(bench, 10, JUMP)  # in the middle of a ramp
    assert np.abs(np.diff([second[-1], *back])).max() <= (JUMP_STIFFNESS - 20.0) / ramp * 1.01


def test_a_profile_that_the_lease_does_not_name_is_refused() -> None:
    bench = active()
    known = kit.profile("third/0123456789ab", 30.0)
    assert "gain profile 'third/0123456789ab'" in str(bench.step.take_command(kit.command(bench.now, known), bench.now))
    assert bench.step.refusals == {"command_profile": 1} and bench.step.trips == ()


def test_a_malformed_command_under_the_other_profile_trips_as_the_holders_own() -> None:
    bench = active()
    assert send(bench, WALK) is None
    bench.cycle()
    assert "not finite" in str(send(bench, JUMP, joint_pos=np.full(12, np.nan)))
    assert bench.names == ["command_invalid"]


@pytest.mark.parametrize("others", [("none/0123456789ab",), (JUMP, "none/0123456789ab"), ("",)])
def test_every_profile_of_a_lease_must_be_accepted_before(others: tuple[str, ...]) -> None:
    bench = Bench().stand()
    for profile in (kit.profile(), kit.profile(JUMP, JUMP_STIFFNESS)):
        assert bench.step.set_gain_profile(profile).ok
    reply = bench.step.take_lease(Lease("policy_node", kit.DT, WALK, ("state",), others), bench.now)
    assert not reply.ok and "an accepted gain profile" in reply.message
    assert bench.step.lease is None
