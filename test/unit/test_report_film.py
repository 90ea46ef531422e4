"""The film strip of a report: which moments, how the robot stood, who draws, and what is said where nobody can."""

from __future__ import annotations

import base64
import dataclasses
import io
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest
from helpers.offline import CYCLE, SPEC, event
from helpers.recorded import WALK, record
from helpers.report_page import ReportPage

from robot_policies import resources
from robot_policies.control.recording.history import History, read_history
from robot_policies.control.recording.policy_history import Images
from robot_policies.control.recording.wire import Base, WireHistory
from robot_policies.exceptions import ResourceError, RobotError
from robot_policies.report.charts import Clock
from robot_policies.report.film import Poses, depth_strip, film_strip, moments, poses_at
from robot_policies.report.pictures import NO_RETURN, depth_picture, depth_range, png_file
from robot_policies.types import DepthImage, Mode
from sim2real.mujoco.film import configurations, pictures
from sim2real.mujoco.world import build_model

Image = pytest.importorskip("PIL.Image", reason="Pillow reads the PNG back")


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    folder = tmp_path_factory.mktemp("film") / "run"
    record(folder, "go2_walk", cycles=1000, events=(*WALK[:3], event(440, "estop")))
    return read_history(folder)


def drawn(monkeypatch: pytest.MonkeyPatch, **films: Any) -> None:
    """Let these draw, and nobody else; an exception is raised instead."""

    def plugin(group: str, name: str) -> Any:
        if isinstance(films[name], Exception):
            raise films[name]
        return films[name]

    monkeypatch.setattr(resources, "plugins", lambda group: films if group == "films" else {})
    monkeypatch.setattr(resources, "plugin", plugin)


def test_moments_are_even_end_soon_after_the_last_change_and_have_the_trip(history: History) -> None:
    rows = moments(history, 12)
    modes, stamps = history.robot.modes, history.robot.stamp_ns
    landed = next(i for i, mode in enumerate(modes) if mode is Mode.LANDING)
    assert len(rows) == 12 and rows == sorted(rows) and modes[rows[0]] is not Mode.DISARMED
    assert stamps[rows[-1]] <= stamps[landed] + 2_000_000_000 < stamps[-1]
    trip = next(e.stamp_ns for e in history.robot.events if e.trip)
    assert min(abs(int(stamps[row]) - trip) for row in rows) <= CYCLE
    assert moments(history, 0) == [] and len(moments(history, 1)) == 1


def test_the_base_is_where_odometry_says_and_unknown_where_it_is_silent(history: History) -> None:
    stamps = history.robot.stamp_ns[:500]
    place = np.stack([np.arange(500.0), np.zeros(500), np.full(500, 0.4)], axis=1)
    quat = np.tile([0.8, 0.0, 0.0, 0.6], (500, 1))
    base = Base("/odom", stamps, place, quat, 0.0 * place, 0.0 * place)
    poses = poses_at(dataclasses.replace(history, wire=WireHistory(odom=base)), [10, 499, 900])
    np.testing.assert_array_equal(poses.position[:2], place[[10, 499]])
    np.testing.assert_array_equal(poses.quat_wxyz[0], [0.8, 0.0, 0.0, 0.6])
    assert np.isnan(poses.position[2]).all()
    np.testing.assert_array_equal(poses.quat_wxyz[2], history.robot.base_quat_wxyz[900])
    np.testing.assert_array_equal(poses.joint_pos, history.robot.joint_pos[[10, 499, 900]])


def poses_of(count: int = 2) -> Poses:
    quat = np.tile([1.0, 0.0, 0.0, 0.0], (count, 1))
    return Poses(np.full((count, 3), np.nan), quat, np.tile(SPEC.poses["stand"], (count, 1)))


def test_a_base_of_unknown_height_stands_on_its_lowest_foot() -> None:
    model = build_model(SPEC)
    poses = poses_of()
    poses.position[1] = [3.0, 1.0, 0.5]
    poses.quat_wxyz[0] = [np.cos(0.2), np.sin(0.2), 0.0, 0.0]  # leans to the side
    qpos = configurations(SPEC, model, poses)
    np.testing.assert_array_equal(qpos[1, :3], [3.0, 1.0, 0.5])
    data = mujoco.MjData(model)
    data.qpos[:] = qpos[0]
    mujoco.mj_kinematics(model, data)
    feet = [mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_SITE, name) for name in SPEC.feet]
    heights = data.site_xpos[feet, 2] - model.site_size[feet, 0]
    assert heights.min() == pytest.approx(0.0, abs=1e-9) and heights.max() > 0.05


def test_poses_of_another_robot_and_of_no_numbers_are_refused() -> None:
    model = build_model(SPEC)
    with pytest.raises(RobotError, match="found 3 joints; valid: 12 joints"):
        configurations(SPEC, model, dataclasses.replace(poses_of(), joint_pos=np.zeros((2, 3))))
    with pytest.raises(RobotError, match="not finite"):
        configurations(SPEC, model, dataclasses.replace(poses_of(), joint_pos=np.full((2, 12), np.nan)))
    with pytest.raises(RobotError, match="nowhere"):
        pictures(SPEC, "nowhere", poses_of())


def test_the_simulator_draws_the_robot_that_was_recorded(history: History) -> None:
    missing: list[str] = []
    strip = film_strip(history, Clock(history), 2, missing)
    if any("a working GL" in line for line in missing):
        pytest.skip(f"no GL on this machine: {missing}")
    assert missing == []
    sources = ReportPage(f"<div>{strip}</div>").pictures
    shown = [np.asarray(Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2])))) for source in sources]
    assert len(shown) == 2 and shown[0].shape == (240, 320, 3) and shown[0].std() > 20.0
    assert strip.count("&middot; trip") == 1


def test_whoever_can_draws_and_the_reasons_of_the_others_are_told(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def able(spec: Any, terrain: Any, poses: Poses) -> list[bytes]:
        asked.append((spec, terrain))
        return [png_file(np.zeros((2, 2, 3), np.uint8))] * len(poses.joint_pos)

    def unable(spec: Any, terrain: Any, poses: Poses) -> list[bytes]:
        raise RobotError("no\nGL")

    on_steps = dataclasses.replace(history, arguments={"terrain": "steps:0.1"})
    drawn(monkeypatch, broken=ResourceError("cannot be loaded"), unable=unable, able=able)
    missing: list[str] = []
    assert film_strip(on_steps, Clock(history), 3, missing).count("<img") == 3
    assert asked == [(history.spec, "steps:0.1")] and missing == []
    drawn(monkeypatch, broken=ResourceError("cannot be loaded"), unable=unable)
    assert film_strip(history, Clock(history), 3, missing) == "" and missing == ["film strip: cannot be loaded; no GL"]
    drawn(monkeypatch)
    assert film_strip(history, Clock(history), 3, missing) == "" and "no simulator is installed" in missing[-1]
    assert film_strip(history, Clock(history), 0, missing) == "" and len(missing) == 2  # nobody asked for one


def test_depth_is_bright_where_it_is_near_and_blue_where_nothing_is() -> None:
    depth = np.array([[0.5, 1.0, 3.0], [0.0, np.nan, 9.0]], np.float32)
    picture = depth_picture(depth, 0.5, 3.0)
    assert picture[0, 0].tolist() == [255] * 3 and picture[0, 2].tolist() == picture[1, 2].tolist() == [40] * 3
    assert 40 < picture[0, 1, 0] < 255 and (picture[1, 0].tolist(), picture[1, 1].tolist()) == ([*NO_RETURN],) * 2
    back = np.asarray(Image.open(io.BytesIO(png_file(picture))))
    np.testing.assert_array_equal(back, picture)
    wide = np.tile(np.linspace(0.5, 3.0, 640, dtype=np.float32), (480, 1))
    np.testing.assert_array_equal(depth_picture(wide, 0.5, 3.0)[0], depth_picture(wide[:1, ::3], 0.5, 3.0)[0])
    assert depth_picture(wide, 0.5, 3.0).shape == (160, 214, 3)


def test_depth_images_are_shown_evenly_with_their_times(history: History, tmp_path: Path) -> None:
    count = history.policy.stamp_ns.size
    images = tuple(DepthImage(i, np.full((4, 6), 0.5 + 0.1 * i, np.float32)) for i in range(count))
    index = np.arange(count)
    index[0] = -1
    seen = Images(index, index, np.zeros(count), images)
    with_depth = dataclasses.replace(history, policy=dataclasses.replace(history.policy, depth={"front": seen}))
    page = ReportPage(f"<div>{depth_strip(with_depth, Clock(history), 5)}</div>")
    assert len(page.pictures) == 5 and f"depth image front: 0.5{'0'} m" in page.text
    last = (int(history.policy.stamp_ns[-1]) - history.start_ns) / 1e9
    assert f"{last:.2f} s" in page.text
    near, far = depth_range({"front": seen})
    assert 0.5 <= near < far <= 0.5 + 0.1 * count
    assert depth_strip(history, Clock(history), 5) == "" and depth_range({}) == (0.5, 1.0)
