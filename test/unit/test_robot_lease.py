"""The lease of the robot half: when it is given, to whom, on which terms, and how it ends."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import safety as kit
from helpers.safety import DT, MS, Bench

from robot_policies.control.lease import Lease
from robot_policies.safety.state_machine import Request
from robot_policies.types import Mode, owned


def test_a_lease_is_given_in_stand_with_its_ramp_done() -> None:
    bench = Bench().stand()
    reply = bench.lease()
    assert (reply.ok, reply.message) == (True, "policy_node commands with 'walk/0123456789ab'")
    assert bench.step.lease == Lease("policy_node", DT, "walk/0123456789ab", ("state",))
    assert bench.step.active_profile == "walk/0123456789ab"
    assert bench.mode is Mode.ACTIVE


def test_no_lease_in_another_mode() -> None:
    for mode in (Mode.DISARMED, Mode.DAMPING, Mode.LANDING):
        bench = Bench().to(mode)
        reply = bench.lease()
        assert not reply.ok
        assert reply.message.startswith(f"lease: mode stand, its ramp done; found mode {mode.value}; valid: ")
        assert bench.step.lease is None
        assert bench.mode is mode


def test_no_lease_while_the_ramp_is_under_way() -> None:
    bench = Bench().damping()
    bench.ask(Request.STAND)
    bench.cycles(50)
    reply = bench.lease()
    assert not reply.ok
    assert "found mode stand, ramp under way" in reply.message
    assert bench.mode is Mode.STAND


def test_one_holder_at_a_time() -> None:
    bench = Bench().active()
    for holder in ("other_node", "policy_node"):
        reply = bench.step.take_lease(Lease(holder, DT, "walk/0123456789ab"), bench.now)
        assert (reply.ok, reply.message) == (
            False,
            "lease: free; found held by policy_node; valid: one holder at a time",
        )
    assert bench.step.lease is not None
    assert bench.step.lease.holder == "policy_node"
    assert bench.step.refusals["lease"] == 2


@pytest.mark.parametrize("joint", range(12))
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_no_lease_away_from_the_start_pose(joint: int, sign: float) -> None:
    for miss, ok in ((kit.TOLERANCE - 1e-6, True), (kit.TOLERANCE + 1e-6, False)):
        bench = Bench().stand()
        bench.cycle(joint_pos=kit.poisoned(owned(kit.STAND), joint, kit.STAND[joint] + sign * miss))
        reply = bench.lease()
        assert reply.ok is ok
        if not ok:
            assert f"{kit.go2().joint_names[joint]} {sign * kit.TOLERANCE:+.2f} rad away" in reply.message
            assert bench.mode is Mode.STAND


@pytest.mark.parametrize(
    ("holder", "dt", "profile", "says"),
    [
        ("", DT, "walk/0123456789ab", "a holder's name"),
        ("p", 0, "walk/0123456789ab", "found 0 s; valid: above 0, up to 0.0533 s"),
        ("p", -1, "walk/0123456789ab", "above 0"),
        ("p", 53_333_334, "walk/0123456789ab", "found 0.0533333 s; valid: above 0"),
        ("p", DT, "walk/ffffffffffff", "found 'walk/ffffffffffff'; valid: walk/0123456789ab"),
        ("p", DT, "", "an accepted gain profile; found ''"),
    ],
)
def test_no_lease_on_other_terms(holder: str, dt: int, profile: str, says: str) -> None:
    bench = Bench().stand()
    assert bench.step.set_gain_profile(kit.profile()).ok
    reply = bench.step.take_lease(Lease(holder, dt, profile), bench.now)
    assert not reply.ok
    assert says in reply.message
    assert bench.mode is Mode.STAND


def test_the_slowest_policy_gets_a_lease() -> None:
    assert Bench().stand().lease(dt=53_333_333).ok


def test_no_lease_without_any_profile() -> None:
    bench = Bench().stand()
    assert "valid: (none)" in bench.step.take_lease(Lease("p", DT, "walk/0123456789ab"), bench.now).message


def test_no_lease_on_a_state_that_is_not_healthy_now() -> None:
    bench = Bench().stand()
    bench.now += kit.STATE_AGE + 1
    reply = bench.lease()
    assert not reply.ok
    assert "0.100 s since the newest state" in reply.message


def test_giving_the_lease_back_returns_to_the_stand() -> None:
    bench = Bench().active()
    bench.walk(40, joint_pos=owned(kit.STAND + 0.4))
    reply = bench.step.release_lease("policy_node", bench.now)
    assert (reply.ok, reply.message) == (True, "lease of policy_node ended")
    assert (bench.mode, bench.step.lease, bench.step.active_profile) == (Mode.STAND, None, None)
    assert not bench.step.ramp_done
    begun = bench.now
    bench.cycle()
    np.testing.assert_allclose(bench.safe.joint_pos, kit.STAND + 0.4, atol=0.02)  # begins where it was
    assert bench.safe.stiffness[0] == pytest.approx(20.0 + 40.0 * kit.CYCLE / kit.GAIN_RAMP)  # and as stiff
    while not bench.step.ramp_done:
        bench.cycle()
    assert bench.now - begun == 150 * MS  # quick: a robot that walks must get its feet under it
    np.testing.assert_array_equal(bench.safe.joint_pos, kit.STAND)
    assert not bench.step.trips
    assert bench.lease().ok


def test_only_the_holder_gives_the_lease_back() -> None:
    bench = Bench().active()
    reply = bench.step.release_lease("other_node", bench.now)
    assert not reply.ok
    assert reply.message == "lease of other_node; found held by policy_node; valid: the holder's own lease"
    assert bench.mode is Mode.ACTIVE
    bench.step.release_lease("policy_node", bench.now)
    assert "held by nobody" in bench.step.release_lease("policy_node", bench.now).message
    assert bench.step.refusals["lease"] == 2


def test_a_policy_that_reports_an_error_lands() -> None:
    bench = Bench().active()
    assert bench.step.release_lease("policy_node", bench.now, "depth 0.3 s old; limit 0.25 s").ok
    assert (bench.mode, bench.step.landing) == (Mode.LANDING, "sit")
    assert [(trip.name, trip.detail) for trip in bench.step.trips] == [("policy", "depth 0.3 s old; limit 0.25 s")]
    assert bench.step.lease is None


@pytest.mark.parametrize(
    ("request_", "mode"), [(Request.STAND, Mode.STAND), (Request.DAMP, Mode.DAMPING), (Request.ESTOP, Mode.LANDING)]
)
def test_the_operator_takes_the_lease_away(request_: Request, mode: Mode) -> None:
    bench = Bench().active()
    assert bench.ask(request_).ok
    assert (bench.mode, bench.step.lease) == (mode, None)
    refusal = bench.command()
    assert refusal is not None
    assert "command under a lease" in refusal
    assert bench.mode is mode
