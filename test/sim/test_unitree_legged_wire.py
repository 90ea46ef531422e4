"""The robot node with the Go1 driver against a firmware peer, each a process: UDP in between, as on the robot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("mujoco")

from helpers.firmware import PeerProcess, free_udp_port
from helpers.node_process import free_domain, run_to_end
from helpers.stack import ROBOT, Stack

from robot_policies.robot_spec import load_robot_spec

GO1 = load_robot_spec("go1")
PORT = "options.port:={}"
WIRE = ("robot:=go1", "backend:=unitree_legged", "options.interface:=lo", "options.address:=127.0.0.1")


@pytest.fixture
def peer(tmp_path: Path) -> object:
    peer = PeerProcess("go1", "--port", str(free_udp_port()), log=tmp_path / "peer.jsonl")
    yield peer
    peer.close()


def test_it_stands_up_over_the_wire(peer: PeerProcess) -> None:
    port = PORT.format(peer.where["port"])
    with Stack(*WIRE, port, "options.local_port:=0", "options.armed:=true") as stack:
        stack.stand()
        values = stack.values()
        seen = peer.until(
            lambda status: np.abs(np.array(status["sample"]["joint_pos"]) - GO1.poses["stand"]).max() < 0.25
        )
    commands = seen["sample"]["commands"]
    assert commands.get("taken", 0) > 100
    assert {kind for kind, count in commands.items() if count} == {"taken"}  # not one with a wrong checksum or mode
    assert values["hardware"]["dry_run"] is False
    assert values["hardware"]["packets"].get("crc", 0) == 0
    assert values["mode"] == "stand"


def test_a_dry_run_drives_no_motor(peer: PeerProcess) -> None:
    port = PORT.format(peer.where["port"])
    with Stack(*WIRE, port, "options.local_port:=0", "options.contact:=true") as stack:
        assert stack.probe.until(lambda: "hardware" in stack.values(), 20.0)
        assert stack.ask("arm").success
        stack.probe.spin(1.0)
        assert stack.values()["hardware"]["dry_run"] is True
        sample = peer.do("status")["sample"]
    assert np.abs(sample["joint_pos"][2] - GO1.poses["sit"][2]) < 0.3  # it lies as it lay


@pytest.mark.parametrize(
    ("parameter", "line"),
    [
        ("options.interface:=eth99", "no 'eth99' on this machine; valid: lo"),
        ("options.contact:=true", "nobody listens there (Connection refused); valid: a Go1 that is switched on"),
        ("options.colour:=red", "colour: unknown key"),
    ],
)
def test_no_robot_there_is_one_line_and_code_2(parameter: str, line: str) -> None:
    port = PORT.format(free_udp_port())
    done = run_to_end(ROBOT, free_domain(), *WIRE, port, "options.local_port:=0", parameter)
    errors = [text for text in done.stderr.splitlines() if text.startswith("error: ")]
    assert (done.returncode, len(errors)) == (2, 1), done.stderr
    assert line in errors[0]
