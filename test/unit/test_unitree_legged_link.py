"""What comes and goes between the Go1 driver and its peer: bad, lost and repeated packets, silence, and the pace."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from helpers.legged_peer import LeggedPeer, state_packet
from helpers.legged_robot import GO1, command, robot_of, wait_until

from robot_policies.exceptions import RobotError
from robot_policies.robots import unitree_legged, unitree_legged_link


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may stop this process, or the peer, for longer than a robot may be silent."""
    monkeypatch.setattr(unitree_legged, "LOST_NS", 5_000_000_000)


def test_bad_packets_between_good_ones_are_counted_and_change_nothing() -> None:
    def answer(tick: int, _: bytes) -> list[bytes]:
        good = state_packet(tick + 100, [0.5])
        older = state_packet(tick + 50, [9.0])
        return [good, good, older, state_packet(tick + 101, [9.0], spoil=3), good[:400], good + b"xx", b""]

    with LeggedPeer(answer) as peer:
        robot = robot_of(peer, armed=True)
        counts = {}
        for _ in range(3):
            robot.write(None)
            time.sleep(0.03)
            assert robot.read(wait_until).joint_pos[0] == 0.5
            counts = robot.report()["packets"]
        robot.close()
    assert counts["valid"] >= 4
    assert counts["repeated"] == counts["older"] == counts["crc"] == counts["valid"]
    assert counts["size"] == 3 * counts["valid"]


def test_a_robot_that_was_started_anew_is_heard_again(patient: None) -> None:
    def answer(tick: int, _: bytes) -> list[bytes]:
        return [state_packet(50_000 + tick if tick < 20 else tick, [float(tick)])]

    with LeggedPeer(answer) as peer:
        robot = robot_of(peer, armed=True)
        seen = [robot.read(wait_until).joint_pos[0] for _ in range(40) if robot.write(None) is None]
        counts = robot.report()["packets"]
        robot.close()
    assert counts["older"] == unitree_legged_link.RESTART - 1
    assert seen == sorted(seen)
    assert seen[-1] > 30


def test_the_tick_may_wrap_around(patient: None) -> None:
    with LeggedPeer(lambda tick, _: [state_packet((2**32 - 3 + tick) % 2**32, [float(tick)])]) as peer:
        robot = robot_of(peer, armed=True)
        for _ in range(10):
            robot.write(None)
            robot.read(wait_until)
        assert "older" not in robot.report()["packets"]
        robot.close()


def test_lost_answers_are_asked_for_again_and_counted(patient: None) -> None:
    """Every third record is not answered: a robot that only answers would else stay silent for good."""
    with LeggedPeer(lambda tick, _: [] if tick % 3 == 0 else [state_packet(tick)]) as peer:
        robot = robot_of(peer, armed=True)
        for _ in range(60):
            robot.write(command())
            robot.read(wait_until)
        assert robot.missed >= 15
        robot.close()


def test_a_robot_that_falls_silent_is_an_error_and_may_come_back() -> None:
    silent = [False]
    with LeggedPeer(lambda tick, _: [] if silent[0] else [state_packet(tick)]) as peer:
        robot = robot_of(peer, armed=True)
        robot.read(wait_until)
        silent[0] = True
        begun = time.monotonic()
        with pytest.raises(RobotError, match=r"a state within 50 ms; found no answer to \d+ records"):
            for _ in range(3):  # a state or two may still be on their way
                robot.read(wait_until)
        assert 0.05 <= time.monotonic() - begun < 0.5
        silent[0] = False
        robot.write(None)
        time.sleep(0.05)
        robot.read(wait_until)
        robot.close()


def test_each_state_is_given_once(patient: None) -> None:
    with LeggedPeer() as peer:
        robot = robot_of(peer, armed=True)
        stamps = []
        for _ in range(20):
            robot.write(None)
            stamps.append(robot.read(wait_until).stamp_ns)
        robot.close()
    assert all(later > earlier for earlier, later in zip(stamps, stamps[1:], strict=False))


def test_strangers_are_not_heard() -> None:
    with LeggedPeer() as peer, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        robot = robot_of(peer, armed=True)
        stranger.sendto(state_packet(999, [3.0]), peer.client)
        time.sleep(0.05)
        robot.write(None)
        time.sleep(0.02)
        assert robot.read(wait_until).joint_pos[0] == 0.0
        assert "size" not in robot.report()["packets"]
        robot.close()


def test_five_hundred_times_a_second(patient: None) -> None:
    """Against a peer in a process of its own: the period on average, and a bound on the rest for a busy machine."""
    script = Path(__file__).parents[1] / "helpers" / "legged_peer.py"
    peer = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    try:
        assert peer.stdout is not None
        port = int(peer.stdout.readline())
        options = {"interface": "lo", "address": "127.0.0.1", "port": port, "local_port": 0, "armed": True}
        robot = unitree_legged.create(GO1, options)
        stamps, asked = [], command()
        for _ in range(1000):
            stamps.append(robot.read(wait_until).stamp_ns)
            robot.write(asked)
        robot.close()
    finally:
        peer.kill()
        peer.wait()
    periods = np.diff(stamps) / 1e6
    assert np.median(periods) == pytest.approx(2.0, abs=0.3)
    assert np.mean(periods) < 4.0


def test_what_the_system_refuses_to_send_is_one_line() -> None:
    """A record that no datagram can hold, as an error that is no network's being away."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        link = unitree_legged_link.Link("lo", "127.0.0.1", peer.getsockname()[1], 0)
        with pytest.raises(RobotError, match="UDP: writing a command to 127.0.0.1.*: Message too long"):
            link.send(bytes(70_000))
        link.close()
