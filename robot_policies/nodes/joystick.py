"""A game pad as an operator's device, through SDL as in ROS's own ``joy`` package. No ROS here.

Axes and buttons are those of SDL's GameController interface, so they mean the same on every pad that SDL knows:
axes left x, left y, right x, right y, left trigger, right trigger; left and up are positive, as in sensor_msgs/Joy.
The four buttons at the right thumb are called by their place (A, B, X, Y of an Xbox pad are south, east, west, north),
because a bare ``y`` on a ROS command line is the truth value.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from robot_policies.exceptions import ResourceError, expected
from robot_policies.nodes.velocity_ranges import Velocity, VelocityRanges

AXES = ("left_x", "left_y", "right_x", "right_y", "left_trigger", "right_trigger")
BUTTONS = (
    *("south", "east", "west", "north", "back", "guide", "start"),
    *("left_stick", "right_stick", "left_shoulder", "right_shoulder", "up", "down", "left", "right"),
    *("misc", "paddle1", "paddle2", "paddle3", "paddle4", "touchpad"),
)
FULL = 32767.0  # SDL's full deflection


@dataclass(frozen=True, slots=True)
class PadState:
    """One reading of the pad."""

    axes: tuple[float, ...]  # order of AXES, -1 to 1, triggers 0 to 1
    buttons: tuple[bool, ...]  # order of BUTTONS


@dataclass(frozen=True, slots=True)
class PadLayout:
    """Which button does what; names of ``BUTTONS``."""

    dead_man: str = "left_shoulder"
    estop: str = "east"
    reset: str = "back"
    stand: str = "north"
    damp: str = "south"
    arm: str = "start"
    switch: str = "west"  # to the next policy

    def __post_init__(self) -> None:
        names = [getattr(self, role) for role in self.__slots__]
        for role, name in zip(self.__slots__, names, strict=True):
            if name not in BUTTONS or names.count(name) > 1:
                found = name if name not in BUTTONS else f"{name}, which another role has"
                raise ResourceError(expected(f"joystick: button of {role}", found, BUTTONS))

    def services(self) -> dict[str, str]:
        """Return button -> service."""
        return {getattr(self, role): role for role in ("estop", "reset", "stand", "damp", "arm", "switch")}


class PadTeleop:
    """Turns readings into a velocity while the dead-man button is held, and presses into service calls."""

    def __init__(self, ranges: VelocityRanges, layout: PadLayout, dead_zone: float = 0.05) -> None:
        """Take ranges, layout and the dead zone of the sticks (0.05 is the default of ROS's joy)."""
        if not 0.0 <= dead_zone < 1.0:
            raise ResourceError(expected("joystick: dead_zone", dead_zone, "0 to below 1"))
        self._ranges, self._layout, self._dead_zone = ranges, layout, dead_zone
        self._services = layout.services()
        self._before: tuple[bool, ...] | None = None

    def update(self, state: PadState | None) -> tuple[Velocity | None, list[str]]:
        """Return the velocity (None: the dead-man button is not held, or no pad) and the services to call."""
        if state is None:
            self._before = None
            return None, []
        # A button that is down when the pad appears was pressed for something else.
        before = self._before or state.buttons
        self._before = state.buttons
        pressed = [
            BUTTONS[i] for i, (was, now) in enumerate(zip(before, state.buttons, strict=True)) if now and not was
        ]
        held = state.buttons[BUTTONS.index(self._layout.dead_man)]
        return (self._velocity(state) if held else None), [self._services[b] for b in pressed if b in self._services]

    def _velocity(self, state: PadState) -> Velocity:
        axis = dict(zip(AXES, (self._live(value) for value in state.axes), strict=True))
        return self._ranges.scaled(Velocity(axis["left_y"], axis["left_x"], axis["right_x"]))

    def _live(self, value: float) -> float:
        """Return a deflection without its dead zone; full deflection stays 1."""
        beyond = max(0.0, abs(value) - self._dead_zone) / (1.0 - self._dead_zone)
        return min(beyond, 1.0) * (1.0 if value >= 0.0 else -1.0)


class SdlPad:
    """A pad that SDL reads. Found again by itself after it was unplugged."""

    def __init__(self, index: int = 0) -> None:
        """Open the pad of that index.

        Raises:
            ResourceError: SDL is missing, or there is no such pad; lists what there is.
        """
        # Pads need no window, and must be read although none of ours has the focus.
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
        os.environ.setdefault("SDL_JOYSTICK_ALLOW_BACKGROUND_EVENTS", "1")
        os.environ.setdefault("SDL_NO_SIGNAL_HANDLERS", "1")  # a Ctrl-C is the node's
        self._sdl = _import_sdl()
        self._index = index
        if self._sdl.SDL_Init(self._sdl.SDL_INIT_GAMECONTROLLER) != 0:
            raise ResourceError(expected("joystick: SDL", _text(self._sdl.SDL_GetError()), "a working SDL 2"))
        self._pad: Any = None
        if not self._opened():
            found = ", ".join(self._names()) or "none"
            valid = "the number of a game pad that SDL knows (SDL_GAMECONTROLLERCONFIG makes one known)"
            raise ResourceError(expected(f"joystick: game pad number {index}", found, valid))

    def read(self) -> PadState | None:
        """Return the pad's state now, or None while it is unplugged."""
        sdl = self._sdl
        sdl.SDL_GameControllerUpdate()
        if not self._opened():
            return None
        raw = [sdl.SDL_GameControllerGetAxis(self._pad, i) for i in range(len(AXES))]
        signs = (-1, -1, -1, -1, 1, 1)
        axes = tuple(max(-1.0, min(1.0, sign * value / FULL)) for sign, value in zip(signs, raw, strict=True))
        buttons = tuple(bool(sdl.SDL_GameControllerGetButton(self._pad, i)) for i in range(len(BUTTONS)))
        return PadState(axes, buttons)

    def close(self) -> None:
        """Give the pad and SDL back."""
        self._drop()
        self._sdl.SDL_QuitSubSystem(self._sdl.SDL_INIT_GAMECONTROLLER)

    def _opened(self) -> bool:
        if self._pad and not self._sdl.SDL_GameControllerGetAttached(self._pad):
            self._drop()
        if not self._pad and self._sdl.SDL_IsGameController(self._index):
            self._pad = self._sdl.SDL_GameControllerOpen(self._index)
        return bool(self._pad)

    def _drop(self) -> None:
        if self._pad:
            self._sdl.SDL_GameControllerClose(self._pad)
        self._pad = None

    def _names(self) -> Sequence[str]:
        sdl = self._sdl
        known = range(sdl.SDL_NumJoysticks())
        return [f"{i}: {_text(sdl.SDL_JoystickNameForIndex(i)) or 'unnamed'}" for i in known]


def _import_sdl() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it takes SDL from the pysdl2-dll package
            import sdl2
    except ImportError as error:
        raise ResourceError(expected("joystick: SDL 2", error, "pip install PySDL2 pysdl2-dll")) from error
    return sdl2


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")
