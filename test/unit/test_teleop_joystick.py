"""What a pad's readings mean, and SDL's reading of a virtual pad."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_policies.exceptions import ResourceError
from robot_policies.nodes.joystick import AXES, BUTTONS, PadLayout, PadState, PadTeleop, SdlPad
from robot_policies.nodes.velocity_ranges import VelocityRanges

RANGES = VelocityRanges((-0.5, 1.0), (-0.4, 0.4), (-1.0, 1.0))
DEAD_MAN = "left_shoulder"


def state(*pressed: str, **axes: float) -> PadState:
    return PadState(tuple(axes.get(name, 0.0) for name in AXES), tuple(name in pressed for name in BUTTONS))


def teleop(dead_zone: float = 0.0) -> PadTeleop:
    return PadTeleop(RANGES, PadLayout(), dead_zone)


def test_nothing_is_commanded_without_the_dead_man_button() -> None:
    assert teleop().update(state(left_y=1.0)) == (None, [])


def test_sticks_command_while_it_is_held() -> None:
    velocity, services = teleop().update(state(DEAD_MAN, left_y=1.0, left_x=-1.0, right_x=0.5))
    assert velocity == (1.0, -0.4, 0.5)
    assert services == []


def test_held_with_centred_sticks_is_a_zero_command_not_silence() -> None:
    assert teleop().update(state(DEAD_MAN))[0] == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("role", ["estop", "reset", "stand", "damp", "arm", "switch"])
def test_each_button_calls_its_service_once_per_press(role: str) -> None:
    device, button = teleop(), getattr(PadLayout(), role)
    presses = [device.update(s)[1] for s in (state(), state(button), state(button), state(), state(button))]
    assert presses == [[], [role], [], [], [role]]


def test_the_stop_button_works_with_and_without_the_dead_man() -> None:
    for held in ((), (DEAD_MAN,)):
        device = teleop()
        device.update(state(*held))
        assert device.update(state("east", *held))[1] == ["estop"]


def test_a_button_that_is_down_when_the_pad_appears_calls_nothing() -> None:
    device = teleop()
    assert device.update(state("north"))[1] == []
    device.update(state())
    device.update(None)
    assert device.update(state("north"))[1] == []


def test_a_lost_pad_releases() -> None:
    device = teleop()
    assert device.update(state(DEAD_MAN, left_y=1.0))[0] is not None
    assert device.update(None) == (None, [])


@given(st.floats(-1, 1), st.floats(0, 0.9))
def test_dead_zone_is_zero_inside_continuous_and_full_at_the_end(value: float, zone: float) -> None:
    velocity, _ = teleop(zone).update(state(DEAD_MAN, right_x=value))
    assert velocity is not None
    assert abs(velocity.ang_vel_z) <= abs(value) + 1e-9
    assert (velocity.ang_vel_z == 0.0) == (abs(value) <= zone)
    assert teleop(zone).update(state(DEAD_MAN, right_x=1.0))[0][2] == 1.0


@pytest.mark.parametrize("layout", [{"estop": "stop"}, {"estop": "south"}, {"dead_man": ""}])
def test_a_layout_with_an_unknown_or_shared_button_is_refused(layout: dict[str, str]) -> None:
    with pytest.raises(ResourceError, match="left_shoulder"):
        PadLayout(**layout)


@pytest.mark.parametrize("zone", [-0.1, 1.0, float("nan")])
def test_a_senseless_dead_zone_is_refused(zone: float) -> None:
    with pytest.raises(ResourceError, match="dead_zone"):
        teleop(zone)


class VirtualPad:
    """A pad that SDL itself emulates; the code under test reads it as any other."""

    def __init__(self, sdl: Any) -> None:
        self._sdl = sdl
        kind = sdl.SDL_JOYSTICK_TYPE_GAMECONTROLLER
        self.index = sdl.SDL_JoystickAttachVirtual(kind, len(AXES), len(BUTTONS), 0)
        assert self.index >= 0, sdl.SDL_GetError()
        self._joystick = sdl.SDL_JoystickOpen(self.index)

    def axis(self, name: str, value: int) -> None:
        assert self._sdl.SDL_JoystickSetVirtualAxis(self._joystick, AXES.index(name), value) == 0

    def button(self, name: str, down: bool) -> None:
        assert self._sdl.SDL_JoystickSetVirtualButton(self._joystick, BUTTONS.index(name), down) == 0

    def detach(self) -> None:
        assert self._sdl.SDL_JoystickDetachVirtual(self.index) == 0
        self._sdl.SDL_JoystickClose(self._joystick)


@pytest.fixture
def sdl(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    sdl2 = pytest.importorskip("sdl2")
    assert sdl2.SDL_Init(sdl2.SDL_INIT_GAMECONTROLLER) == 0
    yield sdl2
    sdl2.SDL_QuitSubSystem(sdl2.SDL_INIT_GAMECONTROLLER)


def test_sdl_reads_axes_and_buttons_with_the_signs_of_sensor_msgs_joy(sdl: Any) -> None:
    virtual = VirtualPad(sdl)
    pad = SdlPad(virtual.index)
    virtual.axis("left_y", -32768)  # SDL: up and left are negative
    virtual.axis("left_x", -32768)
    virtual.axis("right_x", 32767)
    virtual.button("left_shoulder", True)
    read = pad.read()
    assert read is not None
    assert dict(zip(AXES, read.axes, strict=True)) | {"left_trigger": 0.0, "right_trigger": 0.0} == pytest.approx(
        {"left_x": 1.0, "left_y": 1.0, "right_x": -1.0, "right_y": 0.0, "left_trigger": 0.0, "right_trigger": 0.0}
    )
    assert [name for name, down in zip(BUTTONS, read.buttons, strict=True) if down] == ["left_shoulder"]
    pad.close()
    virtual.detach()


def test_every_button_name_is_the_button_of_that_name_in_sdl(sdl: Any) -> None:
    virtual = VirtualPad(sdl)
    pad = SdlPad(virtual.index)
    shared = [i for i, name in enumerate(BUTTONS[: sdl.SDL_CONTROLLER_BUTTON_DPAD_RIGHT + 1])]
    for before, index in itertools.pairwise([None, *shared]):
        if before is not None:
            virtual.button(BUTTONS[before], False)
        virtual.button(BUTTONS[index], True)
        read = pad.read()
        assert read is not None
        assert [i for i, down in enumerate(read.buttons) if down] == [index]
    for name, letter in (("south", "A"), ("east", "B"), ("west", "X"), ("north", "Y")):
        assert BUTTONS.index(name) == getattr(sdl, f"SDL_CONTROLLER_BUTTON_{letter}")
    assert BUTTONS.index("left_shoulder") == sdl.SDL_CONTROLLER_BUTTON_LEFTSHOULDER
    assert BUTTONS.index("back") == sdl.SDL_CONTROLLER_BUTTON_BACK
    assert BUTTONS.index("start") == sdl.SDL_CONTROLLER_BUTTON_START
    assert len(BUTTONS) == sdl.SDL_CONTROLLER_BUTTON_MAX
    assert AXES.index("right_x") == sdl.SDL_CONTROLLER_AXIS_RIGHTX
    pad.close()
    virtual.detach()


def test_an_unplugged_pad_reads_as_none_and_is_found_again(sdl: Any) -> None:
    virtual = VirtualPad(sdl)
    pad = SdlPad(virtual.index)
    assert pad.read() is not None
    virtual.detach()
    assert pad.read() is None
    again = VirtualPad(sdl)
    assert pad.read() is not None
    pad.close()
    again.detach()


def test_no_pad_is_one_line_that_lists_what_there_is(sdl: Any) -> None:
    with pytest.raises(ResourceError, match="game pad number 0; found none"):
        SdlPad(0)
    virtual = VirtualPad(sdl)
    with pytest.raises(ResourceError, match="number 7; found 0:"):
        SdlPad(7)
    virtual.detach()
