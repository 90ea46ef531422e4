"""Schedules: each event once, in order, when its time has come."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.bundles import standing
from helpers.offline import SPEC, event
from hypothesis import given
from hypothesis import strategies as st

from robot_policies.exceptions import InputError
from robot_policies.types import Mode, RobotRecord, VelocityCommand
from sim2real.evaluation.schedule import KINDS, Event, Listed, Operator

MS = 1_000_000


def record(stamp_ns: int, mode: Mode = Mode.DISARMED) -> RobotRecord:
    return RobotRecord(standing(SPEC, stamp_ns), mode, None, None)


@given(stamps=st.lists(st.integers(0, 50 * MS), max_size=20))
def test_listed_gives_each_event_once_and_never_early(stamps: list[int]) -> None:
    schedule = Listed([Event(stamp, "arm") for stamp in stamps])
    given_: list[int] = []
    for cycle in range(12):
        now = cycle * 5 * MS
        due = [item.stamp_ns for item in schedule.due(record(now), standing=False)]
        assert all(now - 5 * MS < stamp <= now for stamp in due)
        given_ += due
    assert given_ == sorted(stamps)


def test_events_of_one_stamp_keep_the_order_in_which_they_were_listed() -> None:
    events = [event(3, "stand"), event(1, "damp"), event(1, "arm"), event(1, "velocity_command", 1.0, 0.0, 0.0)]
    due = Listed(events).due(record(events[0].stamp_ns), standing=False)
    assert [item.kind for item in due] == ["damp", "arm", "velocity_command", "stand"]


@pytest.mark.parametrize(
    ("kind", "value", "found"),
    [
        ("jump", None, "jump"),
        ("velocity_command", None, "None"),
        ("arm", VelocityCommand(0, 1.0, 0.0, 0.0), "arm"),
        ("velocity_command", VelocityCommand(7, 1.0, 0.0, 0.0), "7"),
    ],
)
def test_an_event_that_makes_no_sense_is_refused(kind: Any, value: Any, found: str) -> None:
    with pytest.raises(InputError, match=found):
        Event(0, kind, value)


def test_every_request_of_the_robot_half_can_be_scheduled() -> None:
    from robot_policies.safety.state_machine import Request

    others = {"activate", "deactivate", "velocity_command", "switch"}
    assert {request.value for request in Request} == set(KINDS) - others


def kinds(operator: Operator, stamp_ms: int, mode: Mode, standing: bool = False) -> list[str]:
    return [item.kind for item in operator.due(record(stamp_ms * MS, mode), standing)]


def test_the_operator_waits_for_each_mode() -> None:
    operator = Operator((0.5, 0.0, 0.0))
    assert kinds(operator, 95, Mode.DISARMED) == []
    assert kinds(operator, 100, Mode.DISARMED) == ["arm"]
    assert kinds(operator, 105, Mode.DISARMED) == []
    assert kinds(operator, 110, Mode.DAMPING) == ["stand"]
    assert kinds(operator, 115, Mode.DAMPING, standing=True) == []
    assert kinds(operator, 120, Mode.STAND) == []
    assert kinds(operator, 125, Mode.STAND, standing=True) == ["activate", "velocity_command"]


def test_the_operator_renews_the_command_ten_times_a_second_and_asks_for_nothing_twice() -> None:
    operator = Operator((0.5, -0.1, 0.2))
    for stamp, mode in ((100, Mode.DISARMED), (105, Mode.DAMPING)):
        operator.due(record(stamp * MS, mode), standing=False)
    sent = [
        item
        for stamp in range(110, 1110, 5)
        for item in operator.due(record(stamp * MS, Mode.STAND if stamp == 110 else Mode.ACTIVE), stamp == 110)
    ]
    assert [item.kind for item in sent] == ["activate"] + 10 * ["velocity_command"]
    assert [item.stamp_ns // MS for item in sent[1:]] == list(range(110, 1110, 100))
    assert sent[1].velocity_command == VelocityCommand(110 * MS, 0.5, -0.1, 0.2)
