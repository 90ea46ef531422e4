"""The viewer's page, read as a browser reads it, while a robot that is played moves, sees and tells."""

from __future__ import annotations

import io
import math
import re
import sys
import time
from typing import Any

import numpy as np
import PIL.Image
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("viser")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import TwistStamped
from helpers.node_process import Probe
from helpers.page_client import PageClient
from helpers.viewer import URDF, Robot, free_port, page
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String

from robot_policies.nodes import diagnostics
from robot_policies.nodes.conversions import set_stamp
from robot_policies.nodes.ground_markers import ground_markers
from robot_policies.nodes.viewer_depth import ANCHORS
from robot_policies.nodes.viewer_text import ASKED, MODE_COLOURS
from robot_policies.robots.robot import GroundBox, GroundShape


def test_the_robot_of_the_description_moves_as_its_joints_and_base_do(probe: Probe, domain: int) -> None:
    robot = Robot(probe)
    with page(domain, free_port()) as client:
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
    with page(domain, free_port()) as client:
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
    with page(domain, free_port()) as client:
        robot.until(client, lambda: "/world/robot" in client.places, hip=0.0, truth=False)
        robot.drive(client, 1.0, hip=0.0, truth=False)
        assert client.places["/world/robot"] == pytest.approx([0.0, 0.0, 0.3])
        robot.drive(client, 1.0, hip=math.pi, truth=False)
        assert client.places["/world/robot"] == pytest.approx([0.0, 0.0, 0.05]), "on its belly, legs up"


def test_a_press_calls_its_service_and_the_answer_is_shown(probe: Probe, domain: int) -> None:
    robot = Robot(probe)
    with page(domain, free_port()) as client:
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


def test_a_broken_description_is_told_and_a_good_one_after_it_is_drawn(probe: Probe, domain: int) -> None:
    robot = Robot(probe, urdf="<robot")
    with page(domain, free_port()) as client:
        robot.drive(client, 1.5, hip=0.0)
        assert not client.of("MeshMessage")
        robot.description.publish(String(data=URDF))
        assert robot.until(client, lambda: client.of("MeshMessage"), hip=0.0)


def test_the_ground_is_drawn_where_it_is(probe: Probe, domain: int) -> None:
    robot = Robot(probe)
    box = GroundBox((2.0, 0.0, 0.1), (1.0, 0.0, 0.0, 0.0), (1.0, 3.0, 0.2))
    robot.ground.publish(ground_markers(GroundShape(-0.3, (box,)), "world"))
    with page(domain, free_port()) as client:
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
    with page(domain, free_port()) as client:
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
    with page(domain, free_port()) as client:

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

    with page(domain, free_port()) as client:

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
    with page(domain, free_port()) as client:

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
    with page(domain, port) as first:
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
