"""What the simulated camera sees, against geometry by hand and against MuJoCo's own renderer."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import mujoco
import numpy as np
import pytest
from helpers.lane_views import ray_camera

from robot_policies.contract import DepthIntrinsics
from robot_policies.exceptions import ResourceError, RobotError, SchemaError
from robot_policies.robot_spec import DepthMount, load_robot_spec
from robot_policies.sensor_spec import load_depth_sensor
from robot_policies.types import Array, Array32
from sim2real.mujoco.camera_profile import CameraOptions, camera_profile, resized
from sim2real.mujoco.depth_camera import BasePose, GroundCamera, Mirror, RayCamera, create, optical_rotation, pixel_rays
from sim2real.mujoco.terrain import find_ground
from sim2real.mujoco.world import build_model

SPEC = load_robot_spec("go2")
K = DepthIntrinsics(width=106, height=60, fx=55.85, fy=55.85, cx=52.5, cy=29.5)
PERFECT = {"noise": 0.0, "hole_random": 0.0, "hole_edges": 0.0, "blind_band": 0.0, "left_band": False}
LEVEL = np.array([1.0, 0.0, 0.0, 0.0])

SCENE = """
<mujoco><worldbody>
  <geom name="floor" type="plane" size="0 0 1"/>
  <geom name="box" type="box" pos="2.1 0.3 0.5" size="0.1 0.2 0.5"/>
  <geom name="ghost" type="sphere" pos="1 0 0.5" size="0.2" group="3"/>
  <body name="base" pos="0 0 0.5"><freejoint/><geom type="box" size="0.3 0.2 0.1" mass="1" group="2"/>
    <body name="leg" pos="0.5 0.2 0"><joint name="hip" axis="0 1 0"/><geom type="sphere" size="0.05" mass="1"/>
      <geom type="sphere" size="0.05" mass="1" pos="0 0 -0.3"/></body>
  </body>
</worldbody></mujoco>
"""


def scene() -> Mirror:
    return Mirror(mujoco.MjModel.from_xml_string(SCENE), ["hip"])


def mount(pitch: float = 0.0, position: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> DepthMount:
    return DepthMount(sensor="d435", frame="depth_optical_frame", position=position, pitch=pitch)


def see(mirror: Mirror, pitch: float = 0.0, base: BasePose | None = None, hip: float = 0.0) -> Array32:
    camera = RayCamera(mirror.model, mirror.base_body, mount(pitch), K)
    return camera.depth(mirror.pose(np.array([hip]), base or BasePose(np.array([0.0, 0.0, 0.5]), LEVEL)))


def yaw(angle: float) -> Array:
    return np.array([math.cos(angle / 2), 0.0, 0.0, math.sin(angle / 2)])


def test_a_box_is_seen_where_it_is_at_its_depth() -> None:
    image = see(scene())
    # Front face at x = 2.0, y from 0.1 to 0.5, z from 0 to 1; the camera at z = 0.5. Image: right is -y, down is -z.
    left, right = (K.cx - K.fx * y / 2.0 for y in (0.5, 0.1))
    columns = [u for u in range(K.width) if left < u < right]
    rows = [v for v in range(K.height) if abs(v - K.cy) < K.fy * 0.5 / 2.0]
    assert image[np.ix_(rows, columns)] == pytest.approx(2.0, abs=1e-6), "z depth: the same over a whole plane"
    assert (image[rows[0] - 1, columns] == 0.0).all()
    assert image[rows[-1], columns[0] - 1] != pytest.approx(2.0, abs=1e-3)


@pytest.mark.parametrize("pitch", [0.0, 0.2, 0.3927])
def test_the_floor_has_its_analytic_depth_and_is_below(pitch: float) -> None:
    image = see(scene(), pitch)
    for row in (35, 45, 59):
        down = math.sin(pitch) + (row - K.cy) / K.fy * math.cos(pitch)
        assert image[row, 90] == pytest.approx(0.5 / down, rel=1e-6)
    if pitch == 0.0:
        assert (image[:20, 100] == 0.0).all(), "row 0 on top: above the horizon nothing returns"


def test_the_camera_moves_with_the_base() -> None:
    turned = see(scene(), base=BasePose(np.array([2.1, 0.3 - 1.7, 0.5]), yaw(math.pi / 2)))
    assert turned[29, 52] == pytest.approx(1.5, abs=1e-6)  # the box's side at y = 0.1


def test_own_housing_and_collision_shapes_are_invisible_but_legs_are_not() -> None:
    image = see(scene())
    assert image[29, 53] > 2.0 or image[29, 53] == 0.0, "neither the base around the camera nor the ghost at 0.8 m"
    leg_column = round(K.cx - K.fx * 0.2 / 0.5)
    assert image[29, leg_column] == pytest.approx(0.5 - 0.05, abs=0.01)


def test_the_legs_are_where_the_joints_are() -> None:
    raised = round(K.cx - K.fx * 0.2 / 0.8)  # the foot, 0.8 m ahead and 0.2 m to the left, when the leg points ahead
    assert see(scene(), hip=-math.pi / 2)[29, raised] == pytest.approx(0.75, abs=0.01)
    assert see(scene(), hip=0.0)[29, raised] != pytest.approx(0.75, abs=0.1)


def test_rays_have_unit_depth_and_optical_axes() -> None:
    rays = pixel_rays(K).reshape(K.height, K.width, 3)
    assert (rays[..., 2] == 1.0).all()
    assert rays[0, 0, 0] < 0 < rays[0, -1, 0], "x to the right"
    assert rays[0, 0, 1] < 0 < rays[-1, 0, 1], "y down"
    assert rays[:, :, :2].mean(axis=(0, 1)) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("pitch", [0.0, 0.3927, -0.2])
def test_optical_rotation_is_a_rotation_that_looks_down_by_pitch(pitch: float) -> None:
    rotation = optical_rotation(pitch)
    assert rotation @ rotation.T == pytest.approx(np.eye(3), abs=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    assert rotation @ [0.0, 0.0, 1.0] == pytest.approx([math.cos(pitch), 0.0, -math.sin(pitch)])
    assert rotation @ [1.0, 0.0, 0.0] == pytest.approx([0.0, -1.0, 0.0]), "image right is the robot's right"


def test_resizing_keeps_the_field_of_view() -> None:
    sensor = load_depth_sensor("d435")
    for width, height in ((106, 60), (424, 240), (53, 30)):
        k = resized(sensor, width, height)
        assert (k.cx + 0.5) / k.fx == pytest.approx((sensor.cx + 0.5) / sensor.fx)
        assert (k.height - 0.5 - k.cy) / k.fy == pytest.approx((sensor.height - 0.5 - sensor.cy) / sensor.fy)
    assert math.degrees(2 * math.atan(sensor.width / 2 / sensor.fx)) == pytest.approx(87.0, abs=0.1)


def test_the_robot_file_and_its_sensor_decide_what_options_do_not() -> None:
    profile = camera_profile(SPEC, CameraOptions())
    sensor = load_depth_sensor("d435")
    assert (profile.rate, profile.far) == (sensor.rate, sensor.far)
    assert (profile.delay, profile.delay + profile.jitter) == pytest.approx(sensor.delay)
    assert profile.faults.blind_band == sensor.near
    assert profile.faults.left_band == pytest.approx(sensor.fx * sensor.baseline)
    other = camera_profile(SPEC, CameraOptions(blind_band=0.28, rate=10.0, noise=0.0, width=53, height=30))
    assert (other.faults.blind_band, other.rate, other.faults.noise, other.intrinsics.width) == (0.28, 10.0, 0.0, 53)


def test_go2_stands_on_the_plane_and_sees_it_at_the_right_depth() -> None:
    camera = create(SPEC, PERFECT)
    image = camera.capture(0, SPEC.poses["stand"], BasePose(np.array([5.0, -3.0, 0.32]), LEVEL)).depth
    m, k = camera.profile.mount, camera.profile.intrinsics
    down = math.sin(m.pitch) + (50 - k.cy) / k.fy * math.cos(m.pitch)
    assert np.median(image[50]) == pytest.approx((0.32 + m.position[2]) / down, rel=1e-5)
    assert image.shape == (k.height, k.width)


def test_a_step_captures_on_the_grid_and_gives_after_the_delay() -> None:
    camera = create(SPEC, {**PERFECT, "rate": 10.0, "delay": 0.02, "jitter": 0.0})
    base, asked = BasePose(np.array([0.0, 0.0, 0.32]), LEVEL), []

    def pose() -> tuple[Array, BasePose]:
        asked.append(stamp)
        return SPEC.poses["stand"], base

    out = []
    for stamp in range(0, 300_000_000, 5_000_000):
        out += [(stamp, image.stamp_ns) for image in camera.step(stamp, pose)]
    assert asked == [0, 100_000_000, 200_000_000], "nothing is posed for nothing"
    assert out == [(at + 20_000_000, at) for at in asked]
    stamp = 300_000_000
    assert camera.step(stamp, pose) == []
    for stamp in (0, 15_000_000):
        assert camera.step(stamp, pose) == [], "a clock set back drops what was under way"
    assert [image.stamp_ns for image in camera.step(20_000_000, pose)] == [0]


def test_faults_hang_on_the_stamp_not_on_the_images_before() -> None:
    base = BasePose(np.array([0.0, 0.0, 0.32]), LEVEL)
    one, two = create(SPEC, {"seed": 5}), create(SPEC, {"seed": 5})
    for stamp in (0, 1, 2):
        one.capture(stamp, SPEC.poses["stand"], base)
    same = [camera.capture(3, SPEC.poses["stand"], base).depth for camera in (one, two)]
    assert np.array_equal(*same)
    assert not np.array_equal(same[0], one.capture(4, SPEC.poses["stand"], base).depth)
    assert not np.array_equal(same[0], create(SPEC, {"seed": 6}).capture(3, SPEC.poses["stand"], base).depth)


def test_what_does_not_exist_is_refused_with_what_does() -> None:
    with pytest.raises(ResourceError, match="no rear; valid: depth"):
        create(SPEC, {"camera": "rear"})
    with pytest.raises(ResourceError, match="0 cameras"):
        create(load_robot_spec("g1"), {})
    with pytest.raises(RobotError, match="flat"):
        create(SPEC, {"terrain": "moon"})
    with pytest.raises(SchemaError, match="colour"):
        create(SPEC, {"colour": True})
    with pytest.raises(RobotError, match="no knee"):
        Mirror(mujoco.MjModel.from_xml_string(SCENE), ["knee"])
    with pytest.raises(RobotError, match="0 free joints"):
        Mirror(mujoco.MjModel.from_xml_string("<mujoco/>"), [])


RENDER = """
import sys
import time
import mujoco, numpy as np
model = mujoco.MjModel.from_xml_path(sys.argv[1])
data = mujoco.MjData(model)
data.qpos[:] = np.load(sys.argv[2])
mujoco.mj_forward(model, data)
with mujoco.Renderer(model, 60, 106) as renderer:
    renderer.enable_depth_rendering()
    renderer.update_scene(data, "view")
    np.save(sys.argv[3], renderer.render())
"""


def test_rays_agree_with_the_renderer(tmp_path: Path) -> None:
    x, y = optical_rotation(0.2)[:, 0], -optical_rotation(0.2)[:, 1]
    axes = " ".join(str(value) for value in (*x, *y))
    camera = f'<camera name="view" xyaxes="{axes}" fovy="{math.degrees(2 * math.atan(30 / K.fy))}"/>'
    box = '<geom type="box" pos="3 -1 0.4" size=".3 .3 .4" euler="0 0 30"/></worldbody>'
    # The renderer knows no body to leave out, so the base goes into a group that neither of the two sees.
    text = SCENE.replace('group="2"/>', f'group="4"/>{camera}').replace("</worldbody>", box)
    model = mujoco.MjModel.from_xml_string(text)
    pose = BasePose(np.array([0.1, -0.2, 0.6]), yaw(0.1))
    mirror = Mirror(model, ["hip"])
    rays = RayCamera(model, mirror.base_body, mount(0.2), K).depth(mirror.pose(np.array([0.3]), pose))
    (tmp_path / "scene.xml").write_text(text)
    np.save(tmp_path / "qpos.npy", mirror.data.qpos)
    files = [str(tmp_path / name) for name in ("scene.xml", "qpos.npy", "depth.npy")]
    environment = {**os.environ, "MUJOCO_GL": "egl"}
    done = subprocess.run(
        [sys.executable, "-c", RENDER, *files], env=environment, capture_output=True, text=True, timeout=60
    )
    if done.returncode != 0 and "GL" in done.stderr:
        pytest.skip(f"no EGL: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    rendered = np.load(files[2])
    both = (rays > 0.0) & (rendered < 15.0)
    error = np.abs(rays - rendered)[both] / rendered[both] ** 2
    assert both.mean() > 0.6
    assert np.median(error) < 1e-5
    assert (error > 0.005).mean() < 0.01, "only pixels on an outline may differ"


def test_the_model_of_the_robot_has_the_camera_where_the_robot_file_says() -> None:
    model, m = build_model(SPEC), SPEC.sensors.depth["depth"]
    camera = model.camera("depth")
    assert camera.pos == pytest.approx(m.position)
    axes = np.zeros(9)
    mujoco.mju_quat2Mat(axes, camera.quat)
    assert -axes.reshape(3, 3)[:, 2] == pytest.approx(optical_rotation(m.pitch)[:, 2], abs=1e-3)


@pytest.mark.parametrize("terrain", ["flat", "stairs:0.2", "mixed", "rough:0.1:3", "steps"])
def test_ground_from_boxes_and_robot_by_rays_are_what_rays_at_both_are(terrain: str) -> None:
    """From poses on the ground, with legs stretched into the picture: MuJoCo's own rays at the whole world agree."""
    ahead = SPEC.poses["stand"] + np.tile([0.0, -1.8, 0.66], 4)
    fast, rays = create(SPEC, {"terrain": terrain, **PERFECT}), ray_camera(terrain)
    ground, rng = find_ground(terrain), np.random.default_rng(1)
    legs = 0
    for x in rng.uniform(-0.5, 3.0, 6):
        base = BasePose(np.array([x, 0.1, ground.heights(np.array([x, 0.1])).item() + 0.45]), yaw(float(x)))
        one, other, none = (
            camera.capture(0, pose, base).depth
            for camera, pose in ((fast, ahead), (rays, ahead), (fast, SPEC.poses["stand"]))
        )
        assert (np.abs(one - other) < 1e-4).mean() > 0.999
        legs += int((np.abs(one - none) > 0.1).sum())
    assert legs > 500, "the legs are in the picture"


def test_the_nearer_of_ground_and_robot_counts_also_before_nothing() -> None:
    camera = GroundCamera.__new__(GroundCamera)
    around, robot = np.array([[2.0, 2.0, 2.0, 0.0, 0.0]]), np.array([[0.0, 1.0, 3.0, 1.0, 0.0]])
    camera._renderer = SimpleNamespace(depth=lambda *_: around[None])  # type: ignore[assignment]
    nowhere = (np.zeros(3), np.eye(3))
    camera._robot = SimpleNamespace(depth=lambda _: robot, place=lambda _: nowhere)  # type: ignore[assignment]
    camera._optical = np.eye(3)
    assert camera.depth(None).tolist() == [[2.0, 1.0, 2.0, 1.0, 0.0]]  # type: ignore[arg-type]


def test_many_boxes_do_not_make_it_slow() -> None:
    """A loose bound, on whatever else the machine does; docs/simulator.md has the measurement."""
    camera, seconds = create(SPEC, {"terrain": "rough:0.1"}), []
    for number in range(10):
        start = time.process_time()
        camera.capture(number, SPEC.poses["stand"], BasePose(np.array([0.5, 0.0, 0.4]), LEVEL))
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.02  # [s]; MuJoCo's rays at these 6,337 boxes take 0.07
