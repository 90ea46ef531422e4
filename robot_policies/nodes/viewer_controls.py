"""The page's buttons: requests to the robot, and a pad that drives it while a button is held. No ROS here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Union

from robot_policies.nodes.velocity_ranges import Velocity, VelocityRanges

HOLD_RATE = 10.0  # [Hz] at which a browser says that a button is held
STOP = ("STOP", "estop", "red", "Emergency stop: the motors damp, in every mode, until Reset")
# label, request, colour, hint
REQUESTS = (
    ("Walk", "walk", "green", "Everything until the policy drives: reset after a trip, arm, stand, activate"),
    ("Stand", "stand", "blue", "Up to the start pose, or back to it: the policy ends"),
    ("Damp", "damp", "orange", "Let it down: the joints brake and the robot sinks"),
    ("Reset", "reset", "gray", "Clear what is latched, if its cause is gone"),
    ("Arm", "arm", "gray", "From disarmed to damping"),
    ("Disarm", "disarm", "gray", "From damping to disarmed: nothing is written"),
)
# label, deflection of x, y and turn from -1 to 1, icon; held buttons. Three in a row, as they lie on a pad.
PAD = (
    ("Arc left", Velocity(1.0, 0.0, 0.6), "arrow-up-left"),
    ("Forward", Velocity(1.0, 0.0, 0.0), "arrow-up"),
    ("Arc right", Velocity(1.0, 0.0, -0.6), "arrow-up-right"),
    ("Turn left", Velocity(0.0, 0.0, 1.0), "rotate-2"),
    ("Still", Velocity(0.0, 0.0, 0.0), "hand-stop"),
    ("Turn right", Velocity(0.0, 0.0, -1.0), "rotate-clockwise-2"),
    ("Left", Velocity(0.0, 1.0, 0.0), "arrow-left"),
    ("Back", Velocity(-1.0, 0.0, 0.0), "arrow-down"),
    ("Right", Velocity(0.0, -1.0, 0.0), "arrow-right"),
)
AXES = (("x [m/s]", "lin_vel_x"), ("y [m/s]", "lin_vel_y"), ("turn [rad/s]", "ang_vel_z"))
COLUMNS = 3
EDGE, GAP = 10, 5  # [px] beside and between them


@dataclass(frozen=True)
class Pressed:
    """A button was pressed."""

    request: str


@dataclass(frozen=True)
class Held:
    """A browser says that a button of the pad is down."""

    client: int
    velocity: Velocity


@dataclass(frozen=True)
class Released:
    """A browser let go of the pad, or is gone."""

    client: int


Put = Callable[[Union[Pressed, Held, Released]], None]


class Controls:
    """Puts the buttons on the page, and what is done with them into ``put``."""

    def __init__(self, gui: Any, ranges: VelocityRanges, put: Put) -> None:
        """Add everything at the present place of ``gui``; the pad asks for at most ``ranges``."""
        self._gui, self._ranges, self._put = gui, ranges, put
        stop = self._request(*STOP)
        rows = [self._request(*request) for request in REQUESTS]
        with gui.add_folder("Drive: hold a button"):
            self._share = gui.add_slider("Speed [%]", min=10, max=100, step=10, initial_value=60)
            rows += [self._held(label, icon, self._deflected(to)) for label, to, icon in PAD]
            self._added_sliders()
        gui.add_html(style(stop, rows))

    def _added_sliders(self) -> None:
        with self._gui.add_folder("Exact velocity", expand_by_default=False):
            self._sliders = [
                self._gui.add_slider(label, min=low, max=high, step=0.05, initial_value=0.0)
                for label, axis in AXES
                for low, high in [getattr(self._ranges, axis)]
            ]
            self._held("Hold to drive so", None, lambda: Velocity(*(float(slider.value) for slider in self._sliders)))

    def _request(self, label: str, request: str, colour: str, hint: str) -> Any:
        button = self._gui.add_button(label, color=colour, hint=hint)

        async def press(_: Any) -> None:
            self._put(Pressed(request))

        button.on_click(press)
        return button

    def _held(self, label: str, icon: str | None, velocity: Callable[[], Velocity]) -> Any:
        button = self._gui.add_button(label, color="dark" if icon is None else "gray", icon=icon)

        # In the server's own thread, so that a word of release never overtakes a word of hold.
        async def hold(event: Any) -> None:
            self._put(Held(event.client_id, self._ranges.clamp(velocity())))

        async def release(event: Any) -> None:
            self._put(Released(event.client_id))

        button.on_hold(hold, callback_hz=HOLD_RATE)
        button.on_click(release)
        return button

    def _deflected(self, to: Velocity) -> Callable[[], Velocity]:
        def velocity() -> Velocity:
            share = float(self._share.value) / 100.0
            return self._ranges.scaled(Velocity(*(share * axis for axis in to)))

        return velocity


def style(stop: Any, buttons: Sequence[Any]) -> str:
    """Return a style that makes ``stop`` large and puts ``buttons`` side by side; viser itself stacks them.

    A browser without ``:has`` leaves them stacked.
    """
    columns = [[selector(button) for button in buttons[i::COLUMNS]] for i in range(COLUMNS)]
    rules = [f"{selector(stop)}{{height:3em !important;font-size:16px;font-weight:700}}"]
    for index, ids in enumerate(columns):
        cells = ",".join(f"div:has(> {uuid})" for uuid in ids)
        left = EDGE if index == 0 else GAP
        # The cells of a row and the gaps between and beside them fill it.
        width = f"calc((100% - {2 * EDGE + (COLUMNS - 1) * GAP}px) / {COLUMNS} - 0.5px)"
        rules.append(
            f"{cells}{{display:inline-block;width:{width};margin:0 0 0 {left}px !important;padding-bottom:6px}}"
        )
        rules.append(f"{','.join(ids)}{{padding:0 4px;font-size:12.5px}}")
    return f"<style>{''.join(rules)}</style>"


def selector(button: Any) -> str:
    """Return the selector of a button: viser gives each its identity in the page."""
    return f'[id="{button._impl.uuid}"]'
