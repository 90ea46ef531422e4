"""What the buttons of the page ask for, without a page."""

from __future__ import annotations

import asyncio
import re
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("rclpy")

from robot_policies.nodes.velocity_ranges import Velocity, VelocityRanges
from robot_policies.nodes.viewer_controls import (
    COLUMNS,
    HOLD_RATE,
    PAD,
    REQUESTS,
    STOP,
    Controls,
    Held,
    Pressed,
    Released,
)

RANGES = VelocityRanges((-0.5, 1.0), (-0.4, 0.4), (-1.0, 1.0))


class Element:
    """A button or slider that remembers what is done with it."""

    def __init__(self, uuid: str, value: Any = None) -> None:
        self._impl, self.value = SimpleNamespace(uuid=uuid), value
        self.clicked: Any = None
        self.held: Any = None

    def on_click(self, callback: Any) -> None:
        self.clicked = callback

    def on_hold(self, callback: Any, callback_hz: float) -> None:
        assert callback_hz == HOLD_RATE
        self.held = callback


class Gui:
    """Stands for viser's."""

    def __init__(self) -> None:
        self.elements: dict[str, Element] = {}
        self.html = ""

    def add_button(self, label: str, **_: Any) -> Element:
        assert label not in self.elements
        return self.elements.setdefault(label, Element(f"id-{label}"))

    def add_slider(self, label: str, initial_value: float, **_: Any) -> Element:
        return self.elements.setdefault(label, Element(label, initial_value))

    def add_html(self, text: str) -> None:
        self.html = text

    def add_folder(self, *_: Any, **__: Any) -> Gui:
        return self

    def __enter__(self) -> Gui:
        return self

    def __exit__(self, *error: object) -> None:
        pass


@pytest.fixture
def gui() -> Gui:
    return Gui()


def did(gui: Gui, label: str, what: str, client: int = 4) -> Any:
    """Return what a button puts out."""
    put: list[Any] = []
    gui.put = put.append  # type: ignore[attr-defined]
    asyncio.run(getattr(gui.elements[label], what)(SimpleNamespace(client_id=client)))
    return put


@pytest.fixture
def controls(gui: Gui) -> Gui:
    Controls(gui, RANGES, lambda event: gui.put(event))  # type: ignore[attr-defined]
    return gui


@pytest.mark.parametrize(("label", "request_"), [(STOP[0], STOP[1]), *((entry[0], entry[1]) for entry in REQUESTS)])
def test_a_press_asks_for_its_request(controls: Gui, label: str, request_: str) -> None:
    assert did(controls, label, "clicked") == [Pressed(request_)]
    assert controls.elements[label].held is None


@pytest.mark.parametrize(("label", "to"), [(label, to) for label, to, _ in PAD])
def test_a_held_button_asks_for_its_share_of_the_ranges(controls: Gui, label: str, to: Velocity) -> None:
    controls.elements["Speed [%]"].value = 50
    (held,) = did(controls, label, "held", client=9)
    assert held.client == 9
    assert held.velocity == pytest.approx(RANGES.scaled(Velocity(*(0.5 * axis for axis in to))))
    assert did(controls, label, "clicked", client=9) == [Released(9)]


def test_the_sliders_are_asked_for_within_the_ranges(controls: Gui) -> None:
    for label, value in (("x [m/s]", 7.0), ("y [m/s]", -7.0), ("turn [rad/s]", 0.25)):
        controls.elements[label].value = value
    assert did(controls, "Hold to drive so", "held") == [Held(4, Velocity(1.0, -0.4, 0.25))]


def test_the_pad_lies_as_it_drives() -> None:
    rows = [PAD[i : i + COLUMNS] for i in range(0, len(PAD), COLUMNS)]
    assert all(left[1].ang_vel_z > 0 and right[1].ang_vel_z < 0 for left, _, right in rows[:2])
    assert rows[2][0][1].lin_vel_y > 0 > rows[2][2][1].lin_vel_y
    assert [row[1][1].lin_vel_x for row in rows] == [1.0, 0.0, -1.0]


def test_the_style_names_every_button_once_and_in_its_column(controls: Gui) -> None:
    cells = re.findall(r"((?:div:has[^{]+))\{display:inline-block", controls.html)
    assert len(cells) == COLUMNS
    assert all(f'[id="id-{label}"]' in cells[i % COLUMNS] for i, (label, *_) in enumerate(REQUESTS))
    assert all(f'[id="id-{label}"]' in cells[i % COLUMNS] for i, (label, *_) in enumerate(PAD))
    assert 'id="id-STOP"]{height:3em' in controls.html
