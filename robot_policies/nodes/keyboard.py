"""A terminal as an operator's device: raw keys in, velocity and service calls out. No ROS here."""

from __future__ import annotations

import os
import re
import select
import sys
import termios
from types import TracebackType

from robot_policies.exceptions import ResourceError, expected
from robot_policies.nodes.velocity_ranges import ZERO, Velocity, VelocityRanges

HELP = """\
  w / s or up / down     faster forward / backward        space   zero velocity
  a / d or left / right  turn left / right                x       emergency stop
  q / e                  step left / right                r       reset after a trip
  1 stand   2 damp   3 arm   0 disarm   p next policy     Ctrl-C  end
"""

STEPS = {
    "w": Velocity(lin_vel_x=1.0),
    "s": Velocity(lin_vel_x=-1.0),
    "q": Velocity(lin_vel_y=1.0),
    "e": Velocity(lin_vel_y=-1.0),
    "a": Velocity(ang_vel_z=1.0),
    "d": Velocity(ang_vel_z=-1.0),
}
ALIASES = {"up": "w", "down": "s", "left": "a", "right": "d"}
SERVICES = {"x": "estop", "r": "reset", "1": "stand", "2": "damp", "3": "arm", "0": "disarm", "p": "switch"}
GOES_ON = ("arm", "switch")  # services that leave the velocity as it is
# Cursor keys in normal and in application mode (ECMA-48, xterm).
_ARROWS = {"A": "up", "B": "down", "C": "right", "D": "left"}
_KEY = re.compile(r"\x1b[\[O][0-9;]*([A-Za-z~])|\x1b|([^\x1b])", re.DOTALL)
_UNFINISHED = re.compile(r"\x1b([\[O][0-9;]*)?$")


class KeyDecoder:
    """Bytes of a terminal into names of keys; an escape sequence may come in pieces."""

    def __init__(self) -> None:
        self._rest = ""

    def feed(self, data: bytes) -> list[str]:
        """Return the keys that ``data`` completes: a character each, or ``up``, ``down``, ``left``, ``right``."""
        text = self._rest + data.decode("ascii", "replace")
        unfinished = _UNFINISHED.search(text)
        self._rest = unfinished.group() if unfinished else ""
        keys = []
        for match in _KEY.finditer(text[: len(text) - len(self._rest)]):
            arrow, character = match.groups()
            keys.append(_ARROWS.get(arrow, "") if arrow else character or "")
        return [key for key in keys if key]


class KeyboardTeleop:
    """Turns keys into the velocity that is asked for and the services that are called."""

    def __init__(self, ranges: VelocityRanges, step_count: int = 10) -> None:
        """Take the ranges; the positive end of each is reached in ``step_count`` presses."""
        self._ranges = ranges
        pairs = (ranges.lin_vel_x, ranges.lin_vel_y, ranges.ang_vel_z)
        self._step = Velocity(*(max(high, -low) / step_count for low, high in pairs))
        self.velocity = ZERO

    def press(self, key: str) -> str | None:
        """Take one key and return the service that it calls, if any; but for ``GOES_ON`` each zeroes the velocity."""
        key = ALIASES.get(key, key).lower()
        service = SERVICES.get(key)
        if key == " " or (service and service not in GOES_ON):
            self.velocity = ZERO
        elif key in STEPS:
            moved = (v + d * s for v, d, s in zip(self.velocity, STEPS[key], self._step, strict=True))
            # Rounded, so that as many steps back as forth end in zero.
            self.velocity = self._ranges.clamp(Velocity(*(round(value, 9) for value in moved)))
        return service


class RawTerminal:
    """Standard input with every key at once and no echo; as it was again on leaving, whatever happens."""

    def __init__(self, fd: int | None = None) -> None:
        """Take the terminal's file descriptor (default: standard input).

        Raises:
            ResourceError: it is no terminal, or belongs to another program in the foreground.
        """
        self._fd = sys.stdin.fileno() if fd is None else fd
        advice = "run the node in a terminal of its own, or use a joystick (device:=joystick)"
        if not os.isatty(self._fd):
            raise ResourceError(expected("keyboard: a terminal on standard input", "none", advice))
        if _in_background(self._fd):
            # Touching a terminal from the background stops the process, silently.
            raise ResourceError(expected("keyboard: the terminal's foreground", "a process in the background", advice))
        self._decoder = KeyDecoder()

    def __enter__(self) -> RawTerminal:
        self._saved = termios.tcgetattr(self._fd)
        mode = termios.tcgetattr(self._fd)
        mode[3] &= ~(termios.ECHO | termios.ICANON)
        # Ctrl-C still ends the node in order. Ctrl-Z and Ctrl-\ would leave the terminal as it is now.
        for character in (termios.VSUSP, termios.VQUIT):
            mode[6][character] = b"\x00"
        mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
        termios.tcsetattr(self._fd, termios.TCSADRAIN, mode)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        termios.tcsetattr(self._fd, termios.TCSADRAIN, self._saved)

    def pressed(self) -> list[str]:
        """Return the keys pressed since the last call, without waiting.

        Raises:
            ResourceError: the terminal has gone.
        """
        if not select.select([self._fd], [], [], 0.0)[0]:
            return []
        try:
            data = os.read(self._fd, 256)
        except OSError:
            data = b""
        if not data:
            raise ResourceError(expected("keyboard: a terminal", "closed", "a terminal that stays open"))
        return self._decoder.feed(data)


def _in_background(fd: int) -> bool:
    try:
        return os.tcgetpgrp(fd) != os.getpgrp()
    except OSError:  # a terminal of another session knows no foreground, and stops nobody
        return False
