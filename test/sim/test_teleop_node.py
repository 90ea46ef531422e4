"""Teleop as a user starts it: the keyboard on a real terminal, and a game pad that SDL emulates."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

pytest.importorskip("rclpy")

from geometry_msgs.msg import Twist, TwistStamped
from helpers.node_process import Probe, command, environment, run_to_end, running
from sensor_msgs.msg import Joy
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger

from robot_policies.nodes.conversions import to_ns
from robot_policies.nodes.joystick import AXES, BUTTONS
from robot_policies.nodes.runtime import LATCHED, RELIABLE

MODULE = "robot_policies.nodes.teleop_node"


class RobotServer:
    """Stands for the robot node: notes which services are called."""

    def __init__(self, probe: Probe) -> None:
        self.calls: list[str] = []
        for name in ("stand", "damp", "estop", "reset"):
            probe.node.create_service(Trigger, name, self._trigger(name))
        probe.node.create_service(Trigger, "walker/switch", self._trigger("switch"))  # of the policy node
        probe.node.create_service(SetBool, "arm", self._arm)
        self.mode = probe.node.create_publisher(String, "robot_mode", LATCHED)
        self.mode.publish(String(data="damping"))

    def _trigger(self, name: str) -> Any:
        def callback(request: Any, response: Any) -> Any:
            self.calls.append(name)
            response.success, response.message = name != "reset", f"{name} it is"
            return response

        return callback

    def _arm(self, request: Any, response: Any) -> Any:
        self.calls.append("arm" if request.data else "disarm")
        response.success = True
        return response


class Terminal:
    """A node on a terminal of its own; the far end types and reads."""

    def __init__(self, line: list[str], domain: int, foreground: bool = True) -> None:
        self.master, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        # A session leader takes the terminal, as a shell does; its child is the node, in the foreground or not.
        shell = (
            "import fcntl, os, subprocess, sys, termios\n"
            "os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
            f"node = subprocess.Popen(sys.argv[2:]{'' if foreground else ', preexec_fn=os.setpgrp'})\n"
            "os.write(int(sys.argv[1]), str(node.pid).encode())\n"
            "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
            "sys.exit(node.wait())\n"
        )
        told, tell = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-c", shell, str(tell), *line],
            env=environment(domain),
            stdin=self.slave,
            stdout=self.slave,
            stderr=subprocess.PIPE,
            pass_fds=[tell],
            text=True,
        )
        self.node = int(os.read(told, 16))
        os.close(told)
        os.close(tell)
        self.text = ""

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def read(self) -> str:
        os.set_blocking(self.master, False)
        try:
            while piece := os.read(self.master, 65536):
                self.text += piece.decode()
        except BlockingIOError:
            pass
        return self.text

    def close(self) -> None:
        if self.process.poll() is None:
            self.type("\x03")
            self.process.wait(10)
        os.close(self.master)
        os.close(self.slave)


@contextmanager
def terminal(domain: int, *parameters: str, foreground: bool = True) -> Iterator[Terminal]:
    opened = Terminal(command(MODULE, *parameters), domain, foreground)
    try:
        yield opened
    finally:
        opened.close()


def velocities(heard: list[tuple[float, Any]]) -> list[tuple[float, float, float]]:
    twists = [getattr(message, "twist", message) for _, message in heard]
    return [(t.linear.x, t.linear.y, t.angular.z) for t in twists]


def test_keys_become_stamped_velocities_at_20_hz(probe: Probe, domain: int) -> None:
    heard = probe.hear(TwistStamped, "cmd_vel", RELIABLE)
    with terminal(domain, "lin_vel_x:=[-0.5, 1.0]") as opened:
        assert probe.until(lambda: heard)
        assert velocities(heard)[-1] == (0.0, 0.0, 0.0)
        opened.type("www" + "\x1b[D" + "e")
        assert probe.until(lambda: velocities(heard)[-1] == pytest.approx((0.3, -0.05, 0.1)))
        first = len(heard)
        probe.spin(2.0)
        assert 28 <= len(heard) - first <= 43, "2 s at 20 Hz; a busy machine may lose some, none may add"
        opened.type(" ")
        assert probe.until(lambda: velocities(heard)[-1] == (0.0, 0.0, 0.0), 1.0)
        message = heard[-1][1]
        assert abs(to_ns(message.header.stamp) - time.time_ns()) < 2_000_000_000
        assert message.header.frame_id == "base_link"
        assert "w / s or up / down" in opened.read()


def test_each_key_calls_its_service_and_the_answer_is_told(probe: Probe, domain: int) -> None:
    heard, server = probe.hear(TwistStamped, "cmd_vel", RELIABLE), RobotServer(probe)
    with terminal(domain) as opened:
        assert probe.until(lambda: "damping" in opened.read()), "the mode is shown"
        for key, name in (("3", "arm"), ("1", "stand"), ("2", "damp"), ("r", "reset"), ("0", "disarm"), ("x", "estop")):
            before = len(server.calls)
            opened.type("w" + key)
            assert probe.until(lambda before=before: len(server.calls) > before), name
            assert server.calls[-1] == name
        assert probe.until(lambda: "estop: done, estop it is" in opened.read())
        assert "reset: refused, reset it is" in opened.text
        assert probe.until(lambda: velocities(heard)[-1] == (0.0, 0.0, 0.0), 1.0)
        probe.spin(0.5)
        assert server.calls.count("estop") == 1, "an answered stop is not repeated"


def test_an_estop_that_nobody_answers_is_repeated_until_somebody_does(probe: Probe, domain: int) -> None:
    heard = probe.hear(TwistStamped, "cmd_vel", RELIABLE)
    with terminal(domain) as opened:
        assert probe.until(lambda: heard)
        opened.type("x")
        assert probe.until(lambda: "no robot node answers" in opened.read())
        server = RobotServer(probe)
        assert probe.until(lambda: "estop" in server.calls)
        assert opened.read().count("no robot node answers") == 1


@pytest.mark.parametrize("end", ["ctrl_c", "sigterm"])
def test_the_terminal_is_as_it_was_and_the_robot_has_zero(probe: Probe, domain: int, end: str) -> None:
    heard = probe.hear(TwistStamped, "cmd_vel", RELIABLE)
    with terminal(domain) as opened:
        assert probe.until(lambda: heard)
        assert not termios.tcgetattr(opened.slave)[3] & termios.ECHO
        opened.type("ww")
        assert probe.until(lambda: velocities(heard)[-1][0] > 0.1)
        if end == "ctrl_c":
            opened.type("\x03\x03")
        else:
            os.kill(opened.node, signal.SIGTERM)
        assert probe.until(lambda: opened.process.poll() is not None, 10.0)
        assert opened.process.returncode == 0
        assert termios.tcgetattr(opened.slave) == opened.before
        probe.spin(0.3)
        assert velocities(heard)[-1] == (0.0, 0.0, 0.0)


def test_from_the_background_it_ends_in_one_line_instead_of_hanging(domain: int) -> None:
    with terminal(domain, foreground=False) as opened:
        assert opened.process.wait(20) == 2
        assert opened.process.stderr is not None
        assert re.fullmatch(r"error: keyboard: .*background.*\n", opened.process.stderr.read())


def test_plain_twist_for_robots_that_want_it(probe: Probe, domain: int) -> None:
    heard = probe.hear(Twist, "cmd_vel", RELIABLE)
    with terminal(domain, "cmd_vel_stamped:=false", "rate:=50") as opened:
        assert probe.until(lambda: heard)
        opened.type("a")
        assert probe.until(lambda: velocities(heard)[-1] == pytest.approx((0.0, 0.0, 0.1)))


@pytest.mark.parametrize(
    ("parameter", "says"),
    [
        ("device:=keyboard", "a terminal on standard input; found none"),
        ("device:=joystick", "game pad number 0; found none"),
        ("device:=mouse", "found mouse; valid: keyboard, joystick"),
        ("rate:=0.1", "1 to 100 Hz"),
        ("lin_vel_x:=[0.2, 1.0]", "lin_vel_x: lowest, highest"),
        ("button_estop:=red", "button of estop; found red; valid: south, east"),
        ("axis:=2", "found axis; valid: ang_vel_z"),
    ],
)
def test_what_cannot_be_is_one_line_and_exit_code_2(domain: int, parameter: str, says: str) -> None:
    done = run_to_end(MODULE, domain, parameter)
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@contextmanager
def game_pad(domain: int, *parameters: str) -> Iterator[Any]:
    line = command("helpers.virtual_pad", "device:=joystick", *parameters)
    with running(line, domain, stdin=subprocess.PIPE) as process:

        def pad(*words: object) -> None:
            process.stdin.write(" ".join(str(word) for word in words) + "\n")
            process.stdin.flush()

        yield pad


def test_the_dead_man_button_decides_whether_there_is_a_command(probe: Probe, domain: int) -> None:
    heard, joys = probe.hear(TwistStamped, "cmd_vel", RELIABLE), probe.hear(Joy, "joy", RELIABLE)
    with game_pad(domain, "dead_zone:=0.0") as pad:
        assert probe.until(lambda: joys)
        pad("axis", "left_y", -32768)
        assert probe.until(lambda: joys[-1][1].axes[AXES.index("left_y")] == 1.0)
        probe.spin(0.3)
        assert not heard, "a stick alone commands nothing"
        pad("button", "left_shoulder", 1)
        assert probe.until(lambda: heard)
        assert velocities(heard)[0] == (1.0, 0.0, 0.0)
        assert probe.until(lambda: joys[-1][1].buttons[BUTTONS.index("left_shoulder")] == 1, 1.0)
        first = len(heard)
        probe.spin(1.0)
        assert 13 <= len(heard) - first <= 23, "1 s at 20 Hz"
        pad("button", "left_shoulder", 0)
        assert probe.until(lambda: velocities(heard)[-1] == (0.0, 0.0, 0.0), 1.0)
        probe.spin(0.6)
        zeros = [v for v in velocities(heard) if v == (0.0, 0.0, 0.0)]
        assert 1 <= len(zeros) <= 5
        probe.spin(0.5)
        assert len([v for v in velocities(heard) if v == (0.0, 0.0, 0.0)]) == len(zeros), "then silence"


def test_buttons_of_the_pad_call_services_without_the_dead_man(probe: Probe, domain: int) -> None:
    joys, server = probe.hear(Joy, "joy", RELIABLE), RobotServer(probe)
    with game_pad(domain, "button_estop:=west", "button_switch:=east", "policy_node:=walker") as pad:
        assert probe.until(lambda: joys)
        buttons = (("start", "arm"), ("north", "stand"), ("back", "reset"), ("east", "switch"), ("west", "estop"))
        for button, name in buttons:
            pad("button", button, 1)
            assert probe.until(lambda name=name: name in server.calls), name
            pad("button", button, 0)
        assert server.calls == ["arm", "stand", "reset", "switch", "estop"]


def test_a_pad_that_is_unplugged_while_driving_stops_the_robot_and_comes_back(probe: Probe, domain: int) -> None:
    heard, joys = probe.hear(TwistStamped, "cmd_vel", RELIABLE), probe.hear(Joy, "joy", RELIABLE)
    with game_pad(domain) as pad:
        assert probe.until(lambda: joys)
        pad("axis", "left_y", -32768)
        pad("button", "left_shoulder", 1)
        assert probe.until(lambda: heard and velocities(heard)[-1] == (1.0, 0.0, 0.0))
        pad("detach")
        assert probe.until(lambda: velocities(heard)[-1] == (0.0, 0.0, 0.0), 1.0)
        probe.spin(0.5)
        count = len(joys)
        probe.spin(0.3)
        assert len(joys) == count
        pad("attach")
        assert probe.until(lambda: len(joys) > count)
