"""The simulated camera as a user starts it: a process of its own, fed and heard from this one."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("mujoco")

from diagnostic_msgs.msg import DiagnosticArray
from helpers.node_process import Probe, command, free_domain, run_to_end, running
from nav_msgs.msg import Odometry
from sensor_msgs.msg import CameraInfo, Image, JointState

from robot_policies.nodes.conversions import depth_image, set_stamp, to_ns
from robot_policies.nodes.runtime import BEST_EFFORT, RELIABLE
from robot_policies.robot_spec import load_robot_spec

MODULE = "sim2real.bridges.depth_camera_node"
MS = 1_000_000
SPEC = load_robot_spec("go2")
PERFECT = ("noise:=0.0", "hole_random:=0.0", "hole_edges:=0.0", "left_band:=false")
HEIGHT = 0.32


class Simulator:
    """Stands for the robot node: publishes joints and ground truth with equal stamps."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._joints = probe.node.create_publisher(JointState, "joint_states", RELIABLE)
        self._truth = probe.node.create_publisher(Odometry, "ground_truth/odom", RELIABLE)

    def ready(self) -> None:
        both = (self._joints, self._truth)
        assert self._probe.until(lambda: all(p.get_subscription_count() for p in both)), "the camera never subscribed"
        self._probe.spin(0.3)  # the camera's publishers are matched in the other direction

    def state(
        self, stamp_ns: int, joints: bool = True, truth: bool = True, names: tuple[str, ...] = SPEC.joint_names
    ) -> None:
        position = dict(zip(SPEC.joint_names, SPEC.poses["stand"].tolist(), strict=True))
        message = JointState(name=list(names), position=[position.get(name, 0.0) for name in names])
        odometry = Odometry()
        odometry.pose.pose.position.z = HEIGHT
        odometry.pose.pose.orientation.w = 1.0
        for part, wanted, publisher in ((odometry, truth, self._truth), (message, joints, self._joints)):
            set_stamp(part.header.stamp, stamp_ns)
            if wanted:
                publisher.publish(part)

    def run(self, start: int, stop: int) -> None:
        """Publish a state every 5 ms of the simulator's own clock, faster than real time."""
        for stamp in range(start, stop, 5 * MS):
            self.state(stamp)
            self._probe.spin(0.002)


@pytest.fixture(scope="module")
def domain() -> int:
    return free_domain()


def test_images_are_stamped_with_capture_come_out_after_the_delay_and_fit_camera_info(
    probe: Probe, domain: int
) -> None:
    parameters = ("rate:=10", "delay:=0.06", "jitter:=0.0", "frame_prefix:=a/", *PERFECT)
    with running(command(MODULE, *parameters), domain):
        images = probe.hear(Image, "depth/image_rect", BEST_EFFORT)
        infos = probe.hear(CameraInfo, "depth/camera_info", RELIABLE)
        simulator = Simulator(probe)
        simulator.ready()
        simulator.run(1_000 * MS, 1_060 * MS)
        probe.spin(0.3)
        assert not images, "55 ms after the capture"
        simulator.run(1_060 * MS, 1_065 * MS)
        assert probe.until(lambda: images and infos), "60 ms after it"
        simulator.run(1_065 * MS, 1_300 * MS)
        assert probe.until(lambda: len(images) == 3)
    stamps = [to_ns(image.header.stamp) for _, image in images]
    assert stamps == [1_000 * MS, 1_100 * MS, 1_200 * MS]
    image, info = images[0][1], infos[0][1]
    assert image.header == info.header
    assert image.header.frame_id == "a/" + SPEC.sensors.depth["depth"].frame
    assert (image.encoding, image.height, image.width) == ("32FC1", info.height, info.width)
    fx, cx, fy, cy = info.k[0], info.k[2], info.k[4], info.k[5]
    assert (info.p[0], info.p[2], info.p[5], info.p[6], info.k[8], info.p[10]) == (fx, cx, fy, cy, 1.0, 1.0)
    # What a consumer does with both: the pixel's ray ends on the floor.
    depth, pitch = depth_image(image).depth, SPEC.sensors.depth["depth"].pitch
    for row in (40, 59):
        below = depth[row, 50] * ((row - cy) / fy * math.cos(pitch) + math.sin(pitch))
        assert below == pytest.approx(HEIGHT + SPEC.sensors.depth["depth"].position[2], rel=1e-4)
    assert not depth[0].any(), "row 0 on top, above the horizon"


def test_parts_of_different_stamps_are_never_mixed_and_bad_states_are_reported(probe: Probe, domain: int) -> None:
    with running(command(MODULE, "rate:=100", "delay:=0.0", "jitter:=0.0", *PERFECT), domain):
        images = probe.hear(Image, "depth/image_rect", RELIABLE)
        reports = probe.hear(DiagnosticArray, "/diagnostics")
        simulator = Simulator(probe)
        simulator.ready()
        simulator.state(10 * MS, truth=False)
        simulator.state(20 * MS, joints=False)
        probe.spin(0.3)
        assert not images
        simulator.state(30 * MS)
        assert probe.until(lambda: images)
        assert to_ns(images[0][1].header.stamp) == 30 * MS
        simulator.state(40 * MS, names=("knee", *SPEC.joint_names[1:]))
        assert probe.until(lambda: any("knee" in m.status[0].message for _, m in reports))
        simulator.state(50 * MS)
        assert probe.until(lambda: len(images) == 2), "a good state after a bad one is captured"


def test_it_keeps_its_rate_and_its_faults_survive_the_wire(probe: Probe, domain: int) -> None:
    with running(
        command(MODULE, "rate:=20", "delay:=0.0", "jitter:=0.0", "width:=212", "height:=120", "seed:=7"), domain
    ):
        images = probe.hear(Image, "depth/image_rect", RELIABLE)
        simulator = Simulator(probe)
        simulator.ready()
        simulator.run(0, 1_000 * MS)
        assert probe.until(lambda: len(images) == 20)
    depth = depth_image(images[-1][1]).depth
    assert depth.shape == (120, 212)
    assert np.isfinite(depth).all()
    assert 0.3 < np.median(depth[depth > 0.0]) < 3.0
    assert (depth[60:] == 0.0).mean() > 0.005, "holes"


@pytest.mark.parametrize(
    ("parameter", "says"),
    [
        ("robot:=go3", "a robot named 'go3'; found none; valid: g1, go1, go2"),
        ("robot:=g1", "a depth camera of the robot g1"),
        ("terrain:=moon", "found 'moon'; valid: flat"),
        ("sensor:=d999", "a sensor named 'd999'"),
        ("hole_edges:=1.5", "hole_edges"),
        ("rate:=fast", "rate; found 'fast'; valid: a number"),
        ("reta:=10", "found reta; valid: blind_band"),
    ],
)
def test_what_does_not_exist_is_one_line_and_exit_code_2(domain: int, parameter: str, says: str) -> None:
    done = run_to_end(MODULE, domain, parameter)
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""


def test_ctrl_c_ends_it_in_order(domain: int) -> None:
    with running(command(MODULE), domain) as process, Probe(domain) as probe:
        Simulator(probe).ready()
        process.send_signal(2)
        process.send_signal(2)
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
