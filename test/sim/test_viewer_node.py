"""The viewer as a user starts it: a process of its own, its page read as a browser reads it."""

from __future__ import annotations

import math
import re
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("viser")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import TwistStamped
from helpers.node_process import Probe, command, free_domain, run_to_end, running
from helpers.page_client import PageClient
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Imu, JointState
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger

from robot_policies.nodes.conversions import set_stamp
from robot_policies.nodes.runtime import LATCHED, RELIABLE
from robot_policies.nodes.viewer_text import MODE_COLOURS

MODULE = "robot_policies.nodes.viewer_node"
URDF = """<robot name="two_links">
  <link name="base"><visual><geometry><box size="0.4 0.2 0.1"/></geometry>
    <material name="red"><color rgba="1 0 0 1"/></material></visual></link>
  <link name="leg"><visual><origin xyz="0 0 -0.15"/>
    <geometry><cylinder radius="0.02" length="0.3"/></geometry></visual></link>
  <joint name="hip" type="revolute"><parent link="base"/><child link="leg"/>
    <origin xyz="0.2 0 0"/><axis xyz="0 1 0"/></joint>
</robot>"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def domain() -> int:
    return free_domain()


@pytest.fixture
def probe(domain: int) -> Iterator[Probe]:
    with Probe(domain) as probe:
        yield probe


class Robot:
    """Stands for the robot node."""

    def __init__(self, probe: Probe, urdf: str = URDF) -> None:
        node = probe.node
        self._probe = probe
        self.description = node.create_publisher(String, "robot_description", LATCHED)
        self.mode = node.create_publisher(String, "robot_mode", LATCHED)
        self.joints = node.create_publisher(JointState, "joint_states", RELIABLE)
        self.truth = node.create_publisher(Odometry, "ground_truth/odom", RELIABLE)
        self.imu = node.create_publisher(Imu, "imu/data", RELIABLE)
        self.diagnostics = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.command = node.create_publisher(TwistStamped, "cmd_vel", RELIABLE)
        self.calls: list[str] = []
        for name in ("stand", "damp", "estop", "reset"):
            node.create_service(Trigger, name, self._service(name))
        node.create_service(SetBool, "arm", self._service("arm"))
        self.description.publish(String(data=urdf))
        self.mode.publish(String(data="active"))

    def _service(self, name: str) -> Any:
        def callback(request: Any, response: Any) -> Any:
            self.calls.append("disarm" if name == "arm" and not request.data else name)
            response.success, response.message = True, f"{name} <done>"
            return response

        return callback

    def state(self, hip: float, x: float = 0.0, truth: bool = True, roll: float = 0.0) -> None:
        joints, odometry, imu = JointState(name=["hip"], position=[hip]), Odometry(), Imu()
        for message in (joints, odometry, imu):
            set_stamp(message.header.stamp, time.time_ns())
        imu.orientation.w, imu.orientation.x = math.cos(roll / 2), math.sin(roll / 2)
        odometry.pose.pose.orientation = imu.orientation
        odometry.pose.pose.position.x, odometry.pose.pose.position.z = x, 0.4
        odometry.twist.twist.linear.x = 0.75
        for message, publisher in ((odometry, self.truth), (imu, self.imu), (joints, self.joints)):
            if truth or publisher is not self.truth:
                publisher.publish(message)

    def until(self, client: PageClient, done: Callable[[], Any], seconds: float = 15.0, **state: Any) -> bool:
        """Publish states while the page is read, until ``done()``; return whether it is done in time."""
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() > end:
                return False
            self.drive(client, 0.1, **state)
        return True

    def drive(self, client: PageClient, seconds: float, **state: Any) -> None:
        """Publish states at 50 Hz while the page is read."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.state(**state)
            self._probe.spin(0.01)
            client.read(0.01)


@contextmanager
def page(probe: Probe, domain: int, port: int, *parameters: str) -> Iterator[PageClient]:
    with running(command(MODULE, f"port:={port}", *parameters), domain) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"viewer: http://127.0.0.1:{port}\n"
        client = PageClient(port)
        try:
            yield client
        finally:
            client.close()


def test_the_robot_of_the_description_moves_as_its_joints_and_base_do(probe: Probe, domain: int) -> None:
    robot = Robot(probe)
    with page(probe, domain, free_port()) as client:
        assert robot.until(client, lambda: len(client.of("MeshMessage")) == 2, hip=0.0)
        meshes = {m["name"] for m in client.of("MeshMessage")}
        assert meshes == {"/world/robot/visual_0", "/world/robot/leg/visual_0"}
        robot.drive(client, 1.0, hip=0.6, x=2.5, roll=0.2)
        assert client.turns["/world/robot/leg"] == pytest.approx([math.cos(0.3), 0.0, math.sin(0.3), 0.0], abs=1e-6)
        assert client.turns["/world/robot"] == pytest.approx([math.cos(0.1), math.sin(0.1), 0.0, 0.0], abs=1e-6)
        assert client.places["/world/robot"] == pytest.approx([2.5, 0.0, 0.4])
        assert client.places["/world"] == pytest.approx([-2.5, 0.0, 0.0]), (
            "the ground moves, the view stays with the robot"
        )


def test_mode_and_velocities_are_told_and_what_comes_from_outside_is_escaped(probe: Probe, domain: int) -> None:
    robot = Robot(probe)
    with page(probe, domain, free_port()) as client:
        message = TwistStamped()
        message.twist.linear.x = 0.8
        robot.command.publish(message)

        def told() -> bool:
            robot.command.publish(message)
            return all(text in client.html for text in (">active<", "two_links", "+0.80", "+0.75"))

        assert robot.until(client, told, hip=0.1, x=1.0)
        assert robot.until(client, lambda: re.search(r"[01]\.\d\d &times; real time", client.html), hip=0.1, x=1.0)
        robot.mode.publish(String(data="landing:<b>sit</b>"))
        for name, text in (("/robot_node", "landing:sit: tilt: 1.2 rad <"), ("/r2/robot_node", "damping: not ours")):
            robot.diagnostics.publish(DiagnosticArray(status=[DiagnosticStatus(name=name, message=text)]))
        assert robot.until(client, lambda: ">tilt: 1.2 rad &lt;<" in client.html, hip=0.1, x=3.0)
        robot.drive(client, 1.2, hip=0.1, x=3.0)
        assert "landing:&lt;b&gt;sit&lt;/b&gt;" in client.html
        assert MODE_COLOURS["landing"] in client.html
        assert "not ours" not in client.html
        assert "+0.80" not in client.html, "a command that comes no more is not shown"
        assert "2.0 m gone" in client.html


def test_without_anybody_who_locates_it_the_robot_stands_on_its_lowest_part(probe: Probe, domain: int) -> None:
    robot = Robot(probe)
    with page(probe, domain, free_port()) as client:
        robot.until(client, lambda: "/world/robot" in client.places, hip=0.0, truth=False)
        robot.drive(client, 1.0, hip=0.0, truth=False)
        assert client.places["/world/robot"] == pytest.approx([0.0, 0.0, 0.3])
        robot.drive(client, 1.0, hip=math.pi, truth=False)
        assert client.places["/world/robot"] == pytest.approx([0.0, 0.0, 0.05]), "on its belly, legs up"


def test_a_press_calls_its_service_and_the_answer_is_shown(probe: Probe, domain: int) -> None:
    robot = Robot(probe)
    with page(probe, domain, free_port()) as client:
        assert robot.until(client, lambda: ">active<" in client.html, hip=0.0)
        called = []
        for label, service in (
            ("Reset", "reset"),
            ("Stand", "stand"),
            ("Damp", "damp"),
            ("Arm", "arm"),
            ("Disarm", "disarm"),
            ("STOP", "estop"),
        ):
            called.append(service)
            started = time.monotonic()
            client.press(label)
            assert probe.until(lambda called=called: robot.calls == called, 5.0), label
            assert time.monotonic() - started < 1.0
            answer = f"{service}: {service.removeprefix('dis')} &lt;done&gt;"
            assert robot.until(client, lambda answer=answer: answer in client.html, 5.0, hip=0.0), answer
        assert robot.calls == called, "each once"


def test_it_is_one_page_that_needs_nothing_from_outside(probe: Probe, domain: int) -> None:
    port = free_port()
    with page(probe, domain, port):
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).read().decode()
        assert "<html" in text
        assert not re.findall(r"""(?:src|href)=["']https?://""", text)
        with pytest.raises(OSError), socket.create_connection((_other_address(), port), timeout=1):
            pass


def _other_address() -> str:
    """Return another address of this machine; the page answers on 127.0.0.1 alone."""
    return "127.0.0.2"


def test_a_port_in_use_gives_the_next_free_one_and_says_so(domain: int) -> None:
    with occupied(1) as port, running(command(MODULE, f"port:={port}"), domain) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(r"viewer: http://127\.0\.0\.1:(\d+) \(port (\d+) is taken; viewer_port:=PORT .*\)\n", line)
        assert found is not None, line
        assert (port < int(found[1]) < port + 10, int(found[2])) == (True, port)
        assert "<html" in urllib.request.urlopen(f"http://127.0.0.1:{found[1]}/", timeout=5).read().decode()


def test_ten_ports_in_use_are_one_line_and_exit_code_3(domain: int) -> None:
    with occupied(10) as port:
        done = run_to_end(MODULE, domain, f"port:={port}")
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
def test_what_cannot_be_is_one_line(domain: int, parameter: str, code: int, says: str) -> None:
    done = run_to_end(MODULE, domain, parameter)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (code, 1)
    assert says in done.stderr


def test_a_broken_description_is_told_and_a_good_one_after_it_is_drawn(probe: Probe, domain: int) -> None:
    robot = Robot(probe, urdf="<robot")
    with page(probe, domain, free_port()) as client:
        robot.drive(client, 1.5, hip=0.0)
        assert not client.of("MeshMessage")
        robot.description.publish(String(data=URDF))
        assert robot.until(client, lambda: client.of("MeshMessage"), hip=0.0)


def test_two_ctrl_c_end_it_in_order(probe: Probe, domain: int) -> None:
    with running(command(MODULE, f"port:={free_port()}"), domain) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(2)
        process.send_signal(2)
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.stdout.read() == ""
