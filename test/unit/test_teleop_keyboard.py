"""Keys, decoding and the terminal's restoration, without ROS."""

from __future__ import annotations

import os
import pty
import termios

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_policies.exceptions import InputError, ResourceError
from robot_policies.nodes.keyboard import ALIASES, GOES_ON, SERVICES, STEPS, KeyboardTeleop, KeyDecoder, RawTerminal
from robot_policies.nodes.velocity_ranges import ZERO, Velocity, VelocityRanges, velocity_range

PAIRS = ((-0.5, 1.0), (-0.4, 0.4), (-1.0, 1.0))
RANGES = VelocityRanges(*PAIRS)


def teleop() -> KeyboardTeleop:
    return KeyboardTeleop(RANGES)


def press(device: KeyboardTeleop, keys: str) -> list[str]:
    return [service for key in keys if (service := device.press(key))]


@pytest.mark.parametrize(
    ("key", "axis", "sign"),
    [("w", 0, 1), ("s", 0, -1), ("q", 1, 1), ("e", 1, -1), ("a", 2, 1), ("d", 2, -1)],
)
def test_each_key_moves_its_own_axis_in_the_direction_of_rep_103(key: str, axis: int, sign: int) -> None:
    device = teleop()
    device.press(key)
    assert device.velocity[axis] * sign > 0.0
    assert [v for i, v in enumerate(device.velocity) if i != axis] == [0.0, 0.0]


def test_ten_presses_reach_the_range_and_more_stay_there() -> None:
    device = teleop()
    press(device, "w" * 10)
    assert device.velocity.lin_vel_x == pytest.approx(1.0)
    press(device, "w" * 5)
    assert device.velocity.lin_vel_x == 1.0
    press(device, "s" * 30)
    assert device.velocity.lin_vel_x == -0.5


@given(st.text(alphabet="wsqead", max_size=60))
def test_the_velocity_never_leaves_the_ranges(keys: str) -> None:
    device = teleop()
    press(device, keys)
    for value, (low, high) in zip(device.velocity, PAIRS, strict=True):
        assert low <= value <= high


def test_as_many_steps_back_as_forth_end_in_exactly_zero() -> None:
    device = teleop()
    press(device, "wwwaaaqqq" + "sssdddeee")
    assert device.velocity == ZERO


@pytest.mark.parametrize("key", [" ", *(key for key, service in SERVICES.items() if service not in GOES_ON)])
def test_space_and_every_service_but_arm_and_switch_zero_the_velocity(key: str) -> None:
    device = teleop()
    press(device, "wwa")
    device.press(key)
    assert device.velocity == ZERO


def test_arm_and_switch_do_not_touch_the_velocity_and_unknown_keys_do_nothing() -> None:
    device = teleop()
    press(device, "w")
    assert press(device, "3p") == ["arm", "switch"]
    assert press(device, "zZ\t\x1a") == []
    assert device.velocity.lin_vel_x > 0.0


def test_the_services_are_those_of_the_help() -> None:
    assert press(teleop(), "xr1230p") == ["estop", "reset", "stand", "damp", "arm", "disarm", "switch"]
    assert press(teleop(), "XR") == ["estop", "reset"], "with caps lock, too"


def test_arrows_are_the_letters() -> None:
    for arrow, letter in ALIASES.items():
        one, other = teleop(), teleop()
        one.press(arrow)
        other.press(letter)
        assert one.velocity == other.velocity != ZERO


def test_decoder_reads_letters_and_both_kinds_of_arrows() -> None:
    assert KeyDecoder().feed(b"w\x1b[A\x1bOBx\x1b[C\x1b[D") == ["w", "up", "down", "x", "right", "left"]


def test_decoder_waits_for_the_rest_of_a_sequence() -> None:
    decoder = KeyDecoder()
    assert [decoder.feed(piece) for piece in (b"\x1b", b"[", b"A", b"x")] == [[], [], ["up"], ["x"]]


def test_no_part_of_an_unknown_sequence_is_taken_for_a_key() -> None:
    # F5, delete, shift-up, and a mouse-like report: the "x" after them still stops the robot.
    assert KeyDecoder().feed(b"\x1b[15~\x1b[3~\x1b[1;2Hx") == ["x"]


@given(st.binary(max_size=40))
def test_decoder_takes_any_bytes_in_any_pieces(data: bytes) -> None:
    whole = KeyDecoder().feed(data)
    pieces = KeyDecoder()
    assert [key for byte in data for key in pieces.feed(bytes([byte]))] == whole


def test_ranges_must_hold_zero_and_be_finite() -> None:
    assert velocity_range("x", [-0.5, 1]) == (-0.5, 1.0)
    for wrong in ([0.1, 1.0], [-1.0, -0.5], [1.0], [], [-1.0, float("nan")], [float("-inf"), 1.0]):
        with pytest.raises(InputError, match="two finite numbers around zero"):
            velocity_range("x", wrong)


def test_scaling_reaches_both_ends_of_an_uneven_range() -> None:
    assert RANGES.scaled(Velocity(1.0, 1.0, 1.0)) == (1.0, 0.4, 1.0)
    assert RANGES.scaled(Velocity(-1.0, -1.0, -1.0)) == (-0.5, -0.4, -1.0)
    assert RANGES.scaled(Velocity(-0.5, 0.0, 0.25)) == (-0.25, 0.0, 0.25)
    assert set(STEPS) == set("wsadqe")


def test_a_pipe_is_refused_with_the_way_out() -> None:
    reader, writer = os.pipe()
    try:
        with pytest.raises(ResourceError, match="joystick"):
            RawTerminal(reader)
    finally:
        os.close(reader)
        os.close(writer)


def test_a_terminal_without_job_control_is_taken() -> None:
    master, slave = pty.openpty()  # of another session
    assert RawTerminal(slave).pressed() == []
    os.close(master)
    os.close(slave)


def test_the_terminal_is_restored_even_after_an_error() -> None:
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    with pytest.raises(RuntimeError), RawTerminal(slave) as terminal:
        raw = termios.tcgetattr(slave)
        assert not raw[3] & (termios.ECHO | termios.ICANON)
        assert raw[3] & termios.ISIG, "Ctrl-C must still end the node"
        assert raw[6][termios.VQUIT] == raw[6][termios.VSUSP] == b"\x00", "these would leave the terminal raw"
        assert terminal.pressed() == []
        os.write(master, b"w\x1b[A")
        assert terminal.pressed() == ["w", "up"]
        raise RuntimeError
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)


def test_a_closed_terminal_is_one_clear_error() -> None:
    master, slave = pty.openpty()
    terminal = RawTerminal(slave)
    os.close(master)
    with pytest.raises(ResourceError, match="stays open"):
        terminal.pressed()
    os.close(slave)
