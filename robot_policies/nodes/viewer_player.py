"""The page's controls of a recording: where in it, whether it goes on, how fast, and what can be jumped to. No ROS."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

TICK = 0.02  # [s], of the policies here: what a step goes by
SPEEDS = ("0.1", "0.25", "0.5", "1", "2", "4", "8")
STEPS = (("-1 s", -1.0), ("-1 tick", -TICK), ("+1 tick", TICK), ("+1 s", 1.0))
NOWHERE = "..."
BEFORE = 0.5  # [s] before a mode or a trip that a jump leads to


@dataclass(frozen=True)
class Sought:
    """A moment was asked for [s]."""

    position: float


@dataclass(frozen=True)
class Stepped:
    """A step on or back was asked for [s]."""

    by: float


@dataclass(frozen=True)
class PlayPressed:
    """Play or pause was pressed."""


@dataclass(frozen=True)
class SpeedChosen:
    """A speed was chosen."""

    speed: float


@dataclass(frozen=True)
class Mark:
    """Something to jump to."""

    position: float  # [s]
    text: str


class Player:
    """Puts the controls on the page, and what is done with them into ``put``."""

    def __init__(self, gui: Any, put: Callable[[object], None], length: float, marks: Sequence[Mark]) -> None:
        """Add everything at the present place of ``gui``, for a recording of ``length`` seconds."""
        self._put = put
        last = max(1, math.ceil(length / TICK)) * TICK  # on the grid of its steps
        self._at = {f"{mark.position:.2f} s  {mark.text}": mark.position for mark in marks}
        with gui.add_folder("Recording"):
            self._slider = gui.add_slider("Time [s]", min=0.0, max=last, step=TICK, initial_value=0.0)
            self._play = gui.add_button("Pause", color="green")
            steps = gui.add_button_group("Step", tuple(label for label, _ in STEPS))
            self._speed = gui.add_dropdown("Speed", SPEEDS, initial_value="1")
            self._jump = gui.add_dropdown("Jump to", (NOWHERE, *self._at))
        self._slider.on_update(self._asked(lambda: Sought(float(self._slider.value))))
        self._play.on_click(self._asked(PlayPressed))
        self._speed.on_update(self._asked(lambda: SpeedChosen(float(self._speed.value))))
        steps.on_click(self._asked(lambda: Stepped(dict(STEPS)[steps.value])))
        self._jump.on_update(self._asked(self._jumped))

    def show(self, position: float, playing: bool) -> None:
        """Put the slider where the recording is [s], and say on the button what it would do."""
        at = round(position / TICK) * TICK
        if abs(self._slider.value - at) > TICK / 2.0:
            self._slider.value = min(at, self._slider.max)
        label = "Pause" if playing else "Play"
        if self._play.label != label:
            self._play.label = label

    def _jumped(self) -> object:
        position = self._at.get(str(self._jump.value))
        self._jump.value = NOWHERE  # so that the same one can be chosen again
        return None if position is None else Sought(max(0.0, position - BEFORE))

    def _asked(self, event: Callable[[], object]) -> Callable[[Any], Any]:
        async def put(of: Any) -> None:
            # What this process itself sets, such as the slider while it plays, is nobody's wish.
            asked = event() if of.client_id is not None else None
            if asked is not None:
                self._put(asked)

        return put
