"""The robot behind the wire: built-in controller, mode machine, readings, faults on the body, and remote."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from helpers.firmware_board import SPEC, ZERO, board, held, run

from robot_policies.exceptions import InputError, RobotError
from sim2real.firmware import services, sport
from sim2real.firmware.board import SWITCH_TIME, Board
from sim2real.firmware.body import Body
from sim2real.firmware.remote import remote_bytes

# Built-in controller and mode machine.


def test_it_stands_up_lies_down_and_damps() -> None:
    robot = board("mcf")
    run(robot, 2.5)
    assert robot.body.truth().position[2] > 0.3
    assert robot.driven_by == "built_in"
    assert robot.sport.request(sport.STAND_DOWN) == 0
    run(robot, 2.0)
    assert robot.body.truth().position[2] < 0.13
    assert np.abs(robot.body.joint_pos - SPEC.poses["sit"]).max() < 0.2
    robot.sport.request(sport.STAND_UP)
    run(robot, 2.0)
    robot.sport.request(sport.DAMP)
    run(robot, 0.3)
    assert robot.own_command is not None
    assert robot.own_command.stiffness.max() == 0.0
    run(robot, 2.0)
    assert robot.body.truth().position[2] < 0.13


def test_the_remote_damps_the_built_in_controller_only() -> None:
    robot = board("mcf")
    run(robot, 2.0)
    robot.remote = remote_bytes(["B"], {})
    run(robot, 0.05)
    assert robot.sport.pose == "stand"
    robot.remote = remote_bytes(["B", "L2"], {})
    run(robot, 1.5)
    assert robot.sport.pose == "damp"
    assert robot.body.truth().position[2] < 0.2
    free = board()
    free.remote = robot.remote
    run(free, 0.02, held(SPEC.poses["sit"]))
    assert free.driven_by == "commands"


def test_what_the_controller_cannot_do_it_says() -> None:
    controller = sport.SportController(SPEC)
    assert controller.request(sport.STOP_MOVE) == 0
    assert controller.request(1008) == sport.NOT_IMPLEMENTED, "Move: there is no gait"
    assert controller.pose == "stand"


def test_a_request_for_the_same_pose_does_not_begin_anew() -> None:
    controller = sport.SportController(SPEC)
    first = controller.command(ZERO, 1.0)
    controller.request(sport.STAND_UP)
    assert np.abs(controller.command(np.ones(12), 0.4).pos).sum() > np.abs(first.pos).sum()


def test_release_takes_its_time_and_leaves_the_motors_braking() -> None:
    robot = board("mcf")
    run(robot, 0.1)
    assert services.motion_switcher(robot, services.RELEASE, "{}") == (0, "")
    run(robot, 0.9 * SWITCH_TIME)
    assert (robot.mode, robot.switching) == ("mcf", True)
    assert services.motion_switcher(robot, services.RELEASE, "{}")[0] == services.BUSY
    while robot.mode:
        robot.tick([])
    assert (robot.driven_by, robot.own_command) == ("nobody", None), "at once: its last command is not held"
    assert robot.time == pytest.approx(0.1 + SWITCH_TIME, abs=0.01)
    assert robot.readings().mode == [0] * 12
    assert services.sport(robot, sport.STAND_UP, "{}") is None


def test_the_switcher_answers_as_the_vendors() -> None:
    robot = board("mcf")
    code, text = services.motion_switcher(robot, services.CHECK, "{}")
    assert (code, json.loads(text)) == (0, {"form": "0", "name": "mcf"})
    for parameter in ("", "{}", "[]", '{"name": ["ai"]}'):
        assert services.motion_switcher(robot, services.SELECT, parameter)[0] in (
            services.BAD_PARAMETER,
            services.NO_SUCH_MODE,
        )
    assert services.motion_switcher(robot, services.SELECT, '{"name": "dance"}')[0] == services.NO_SUCH_MODE
    assert services.motion_switcher(robot, services.SELECT, '{"name": "mcf"}') == (0, "")
    assert not robot.switching, "it is active already"
    assert services.motion_switcher(robot, services.SELECT, '{"name": "ai"}') == (0, "")
    run(robot, 1.1 * SWITCH_TIME)
    assert robot.mode == "ai"
    assert services.motion_switcher(robot, 4711, "{}") == (services.NOT_IMPLEMENTED, "")
    assert services.motion_switcher(robot, services.API_VERSION, "") == (0, services.VERSION)
    assert services.sport(robot, services.API_VERSION, "") == (0, services.VERSION)


def test_two_writers_fight_and_the_newest_wins_each_step() -> None:
    robot = board("mcf")
    run(robot, 2.5)
    quiet = float(np.abs(robot.body.joint_vel).max())
    pose = SPEC.poses["stand"].copy()
    pose[1] += 0.4
    torques = []
    for _ in range(100):
        robot.tick([held(pose)])
        torques.append(robot.body.torque[1])
    assert robot.driven_by == "both"
    assert np.mean(torques) > 5.0, "the second half of each tick is the rival's"
    assert SPEC.poses["stand"][1] + 0.05 < robot.body.joint_pos[1] < pose[1] - 0.05, "and the first is not"
    assert np.abs(robot.body.joint_vel).max() > 5.0 * quiet
    run(robot, 0.2)
    assert robot.driven_by == "built_in"


def test_commands_move_a_released_robot() -> None:
    robot = board()
    run(robot, 0.1)
    height = robot.body.truth().position[2]
    start = robot.body.joint_pos.copy()
    for share in np.linspace(0.0, 1.0, 500):
        robot.tick([held(start + share * (SPEC.poses["stand"] - start), 60.0, 5.0)])
    assert robot.body.truth().position[2] > height + 0.15
    assert robot.driven_by == "commands"
    run(robot, 0.12)
    assert robot.driven_by == "nobody"


# Readings.


def test_readings_are_of_the_body() -> None:
    robot = board("mcf")
    run(robot, 2.5)
    reading = robot.readings()
    assert reading.tick == 2500
    assert reading.pos == pytest.approx(robot.body.joint_pos.tolist())
    assert reading.mode == [1] * 12
    assert reading.rpy == pytest.approx([0.0, 0.0, 0.0], abs=0.05)
    assert sum(reading.foot_force) == pytest.approx(147.0, abs=10.0)
    assert reading.current < 0
    reading.pos[0] = 99.0
    assert robot.readings().pos[0] != 99.0, "a fault changes its copy only"


def test_the_same_seed_gives_the_same_noise() -> None:
    first, again, other = (Board(Body(SPEC, None, seed=seed, noise=1.0), "").readings().gyro for seed in (1, 1, 2))
    assert first == again != other


def test_an_unknown_ground_is_refused() -> None:
    with pytest.raises(Exception, match="nowhere"):
        Body(SPEC, "nowhere", 0, 0.0)


def test_physics_that_breaks_is_an_error() -> None:
    robot = board()
    robot.body.data.qvel[0] = np.inf
    with pytest.raises(RobotError, match="finite state"):
        robot.tick([])


# Faults on the body.


def test_push_changes_the_speed_of_the_base() -> None:
    robot = board("mcf")
    run(robot, 2.0)
    robot.body.push((0.0, 0.6, 0.0))
    assert robot.body.truth().lin_vel[1] == pytest.approx(0.6, abs=0.05)
    run(robot, 0.5)
    assert robot.body.truth().position[1] > 0.02


@pytest.mark.parametrize("upper", [True, False])
def test_a_joint_is_held_at_its_limit(upper: bool) -> None:
    robot = board()
    robot.body.hold(3, upper)
    run(robot, 0.5, held(SPEC.poses["sit"], 20.0, 1.0))
    limit = (SPEC.joint_upper if upper else SPEC.joint_lower)[3]
    assert robot.body.joint_pos[3] == pytest.approx(limit, abs=0.1)
    robot.body.release()
    run(robot, 0.7, held(SPEC.poses["sit"], 60.0, 1.0))
    assert abs(robot.body.joint_pos[3] - SPEC.poses["sit"][3]) < 0.3


@pytest.mark.parametrize("angles", [(1.2, 0.0), (0.0, -1.2), (3.0, 0.0)])
def test_tilt_turns_the_base_and_leaves_it_out_of_the_ground(angles: tuple[float, float]) -> None:
    robot = board()
    robot.body.tilt(*angles)
    reading = robot.readings()
    assert np.abs(reading.rpy[:2]).max() == pytest.approx(max(map(abs, angles)), abs=0.1)
    speed = 0.0
    for _ in range(50):
        robot.tick([])
        speed = max(speed, float(np.linalg.norm(robot.body.truth().lin_vel)))
    assert speed < 2.0, "it falls, and is not thrown out of the ground"


# The remote.


def test_the_remote_is_laid_out_as_the_vendors_header_says() -> None:
    raw = remote_bytes(["A", "R1", "left", "A"], {"ly": -1.0, "lx": 0.25})
    assert len(raw) == 40
    assert struct.unpack_from("<H", raw, 2)[0] == (1 << 8) | 1 | (1 << 15)
    assert struct.unpack_from("<5f", raw, 4) == (0.25, 0.0, 0.0, 0.0, -1.0)
    for buttons, axes in ((["C"], {}), ([], {"up": 1.0}), ([], {"lx": 1.5}), ([], {"lx": float("nan")})):
        with pytest.raises(InputError, match="valid"):
            remote_bytes(buttons, axes)
