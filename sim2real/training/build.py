"""From names to a running environment: the robot file and its model make the trained robot and its plant."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import mujoco
import numpy as np

from robot_policies.robot_spec import RobotSpec, load_robot_spec
from sim2real.mujoco.ground import Ground
from sim2real.mujoco.plant import motor_limits
from sim2real.mujoco.world import world_spec
from sim2real.training.backend import choose_device
from sim2real.training.env import Env
from sim2real.training.grounds import Grounds, make_grounds
from sim2real.training.model import Plant, build_plant
from sim2real.training.parkour.env import ParkourEnv
from sim2real.training.parkour.lanes import make_lanes
from sim2real.training.parkour.student_env import StudentEnv
from sim2real.training.rewards import Body
from sim2real.training.robot import TrainedRobot
from sim2real.training.task import Kind, Task
from sim2real.training.walk import WalkEnv

ENVS: Mapping[Kind, type[Env]] = MappingProxyType(
    {"walk": WalkEnv, "parkour": ParkourEnv, "student": StudentEnv, "refined": StudentEnv}
)


def build_env(task: Task, envs: int, seed: int, threads: int = 2, device: str = "cpu") -> Env:
    """Return the environment of a task, simulated on ``device``: auto, cpu or cuda.

    Raises:
        ResourceError, SchemaError: the robot file or its model cannot be found or read; no such device here.
        RobotError: the robot has no model, or the model lacks a joint or a foot.
    """
    spec = load_robot_spec(task.robot)
    if task.kind != "walk":
        grounds: Grounds = make_lanes(task.grounds, task.levels, task.tiles, seed)
    else:
        grounds = make_grounds(task.grounds, task.levels, task.tiles, np.random.default_rng((seed, 1)))
    plants = [load_model(spec, task.physics_dt, tile.ground) for tile in grounds.tiles]
    robot = trained_robot(spec, load_model(spec, task.physics_dt))
    return ENVS[task.kind](task, robot, plants, grounds, envs, seed, threads, choose_device(device))


def load_model(spec: RobotSpec, physics_dt: float, ground: Ground | None = None) -> Plant:
    """Return the robot's model on ``ground``, or on a plane. Raises as ``build_env``."""
    world = world_spec(spec, (ground or Ground()).add_to, look=False)
    return build_plant(world, spec.joint_names, spec.feet, physics_dt)


def trained_robot(spec: RobotSpec, plant: Plant) -> TrainedRobot:
    """Return the constants of training from the robot file; the default pose is its pose ``stand``."""
    default = np.array(spec.poses["stand"])
    feet = {name: index for index, name in enumerate(spec.feet)}
    diagonals = ((feet["FR_foot"], feet["RL_foot"]), (feet["FL_foot"], feet["RR_foot"]))
    return TrainedRobot(
        joint_names=spec.joint_names,
        feet=spec.feet,
        body=Body(
            default_joint_pos=default,
            joint_lower=np.array(spec.joint_lower),
            joint_upper=np.array(spec.joint_upper),
            hips=np.array(["hip" in name for name in spec.joint_names], dtype=float),
            diagonals=diagonals,
        ),
        motors=motor_limits(spec),
        stand_height=_stand_height(plant, default),
    )


def _stand_height(plant: Plant, joint_pos: np.ndarray) -> float:
    """Return how high the trunk's origin is when the lowest foot just touches the ground [m]."""
    data = mujoco.MjData(plant.model)
    data.qpos[:7] = (0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)
    data.qpos[list(plant.qpos)] = joint_pos
    mujoco.mj_forward(plant.model, data)
    feet, _ = plant.foot_motion(data.sensordata[None])
    return float(-feet[:, :, 2].min())
