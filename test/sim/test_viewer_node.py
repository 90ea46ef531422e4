"""The viewer as a user starts it: a process of its own, its page read as a browser reads it."""

from __future__ import annotations

import io
import math
import re
import socket
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import PIL.Image
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("viser")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import TwistStamped
from helpers.node_process import Probe, command, free_domain, run_to_end, running
from helpers.page_client import PageClient
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Image, Imu, JointState
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger
from visualization_msgs.msg import MarkerArray

from robot_policies.nodes import diagnostics
from robot_policies.nodes.conversions import set_stamp
from robot_policies.nodes.ground_markers import ground_markers
from robot_policies.nodes.runtime import LATCHED, RELIABLE
from robot_policies.nodes.viewer_depth import ANCHORS
from robot_policies.nodes.viewer_text import ASKED, MODE_COLOURS
from robot_policies.robots.robot import GroundBox, GroundShape

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
        self.sent = node.create_publisher(JointState, "joint_command_sent", RELIABLE)
        self.depth = node.create_publisher(Image, "depth/image_rect", RELIABLE)
        self.ground = node.create_publisher(MarkerArray, "ground", LATCHED)
        self.calls: list[str] = []
        for name in ("stand", "damp", "estop", "reset"):
            node.create_service(Trigger, name, self._service(name))
        node.create_service(SetBool, "arm", self._service("arm"))
        self.description.publish(String(data=urdf))
        self.mode.publish(String(data="active"))
        self.commanding = node.create_publisher(String, "commanding_policy", LATCHED)

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
        values = [
            KeyValue(key=key, value=value) for key, value in (("policies", '["sees", "blind"]'), ("wanted", "sees"))
        ]
        robot.diagnostics.publish(DiagnosticArray(status=[DiagnosticStatus(name="/policy_node", values=values)]))
        robot.commanding.publish(String(data="blind"))
        assert robot.until(client, lambda: "blind commands" in client.html, hip=0.1, x=3.0)
        assert robot.until(client, lambda: "sees is wanted" in client.html, hip=0.1, x=3.0)


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


def test_the_ground_is_drawn_where_it_is(probe: Probe, domain: int) -> None:
    robot = Robot(probe)
    box = GroundBox((2.0, 0.0, 0.1), (1.0, 0.0, 0.0, 0.0), (1.0, 3.0, 0.2))
    robot.ground.publish(ground_markers(GroundShape(-0.3, (box,)), "world"))
    with page(probe, domain, free_port()) as client:
        drawn = lambda: [m for m in client.of("MeshMessage") if "terrain" in m["name"]]  # noqa: E731
        assert robot.until(client, drawn, hip=0.0)
        vertices = np.asarray(drawn()[0]["props"]["vertices"]).reshape(-1, 3)
        assert vertices.min(axis=0) == pytest.approx([1.5, -1.5, 0.0], abs=1e-6)
        assert vertices.max(axis=0) == pytest.approx([2.5, 1.5, 0.2], abs=1e-6)
        assert client.places["/world/ground"] == pytest.approx([0.0, 0.0, -0.3]), "the endless floor"
        broken = ground_markers(GroundShape(0.0, (box,)), "world")
        broken.markers[1].scale.x = math.nan
        robot.ground.publish(broken)
        assert robot.until(client, lambda: "ground: marker box 0; found" in client.html, hip=0.0)


def test_a_depth_image_is_shown_in_colours_with_its_scale(probe: Probe, domain: int) -> None:
    robot = Robot(probe)
    pixels = np.tile(np.array([0.0, 0.2, 3.0, 9.0], np.float32), (3, 1))
    image = Image(height=3, width=4, encoding="32FC1", step=16, data=pixels.tobytes())
    image.is_bigendian = int(sys.byteorder == "big")
    with page(probe, domain, free_port()) as client:
        assert robot.until(client, lambda: "no image comes" in client.html, hip=0.0)

        def shown() -> Any:
            set_stamp(image.header.stamp, time.time_ns())
            robot.depth.publish(image)
            return [props for props in client.shown("GuiImageMessage") if props["visible"]]

        assert robot.until(client, shown, hip=0.0)
        picture = PIL.Image.open(io.BytesIO(bytes(shown()[0]["_data"])))
        assert [picture.getpixel((x, 1)) for x in range(4)] == [(0, 0, 0), ANCHORS[0], ANCHORS[-1], ANCHORS[-1]]
        assert robot.until(client, lambda: "4 &times; 3, captured" in client.html, hip=0.0)
        assert ">0.2 m<" in client.html
        assert "&ge; 3.0 m" in client.html
        image.encoding = "rgb8"
        assert robot.until(client, lambda: shown() and "depth encoding; found rgb8" in client.html, hip=0.0)
        images = client.shown("GuiImageMessage")
        assert robot.until(client, lambda: not images[0]["visible"], hip=0.0), "one that is old is not shown as new"


def test_targets_and_positions_are_plotted_of_the_joints_that_are_chosen(probe: Probe, domain: int) -> None:
    robot = Robot(probe)
    with page(probe, domain, free_port()) as client:

        def plotted() -> Any:
            robot.sent.publish(JointState(name=["hip"], position=[0.7]))
            charts = [props for props in client.shown("GuiUplotMessage") if props["visible"]]
            return [chart for chart in charts if len(chart["data"][0]) > 20]

        assert robot.until(client, plotted, hip=0.2)
        (chart,) = plotted()
        times, target, position, *_ = chart["data"]
        assert chart["title"] == "hip"
        assert target[-5:] == pytest.approx([0.7] * 5)
        assert position == pytest.approx(np.full(len(position), 0.2))
        assert (np.diff(times) > 0.0).all()
        assert times[-1] == 0.0
        robot.until(client, lambda: times[0] < -3.5, 6.0, hip=0.2)
        assert max(len(chart["data"][0]) for chart in plotted()) <= 200, "four seconds at 50 Hz, and no more"


def test_numbers_and_history_are_those_of_diagnostics(probe: Probe, domain: int) -> None:
    robot = Robot(probe)
    percentiles = {"p50": 1.25, "p95": 2.5, "p99": 3.75, "max": 12.5}
    count = 0

    def report(begin_ns: int = time.time_ns()) -> None:
        nonlocal count
        count += 1
        now_ns = begin_ns + count * 100_000_000
        trip = {"name": "tilt", "mode": "active", "landing": "damping", "detail": "<1.2 rad>", "stamp_ns": begin_ns}
        values = {"cycles": 20 * count, "latency_ms": percentiles, "refusals": {"profile": 3}, "clamps": {"torque": 7}}
        values |= {"modes": [["stand", begin_ns], ["active", begin_ns]], "trips": [trip], "latched": []}
        told = diagnostics.Diagnostics(probe.node, "two_links") if not hasattr(robot, "told") else robot.told
        robot.told = told  # type: ignore[attr-defined]
        told._status.name = "/robot_node"
        told.publish(now_ns, diagnostics.OK, "active", values)

    with page(probe, domain, free_port()) as client:

        def shown() -> bool:
            report()
            wanted = (
                "1.25",
                "2.50",
                "3.75",
                "12.50",
                "200.0 Hz",
                "clamped 7",
                "refused 3",
                "in active: &lt;1.2 rad&gt;",
            )
            return all(text in client.html for text in wanted)

        assert robot.until(client, shown, hip=0.0), client.html
        assert re.search(r"\d ms</td>", client.html), "the age of the states"


def test_arrows_show_the_velocity_that_is_asked_for_and_that_is_measured(probe: Probe, domain: int) -> None:
    robot = Robot(probe)
    message = TwistStamped()
    message.twist.linear.y, message.twist.angular.z = -0.5, 0.4
    with page(probe, domain, free_port()) as client:

        def pointing() -> Any:
            robot.command.publish(message)
            points = {m["name"]: m["updates"].get("points") for m in client.of("SceneNodeUpdateMessage")}
            return points if points.get("/world/arrows/asked_turn") is not None else None

        assert robot.until(client, pointing, hip=0.0)
        points = pointing()
        start, end = np.asarray(points["/world/arrows/asked_move"]).reshape(2, 3)
        assert (end - start) == pytest.approx([0.0, -0.3, 0.0]), "0.6 m for 1 m/s"
        start, end = np.asarray(points["/world/arrows/asked_turn"]).reshape(2, 3)
        assert end[1] > start[1], "turning left, the nose goes to the left"
        assert "/world/arrows/measured_turn" not in points
        assert "/world/arrows/measured_move" in points
        colours = {m["name"]: m["props"]["colors"] for m in client.of("ArrowMessage")}
        assert bytes(np.asarray(colours["/world/arrows/asked_move"], np.uint8))[:3].hex() == ASKED[1:]


def test_a_second_browser_and_a_reload_see_everything(probe: Probe, domain: int) -> None:
    robot = Robot(probe)
    port = free_port()
    box = GroundBox((2.0, 0.0, 0.1), (1.0, 0.0, 0.0, 0.0), (1.0, 3.0, 0.2))
    robot.ground.publish(ground_markers(GroundShape(0.0, (box,)), "world"))
    with page(probe, domain, port) as first:
        assert robot.until(first, lambda: ">active<" in first.html and len(first.of("MeshMessage")) == 3, hip=0.3)
        second = PageClient(port)
        assert robot.until(second, lambda: ">active<" in second.html and len(second.of("MeshMessage")) == 3, hip=0.3)
        second.close()
        third = PageClient(port)
        assert robot.until(third, lambda: ">active<" in third.html and len(third.of("MeshMessage")) == 3, hip=0.3)
        robot.drive(third, 0.3, hip=0.3, x=7.5)
        assert robot.until(first, lambda: first.places.get("/world", [0.0])[0] == -7.5, hip=0.3, x=7.5), (
            "the first goes on"
        )
        third.close()
