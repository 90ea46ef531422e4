"""Every request and every trip in every mode, against the tables written here."""

from __future__ import annotations

import pytest
from helpers import safety as kit

from robot_policies.safety.state_check import Fault
from robot_policies.safety.state_machine import Request, StateMachine
from robot_policies.types import Mode

NOTHING: tuple[Fault, ...] = ()
LEANS: tuple[Fault, ...] = (("tilt", "1.40 rad; limit 1 rad"),)


def machine(mode: Mode, landing: str | None = None) -> StateMachine:
    """Return a machine that went to ``mode`` as a user takes it there."""
    it = StateMachine(kit.LANDINGS)
    if mode is Mode.DISARMED:
        return it
    it.request(Request.ARM, NOTHING, 0)
    if mode in (Mode.STAND, Mode.ACTIVE) or landing in ("hold", "sit"):
        it.request(Request.STAND, NOTHING, 0)
    if mode is Mode.ACTIVE or landing == "sit":
        it.activate()
    if landing is not None:
        it.trip("policy", "as set up", 0)
    assert (it.mode, it.landing) == (mode, landing)
    return it


WHERE = [
    (Mode.DISARMED, None),
    (Mode.DAMPING, None),
    (Mode.STAND, None),
    (Mode.ACTIVE, None),
    (Mode.LANDING, "damping"),
    (Mode.LANDING, "sit"),
    (Mode.LANDING, "hold"),
]

# (mode, landing) -> request -> (mode, landing) after it; None = refused. estop and reset have tests of their own.
AFTER: dict[tuple[Mode, str | None], dict[str, tuple[Mode, str | None] | None]] = {
    (Mode.DISARMED, None): {
        "arm": (Mode.DAMPING, None),
        "disarm": (Mode.DISARMED, None),
        "stand": None,
        "damp": None,
    },
    (Mode.DAMPING, None): {
        "arm": (Mode.DAMPING, None),
        "disarm": (Mode.DISARMED, None),
        "stand": (Mode.STAND, None),
        "damp": (Mode.DAMPING, None),
    },
    (Mode.STAND, None): {
        "arm": (Mode.STAND, None),
        "disarm": None,
        "stand": (Mode.STAND, None),
        "damp": (Mode.DAMPING, None),
    },
    (Mode.ACTIVE, None): {
        "arm": (Mode.ACTIVE, None),
        "disarm": None,
        "stand": (Mode.STAND, None),
        "damp": (Mode.DAMPING, None),
    },
    (Mode.LANDING, "damping"): {
        "arm": None,
        "disarm": (Mode.DISARMED, None),
        "stand": None,
        "damp": (Mode.LANDING, "damping"),
    },
    (Mode.LANDING, "sit"): {"arm": None, "disarm": None, "stand": None, "damp": (Mode.LANDING, "damping")},
    (Mode.LANDING, "hold"): {"arm": None, "disarm": None, "stand": None, "damp": (Mode.LANDING, "damping")},
}


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("request_", ["arm", "disarm", "stand", "damp"])
def test_requests(where: tuple[Mode, str | None], request_: str) -> None:
    it, after = machine(*where), AFTER[where][request_]
    reply = it.request(Request(request_), NOTHING, 5)
    assert reply.ok is (after is not None)
    assert (it.mode, it.landing) == (after or where)
    if after is None:
        at = where[0].value if where[1] is None else f"landing ({where[1]})"
        assert reply.message.startswith(f"{request_} in mode {at}; found refused; valid: ")
        for word in it.valid_now():
            assert word in reply.message.split("valid: ")[1]
    else:
        assert after[0].value in reply.message


@pytest.mark.parametrize("where", WHERE)
def test_what_is_valid_now_is_granted(where: tuple[Mode, str | None]) -> None:
    valid = machine(*where).valid_now()
    assert {"estop", "reset"} <= set(valid)
    refused = {word for word, after in AFTER[where].items() if after is None}
    # A stiff landing refuses to disarm though its mode could: only damping may let go.
    stiff = {"disarm"} if where[1] in ("sit", "hold") else set()
    assert set(valid) == {request.value for request in Request} - refused | stiff


@pytest.mark.parametrize("where", WHERE)
def test_estop_beats_every_mode_and_latches(where: tuple[Mode, str | None]) -> None:
    it = machine(*where)
    for faults in (NOTHING, LEANS):
        assert it.request(Request.ESTOP, faults, 7).ok
    disarmed = where[0] is Mode.DISARMED
    assert (it.mode, it.landing) == ((Mode.DISARMED, None) if disarmed else (Mode.LANDING, "damping"))
    assert [trip.name for trip in it.trips if trip.name == "estop"] == ["estop"]
    assert (it.trips[-1].stamp_ns, it.trips[-1].detail) == (7, "asked for")
    for request in (Request.ARM, Request.STAND):
        assert not it.request(request, NOTHING, 8).ok


@pytest.mark.parametrize("mode", [Mode.DISARMED, Mode.DAMPING, Mode.STAND, Mode.ACTIVE])
@pytest.mark.parametrize("trip", kit.HARD + kit.SOFT_TRIPS)
def test_every_trip_lands_as_the_file_says(trip: str, mode: Mode) -> None:
    it = machine(mode)
    it.trip(trip, "measured this", 9)
    landing = kit.LANDINGS[trip, mode]
    assert (it.mode, it.landing) == ((mode, None) if landing == "none" else (Mode.LANDING, landing))
    (latched,) = it.trips
    assert (latched.stamp_ns, latched.name, latched.detail) == (9, trip, "measured this")
    assert (latched.mode, latched.landing) == (mode, landing)


@pytest.mark.parametrize("landing", ["damping", "sit", "hold"])
@pytest.mark.parametrize("trip", kit.HARD + kit.SOFT_TRIPS)
def test_a_landing_that_trips_falls_to_damping(trip: str, landing: str) -> None:
    """Also by a trip of the name that is latched already, such as clamping while sitting down after clamping."""
    it = machine(Mode.LANDING, landing)
    it.trip(trip, "again", 9)
    assert (it.mode, it.landing) == (Mode.LANDING, "damping")
    new = 0 if (landing, trip) == ("damping", "policy") else 1
    assert len(it.trips) == 1 + new


def test_a_trip_that_lasts_is_latched_once() -> None:
    it = machine(Mode.STAND)
    for k in range(1000):
        it.trip("tilt", f"cycle {k}", k)
        it.trip("joint_vel", "too", k)
    assert [(trip.name, trip.stamp_ns) for trip in it.trips] == [("tilt", 0), ("joint_vel", 0)]
    it = machine(Mode.DISARMED)
    for k in range(3):
        it.trip("clock", "", k)
    assert len(it.trips) == 1


def test_an_unknown_trip_is_an_error() -> None:
    it = machine(Mode.STAND)
    with pytest.raises(ValueError, match="name of a trip; found 'heat'; valid: estop, robot"):
        it.trip("heat", "", 0)
    assert it.mode is Mode.STAND


@pytest.mark.parametrize(
    ("where", "after"),
    [
        ((Mode.DISARMED, None), (Mode.DISARMED, None)),
        ((Mode.DAMPING, None), (Mode.DAMPING, None)),
        ((Mode.STAND, None), (Mode.STAND, None)),
        ((Mode.ACTIVE, None), (Mode.ACTIVE, None)),
        ((Mode.LANDING, "damping"), (Mode.DAMPING, None)),
        ((Mode.LANDING, "sit"), (Mode.DAMPING, None)),
        ((Mode.LANDING, "hold"), (Mode.STAND, None)),
    ],
)
def test_reset(where: tuple[Mode, str | None], after: tuple[Mode, str | None]) -> None:
    it = machine(*where)
    before = it.trips
    reply = it.request(Request.RESET, LEANS, 1)
    assert reply.ok is False
    assert reply.message == (
        "reset: the cause is gone; found tilt: 1.40 rad; limit 1 rad; valid: a healthy state, then reset"
    )
    assert (it.mode, it.landing, it.trips) == (*where, before)
    reply = it.request(Request.RESET, NOTHING, 2)
    assert (reply.ok, reply.message) == (True, f"mode {after[0].value}")
    assert (it.mode, it.landing, it.trips) == (*after, ())


def test_reset_names_every_cause() -> None:
    it = machine(Mode.LANDING, "damping")
    reply = it.request(Request.RESET, (("tilt", "a"), ("joint_pos", "b")), 1)
    assert "tilt: a; joint_pos: b" in reply.message


@pytest.mark.parametrize("request_", [Request.ARM, Request.STAND])
@pytest.mark.parametrize("mode", [Mode.DISARMED, Mode.DAMPING])
def test_nothing_begins_on_a_bad_state(mode: Mode, request_: Request) -> None:
    it = machine(mode)
    reply = it.request(request_, LEANS, 0)
    assert reply.ok is False
    assert it.mode is mode
    if request_ is Request.STAND and mode is Mode.DISARMED:
        assert "stand in mode disarmed" in reply.message
    else:
        assert f"{request_.value}: a healthy state; found tilt: 1.40 rad" in reply.message


def test_nothing_begins_over_a_latch() -> None:
    it = machine(Mode.STAND)
    it.trip("clock", "", 0)
    it.trip("tilt", "", 0)
    assert it.request(Request.DISARM, NOTHING, 0).ok
    reply = it.request(Request.ARM, NOTHING, 1)
    assert (reply.ok, reply.message) == (False, "arm: no trip latched; found clock, tilt; valid: reset")
    assert it.mode is Mode.DISARMED
    assert it.request(Request.RESET, NOTHING, 2).ok
    assert it.request(Request.ARM, NOTHING, 3).ok


def test_arming_clears_what_tripped_while_nothing_was_written() -> None:
    for trip in kit.HARD + kit.SOFT_TRIPS:
        it = machine(Mode.DISARMED)
        it.trip(trip, "", 0)
        assert [latched.name for latched in it.trips] == [trip]
        assert not it.request(Request.ARM, LEANS, 1).ok  # not over a cause that lasts
        assert [latched.name for latched in it.trips] == [trip]
        assert it.request(Request.ARM, NOTHING, 1).ok is (trip != "estop")
        assert it.trips == () or trip == "estop"


def test_arming_clears_nothing_else() -> None:
    it = machine(Mode.LANDING, "damping")
    it.request(Request.DISARM, NOTHING, 0)
    it.trip("clock", "", 0)
    assert not it.request(Request.ARM, NOTHING, 1).ok
    assert [trip.name for trip in it.trips] == ["policy"]


def test_a_latch_outlives_disarming() -> None:
    it = machine(Mode.LANDING, "damping")
    assert it.request(Request.DISARM, LEANS, 0).ok  # letting go is always allowed from damping
    assert (it.mode, it.landing) == (Mode.DISARMED, None)
    assert [trip.name for trip in it.trips] == ["policy"]
    assert not it.request(Request.ARM, NOTHING, 1).ok


def test_damping_a_landing_keeps_its_latch() -> None:
    it = machine(Mode.LANDING, "hold")
    assert it.request(Request.DAMP, LEANS, 0).ok
    assert it.landing == "damping"
    assert len(it.trips) == 1


def test_softening_is_for_landings_only() -> None:
    it = machine(Mode.LANDING, "sit")
    it.soften()
    assert (it.mode, it.landing) == (Mode.LANDING, "damping")
    it = machine(Mode.STAND)
    it.soften()
    assert (it.mode, it.landing) == (Mode.STAND, None)


def test_release_is_for_active_only() -> None:
    for where in WHERE:
        it = machine(*where)
        it.release()
        assert it.mode is (Mode.STAND if where[0] is Mode.ACTIVE else where[0])
