"""The ground from the simulator's compiled world to the wire and back."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("mujoco")
pytest.importorskip("rclpy")

from visualization_msgs.msg import Marker

from robot_policies.exceptions import InputError
from robot_policies.nodes.ground_markers import ground_markers, ground_of_markers
from robot_policies.robot_spec import load_robot_spec
from robot_policies.robots.mock import create as create_mock
from robot_policies.robots.robot import GroundBox, GroundShape, KnowsGround
from sim2real.mujoco.ground import Box, Ground
from sim2real.mujoco.ground_shape import ground_shape
from sim2real.mujoco.robot import MujocoOptions, MujocoRobot
from sim2real.mujoco.world import build_model

SPEC = load_robot_spec("go2")
GROUND = Ground((Box((2.0, 0.5, 0.1), (1.0, 0.4, 0.1)), Box((5.0, 0.0, 0.3), (1.0, 1.0, 0.1), pitch=-0.2)), floor=-0.4)
SHAPE = GroundShape(0.25, (GroundBox((1.0, 2.0, 0.3), (0.6, 0.0, 0.8, 0.0), (0.5, 0.6, 0.1)),))


def test_the_ground_of_a_world_is_its_floor_and_its_boxes_and_nothing_of_the_robot() -> None:
    shape = ground_shape(build_model(SPEC, GROUND.add_to))
    assert shape.floor == pytest.approx(-0.4)
    assert [box.position for box in shape.boxes] == [pytest.approx(box.centre) for box in GROUND.boxes]
    assert [box.size for box in shape.boxes] == [pytest.approx(2.0 * np.array(box.half)) for box in GROUND.boxes]
    assert shape.boxes[0].quat_wxyz == pytest.approx((1.0, 0.0, 0.0, 0.0))
    assert shape.boxes[1].quat_wxyz == pytest.approx((math.cos(-0.1), 0.0, math.sin(-0.1), 0.0))


def test_a_simulated_robot_knows_its_ground_and_a_mock_has_none() -> None:
    robot = MujocoRobot(SPEC, MujocoOptions(clock="lockstep"), GROUND.add_to)
    assert isinstance(robot, KnowsGround)
    assert len(robot.ground().boxes) == 2
    assert not isinstance(create_mock(SPEC, {}), KnowsGround)


def test_markers_carry_the_ground_there_and_back() -> None:
    message = ground_markers(SHAPE, "r1/world")
    assert {marker.header.frame_id for marker in message.markers} == {"r1/world"}
    assert all(marker.type == Marker.CUBE and marker.color.a == 1.0 for marker in message.markers)
    back = ground_of_markers(message)
    assert back.floor == pytest.approx(0.25)
    assert back == GroundShape(back.floor, SHAPE.boxes)


def test_markers_of_others_are_left_out() -> None:
    message = ground_markers(SHAPE, "world")
    message.markers.append(Marker(ns="box", type=Marker.SPHERE))
    message.markers.append(Marker(ns="path", type=Marker.CUBE))
    message.markers.append(Marker(ns="box", type=Marker.CUBE, action=Marker.DELETE))
    assert ground_of_markers(message).boxes == SHAPE.boxes


@pytest.mark.parametrize(
    ("part", "field", "value"),
    [("position", "x", math.nan), ("orientation", "w", 3.0), ("scale", "z", 0.0), ("scale", "y", math.inf)],
)
def test_a_box_that_cannot_be_is_refused(part: str, field: str, value: float) -> None:
    message = ground_markers(SHAPE, "world")
    marker = message.markers[1]
    setattr(marker.scale if part == "scale" else getattr(marker.pose, part), field, value)
    with pytest.raises(InputError, match="ground: marker box 0; found .*; valid: finite numbers"):
        ground_of_markers(message)
