"""The controls of a recording, without a page: what is asked for, and what the process itself sets."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import Any

import pytest

from robot_policies.nodes.viewer_player import (
    NOWHERE,
    SPEEDS,
    STEPS,
    TICK,
    Mark,
    Player,
    PlayPressed,
    Sought,
    SpeedChosen,
    Stepped,
)

MARKS = (Mark(0.2, "stand"), Mark(7.125, "trip tilt"))


class Element:
    """A control that says as viser does who changed it; ``client_id`` None is the process itself."""

    def __init__(self, value: Any = None, label: str = "", **more: Any) -> None:
        self._value, self.label, self._callbacks = value, label, list[Any]()
        self.max, self.options = more.get("max"), more.get("options", ())

    def on_update(self, callback: Any) -> None:
        self._callbacks.append(callback)

    on_click = on_update

    @property
    def value(self) -> Any:
        return self._value

    @value.setter
    def value(self, value: Any) -> None:
        self.change(value, None)

    def change(self, value: Any, client_id: int | None) -> None:
        self._value = value
        for callback in self._callbacks:
            with suppress(StopIteration):
                callback(SimpleNamespace(client_id=client_id)).send(None)  # it never waits


class Gui:
    """Stands for viser's."""

    def __init__(self) -> None:
        self.made: dict[str, Element] = {}

    @contextmanager
    def add_folder(self, label: str) -> Any:
        yield

    def add_slider(self, label: str, initial_value: float, **more: Any) -> Element:
        return self.made.setdefault(label, Element(initial_value, **more))

    def add_button(self, label: str, **_: Any) -> Element:
        return self.made.setdefault("play", Element(False, label))

    def add_button_group(self, label: str, options: Any) -> Element:
        return self.made.setdefault(label, Element(options[0], options=options))

    def add_dropdown(self, label: str, options: Any, initial_value: Any = None) -> Element:
        return self.made.setdefault(label, Element(initial_value or options[0], options=options))


@pytest.fixture
def page() -> tuple[Gui, Player, list[object]]:
    gui, asked = Gui(), list[object]()
    return gui, Player(gui, asked.append, 11.695, MARKS), asked


def test_each_control_asks_for_its_own(page: tuple[Gui, Player, list[object]]) -> None:
    gui, _, asked = page
    gui.made["Time [s]"].change(3.5, 1)
    gui.made["play"].change(True, 1)
    gui.made["Step"].change("-1 tick", 1)
    gui.made["Speed"].change("0.25", 1)
    assert asked == [Sought(3.5), PlayPressed(), Stepped(-TICK), SpeedChosen(0.25)]
    assert {float(speed) for speed in SPEEDS} >= {0.1, 1.0}
    assert dict(STEPS)["+1 s"] == 1.0


def test_a_jump_leads_to_just_before_and_can_be_made_again(page: tuple[Gui, Player, list[object]]) -> None:
    gui, _, asked = page
    jump = gui.made["Jump to"]
    assert jump.options == (NOWHERE, "0.20 s  stand", "7.12 s  trip tilt")
    for choice in ("7.12 s  trip tilt", "7.12 s  trip tilt", "0.20 s  stand"):
        jump.change(choice, 1)
        assert jump.value == NOWHERE
    assert asked == [Sought(6.625), Sought(6.625), Sought(0.0)]


def test_what_the_process_sets_while_it_plays_is_nobodys_wish(page: tuple[Gui, Player, list[object]]) -> None:
    gui, player, asked = page
    slider, play = gui.made["Time [s]"], gui.made["play"]
    player.show(4.003, True)
    assert slider.value == pytest.approx(4.0) and play.label == "Pause"
    player.show(11.695, False)
    assert slider.value == pytest.approx(11.7) == slider.max and play.label == "Play"
    assert asked == []
