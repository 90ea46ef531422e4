"""Shows a recording on the viewer's page, which is the live one with a time slider in place of the pad."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from robot_policies.control.recording.facts import account
from robot_policies.control.recording.history import MISSHAPEN
from robot_policies.exceptions import RecordingError
from robot_policies.nodes.viewer_bag import NS, TopicBag
from robot_policies.nodes.viewer_browser import open_browser
from robot_policies.nodes.viewer_loop import Loop
from robot_policies.nodes.viewer_page import Page, first_free
from robot_policies.nodes.viewer_playback import COMMANDING, DIAGNOSTICS, MODE, Playback
from robot_policies.nodes.viewer_player import Mark, Player

HOST = "127.0.0.1"
PORTS = 10  # tried, from the one that was asked for on
DEPTH_RANGE = (0.2, 3.0)  # [m], as the live page's default
SLIDER_PERIOD = 0.2  # [s]
IDLE = 0.1  # [s] between looks for a browser


def view(run: Path, port: int, browser: bool, say: Callable[[str], None]) -> None:
    """Serve the recording in the folder ``run`` until Ctrl-C.

    Args:
        run: the folder.
        port: the first that is tried.
        browser: whether to open a browser.
        say: told where the page is, and what of the recording is missing.

    Raises:
        RecordingError: no robot's state was recorded.
        PageUnavailable: no page can be served.
    """
    playback = Playback(TopicBag(run))
    for line in [*account(run), *playback.bag.missing, *lacking(playback)]:
        say(f"missing: {line}")
    found = marks(playback)
    players: list[Player] = []

    def controls(gui: Any, put: Callable[[object], None]) -> None:
        players.append(Player(gui, put, playback.bag.length, found))

    page = Page(HOST, first_free(HOST, port, PORTS), controls, DEPTH_RANGE)
    say(f"viewer: {page.address}")
    if browser:
        open_browser(page.address)
    with contextlib.closing(page):
        _serve(Loop(playback, page), playback, players[0])


def _serve(loop: Loop, playback: Playback, player: Player) -> None:
    due = 0.0
    while True:
        started = time.monotonic()
        try:
            loop.step(started)
        except MISSHAPEN as error:  # what nodes told of themselves is of any form in a recording
            playback.say(f"cannot be shown: {type(error).__name__} {error}")
        if started >= due:
            player.show(playback.position, playback.playing)
            due = started + SLIDER_PERIOD
        period = loop.period() if playback.inputs.watched else IDLE
        time.sleep(max(0.0, started + period - time.monotonic()))


def lacking(playback: Playback) -> list[str]:
    """Return what the page would show and the recording does not have."""
    wanted = {"robot_description": "the robot cannot be drawn", MODE: "no modes", DIAGNOSTICS: "no trips and timings"}
    return [f"{name}: {so}" for name, so in wanted.items() if playback.topic(name) not in playback.bag.kinds]


def marks(playback: Playback) -> list[Mark]:
    """Return the modes, switches of policies and trips of a recording, by time."""
    bag, found = playback.bag, []
    end = bag.at(bag.length)
    for name, said in ((MODE, "{}"), (COMMANDING, "{} commands")):
        for place in bag.places(playback.topic(name), 0, end).tolist():
            with contextlib.suppress(RecordingError, AttributeError):  # damaged, or of another type
                text = str(bag.message(place).data)
                found += [Mark(float(bag.times[place]), said.format(text))] if text else []
    return sorted([*found, *_trips(playback)], key=lambda mark: mark.position)


def _trips(playback: Playback) -> list[Mark]:
    """Return the trips that the robot node told last, which are all, of 64 at most."""
    bag = playback.bag
    here = playback.position
    playback.seek(bag.length)
    trips = playback.facts.robot.get("trips", [])
    playback.seek(here)
    try:
        found = [Mark((trip["stamp_ns"] - bag.begin_ns) / NS, f"trip {trip['name']}") for trip in trips]
    except MISSHAPEN:
        playback.say("trips: not of the form that is expected")
        return []
    return [mark for mark in found if 0.0 <= mark.position <= bag.length]
