"""A process with an emulated game pad and the teleop node in it; lines on standard input move the pad.

``axis NAME VALUE`` (SDL units), ``button NAME 0|1``, ``detach``, ``attach``. SDL emulates the pad below its public
interface, so the node reads it as it reads a real one.
"""

from __future__ import annotations

import os
import sys
import threading

os.environ["SDL_VIDEODRIVER"] = "dummy"

import sdl2

from robot_policies.nodes.joystick import AXES, BUTTONS
from robot_policies.nodes.teleop_node import main


class VirtualPad:
    def attach(self) -> None:
        kind = sdl2.SDL_JOYSTICK_TYPE_GAMECONTROLLER
        self._index = sdl2.SDL_JoystickAttachVirtual(kind, len(AXES), len(BUTTONS), 0)
        self._pad = sdl2.SDL_JoystickOpen(self._index)

    def detach(self) -> None:
        sdl2.SDL_JoystickDetachVirtual(self._index)
        sdl2.SDL_JoystickClose(self._pad)

    def axis(self, name: str, value: str) -> None:
        sdl2.SDL_JoystickSetVirtualAxis(self._pad, AXES.index(name), int(value))

    def button(self, name: str, down: str) -> None:
        sdl2.SDL_JoystickSetVirtualButton(self._pad, BUTTONS.index(name), int(down))


def follow(pad: VirtualPad) -> None:
    for line in sys.stdin:
        verb, *arguments = line.split()
        getattr(pad, verb)(*arguments)


if __name__ == "__main__":
    sdl2.SDL_Init(sdl2.SDL_INIT_GAMECONTROLLER)
    device = VirtualPad()
    device.attach()
    threading.Thread(target=follow, args=(device,), daemon=True).start()
    sys.exit(main())
