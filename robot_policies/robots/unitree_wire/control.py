"""Taking the motors over from the robot's built-in controller: lay it down, release it, and see that it is gone.

Two services of the robot are used, each a pair of topics (``rt/api/<service>/request`` and ``response``) with JSON in
unitree_api's Request_ and Response_; names and numbers are those of unitree_sdk2py 1.0.3. Nothing here blocks: ``poll``
is called once per cycle, and goes on where it stopped.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any

from cyclonedds.core import DDSException
from unitree_sdk2py.idl.unitree_api.msg.dds_ import (
    Request_,
    RequestHeader_,
    RequestIdentity_,
    RequestLease_,
    RequestPolicy_,
    Response_,
)

from robot_policies.robots.unitree_wire.dds import Link

SWITCHER, CHECK_MODE, RELEASE_MODE = "motion_switcher", 1001, 1003
SPORT, STAND_DOWN = "sport", 1005

ANSWER_NS = 1_000_000_000  # [ns], as in the SDK's client
LIE_NS = 10_000_000_000  # [ns], for lying down; a Go2 takes about 2 s
STILL_NS = 500_000_000  # [ns] of lying still before the motors are released
PERIOD_NS = 1_000_000_000  # [ns] between two looks at who controls the robot

Steps = Generator[None, None, Any]


class Service:
    """One service of the robot. One call at a time."""

    def __init__(self, link: Link, name: str) -> None:
        """Connect to its two topics."""
        self._name = name
        self._requests = link.writer(f"rt/api/{name}/request", Request_, raw=False)
        self._responses = link.reader(f"rt/api/{name}/response", Response_, depth=10, raw=False)

    def call(self, function: int, now: Callable[[], int]) -> Steps:
        """Ask for ``function``; return its code and text, or None where no answer came."""
        self._responses.take()
        number = time.monotonic_ns()
        header = RequestHeader_(RequestIdentity_(number, function), RequestLease_(0), RequestPolicy_(0, False))
        with suppress(DDSException):  # as good as no answer
            self._requests.write(Request_(header, "{}", []))
        end = now() + ANSWER_NS
        while now() < end:
            yield
            for answer in self._responses.take():
                if answer.header.identity.id == number:
                    return answer.header.status.code, answer.data
        return None


class Control:
    """Who controls the motors. ``rival`` says who else, "" once it is this driver alone.

    ``taken`` says whether the built-in controller was released at least once. If it comes back later, nothing is done
    about it here: somebody wanted it.
    """

    def __init__(self, link: Link, lies: Callable[[], bool]) -> None:
        """Begin; ``lies`` says whether the newest state shows a robot that lies still."""
        self._switcher, self._sport, self._lies = Service(link, SWITCHER), Service(link, SPORT), lies
        self._now_ns = 0
        self.taken = False
        self.rival = f"not known yet: {SWITCHER} is being asked who controls the robot"
        self._steps = self._run()

    def poll(self, now_ns: int) -> None:
        """Go on; ``now_ns`` is the monotonic clock."""
        self._now_ns = now_ns
        next(self._steps)

    def _run(self) -> Steps:
        while True:
            name = yield from self._check()
            if name == "":
                self.taken, self.rival = True, ""
            elif name is not None and self.taken:
                self.rival = f"the built-in controller {name!r} was selected again"
            elif name is not None:
                yield from self._take(name)
            yield from self._pause(PERIOD_NS)

    def _check(self) -> Steps:
        """Return the name of the built-in controller in force, "" for none, or None if nobody says."""
        answer = yield from self._switcher.call(CHECK_MODE, self._now)
        name = None if answer is None else _name(*answer)
        if name is None:
            told = f"no answer within {ANSWER_NS / 1e9:g} s" if answer is None else f"code {answer[0]}, {answer[1]!r}"
            self.rival = f"not known: {SWITCHER} says {told}"
        return name

    def _take(self, name: str) -> Steps:
        """Lay the robot down, then release its controller. What fails is tried again at the next look."""
        who = f"the built-in controller {name!r}"
        self.rival = f"{who}: laying the robot down"
        answer = yield from self._sport.call(STAND_DOWN, self._now)
        if answer is None or answer[0] != 0:
            told = "no answer" if answer is None else f"code {answer[0]}"
            self.rival = f"{who}: {SPORT} does not lay the robot down ({told})"
            return
        if not (yield from self._lie()):
            self.rival = f"{who}: the robot does not lie still in the pose sit after {LIE_NS / 1e9:g} s"
            return
        self.rival = f"{who}: releasing it"
        yield from self._switcher.call(RELEASE_MODE, self._now)

    def _lie(self) -> Steps:
        """Return whether the robot has come to lie still."""
        end, since = self._now_ns + LIE_NS, self._now_ns
        while self._now_ns < end:
            yield
            if not self._lies():
                since = self._now_ns
            elif self._now_ns - since >= STILL_NS:
                return True
        return False

    def _pause(self, duration_ns: int) -> Steps:
        end = self._now_ns + duration_ns
        while self._now_ns < end:
            yield

    def _now(self) -> int:
        return self._now_ns


def _name(code: int, text: str) -> str | None:
    """Return the controller that an answer of CheckMode names, or None where it is no such answer."""
    if code != 0:
        return None
    try:
        told = json.loads(text)
    except json.JSONDecodeError:
        return None
    name = told.get("name") if isinstance(told, dict) else None
    return name if isinstance(name, str) else None
