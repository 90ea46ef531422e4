"""The journal: calls as they were made, the outermost only, errors too; what was dropped spoils nothing after it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.offline import SPEC

from robot_policies.control.recording import bag
from robot_policies.control.recording.journal import ROBOT, Journal, JournaledRobotStep
from robot_policies.control.recording.steps import Call, Gap, StepFile
from robot_policies.safety.limits import load_safety
from robot_policies.safety.state_machine import Request
from robot_policies.types import DepthImage, owned


def test_a_call_within_a_call_is_part_of_it_and_nothing_is_noted_without_a_journal(tmp_path: Path) -> None:
    step = JournaledRobotStep(SPEC, load_safety("go2", SPEC))
    step.trip("robot", "before the journal", 1)
    journal = Journal(tmp_path, ROBOT, print)
    step.begin(journal, "go2", "go2")
    step.cycle_without_state("it is gone", 2)  # trips inside
    reply = step.request(Request.RESET, 3)
    with pytest.raises(ValueError, match="no_such"):
        step.trip("no_such", "", 4)  # a fault of the program, and no step
    journal.close()
    begin, gone, asked = StepFile(tmp_path / f"{ROBOT}.mcap", ROBOT)
    assert isinstance(begin, Call) and begin.named["state_rate"] == SPEC.state_rate
    assert isinstance(gone, Call) and (gone.name, gone.args) == ("cycle_without_state", ("it is gone", 2))
    assert isinstance(asked, Call) and asked.args == (Request.RESET, 3) and asked.result == reply
    assert journal.values() == {"steps_recorded": 3, "steps_dropped": 0, "recording_error": ""}


def test_after_a_drop_an_image_is_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bag, "MOST_WAITING", 10_000)
    image = DepthImage(1, owned(np.ones((20, 20)), np.float32))
    journal = Journal(tmp_path, ROBOT, print)
    for extra in (np.zeros(2000), None):  # the first, with the image in it, is larger than what may wait
        journal.note("watch", (image, extra), {}, None, None)
        journal.flush()
    journal.close()
    assert journal.values()["steps_dropped"] == 1
    gap, call = StepFile(tmp_path / f"{ROBOT}.mcap", ROBOT)
    assert isinstance(gap, Gap) and str(gap) == "1 step record missing: dropped while it was recorded, or damaged"
    assert isinstance(call, Call) and np.array_equal(call.args[0].depth, image.depth)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (object(), "TypeError no value of the flow: object"),
        ({3: 1.0}, "AttributeError"),
        ("\ud800", "UnicodeEncodeError"),
    ],
)
def test_what_cannot_be_recorded_ends_the_recording_and_not_the_robot(tmp_path: Path, value: object, why: str) -> None:
    told: list[str] = []
    step = JournaledRobotStep(SPEC, load_safety("go2", SPEC))
    journal = Journal(tmp_path, ROBOT, told.append)
    step.begin(journal, "go2", "go2")
    step.trip("robot", "before", 1)
    journal.flush()
    for stamp_ns in (2, 3):
        journal.note("cycle", (value,), {}, None, None)
        step.trip("robot", "after", stamp_ns)
        journal.flush()
    assert [trip.name for trip in step.trips] == ["robot"]  # it goes on
    journal.close()
    values = journal.values()
    assert len(told) == 1 and told[0] == values["recording_error"]
    assert "the recording has ended: a step record cannot be written (cycle): " in told[0] and why in told[0]
    assert (values["steps_recorded"], values["steps_dropped"]) == (2, 4)
    steps = StepFile(tmp_path / f"{ROBOT}.mcap", ROBOT)
    assert [item.name for item in steps if isinstance(item, Call)] == ["begin", "trip"] and steps.missing == []
