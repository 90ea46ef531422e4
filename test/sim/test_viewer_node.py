"""The viewer as a user starts it: a process of its own, its address, its options and its end."""

from __future__ import annotations

import re
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("viser")

from helpers.node_process import command, free_domain, run_to_end, running
from helpers.viewer import VIEWER, free_port, page


def test_it_is_one_page_that_needs_nothing_from_outside() -> None:
    port = free_port()
    with page(free_domain(), port):
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).read().decode()
        assert "<html" in text
        assert not re.findall(r"""(?:src|href)=["']https?://""", text)
        with pytest.raises(OSError), socket.create_connection((_other_address(), port), timeout=1):
            pass


def _other_address() -> str:
    """Return another address of this machine; the page answers on 127.0.0.1 alone."""
    return "127.0.0.2"


def test_a_port_in_use_gives_the_next_free_one_and_says_so() -> None:
    with occupied(1) as port, running(command(VIEWER, f"port:={port}"), free_domain()) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(r"viewer: http://127\.0\.0\.1:(\d+) \(port (\d+) is taken; viewer_port:=PORT .*\)\n", line)
        assert found is not None, line
        assert (port < int(found[1]) < port + 10, int(found[2])) == (True, port)
        assert "<html" in urllib.request.urlopen(f"http://127.0.0.1:{found[1]}/", timeout=5).read().decode()


def test_ten_ports_in_use_are_one_line_and_exit_code_3() -> None:
    with occupied(10) as port:
        done = run_to_end(VIEWER, free_domain(), f"port:={port}")
    assert done.returncode == 3
    line = rf"error: viewer: 127\.0\.0\.1:{port}; found .*in use.*; valid: another port, .*\n"
    assert re.fullmatch(line, done.stderr)
    assert done.stdout == ""


@contextmanager
def occupied(count: int) -> Iterator[int]:
    """Take ``count`` ports in a row; give the first."""
    while True:
        with ExitStack() as stack:
            first = free_port()
            try:
                for port in range(first, first + count):
                    other = stack.enter_context(socket.socket())
                    other.bind(("127.0.0.1", port))
                    other.listen()
            except (OSError, OverflowError):
                continue
            yield first
            return


@pytest.mark.parametrize(
    ("parameter", "code", "says"),
    [
        ("port:=99999", 3, "99999"),
        ("host:=203.0.113.7", 3, "203.0.113.7"),
        ("rate:=1000.0", 2, "1 to 60 Hz"),
        ("depth_far:=0.1", 2, "0 <= near < far"),
        ("lin_vel_x:=[0.5, 1.0]", 2, "two finite numbers around zero"),
        ("prot:=8080", 2, "found prot; valid: ang_vel_z, browser, cmd_vel_stamped"),
    ],
)
def test_what_cannot_be_is_one_line(parameter: str, code: int, says: str) -> None:
    done = run_to_end(VIEWER, free_domain(), parameter)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (code, 1)
    assert says in done.stderr


def test_two_ctrl_c_end_it_in_order() -> None:
    with running(command(VIEWER, f"port:={free_port()}"), free_domain()) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(2)
        process.send_signal(2)
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.stdout.read() == ""
