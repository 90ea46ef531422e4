"""The tasks that ``robot-policies train`` knows."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from robot_policies.exceptions import ResourceError, expected
from sim2real.training.grounds import GroundKind
from sim2real.training.parkour.tasks import GO2_PARKOUR, GO2_PARKOUR_STUDENT, GO2_PARKOUR_TEACHER
from sim2real.training.task import CommandRanges, ObservationTerm, Ppo, Settles, Task, weights

# Scales and noise of legged_gym, which foreign Go2 policies share; the command is unscaled as in rl_sar's Go2 policy.
BLIND = (
    ObservationTerm("base_ang_vel", 3, 0.25, 0.2),
    ObservationTerm("projected_gravity", 3, 1.0, 0.05),
    ObservationTerm("velocity_command", 3, 1.0, 0.0),
    ObservationTerm("joint_pos_rel", 12, 1.0, 0.01),
    ObservationTerm("joint_vel", 12, 0.05, 1.0),
    ObservationTerm("last_action", 12, 1.0, 0.0),
)

GO2_WALK = Task(
    name="go2_walk",
    version="2.0.0",
    robot="go2",
    terms=BLIND,
    commands=CommandRanges(
        lin_vel_x=(-0.6, 1.2),
        lin_vel_y=(-0.4, 0.4),
        ang_vel_z=(-1.0, 1.0),
        standing=0.12,
        forward=0.2,
        dead_band=0.1,
        hold=(4.0, 8.0),
        start=0.4,
    ),
    history=(0, 1, 4),
    grounds=(
        GroundKind("flat", 0.35),
        GroundKind("rough", 0.2, highest=0.045),
        GroundKind("steps", 0.3, highest=0.16),
        GroundKind("rough_steps", 0.15, highest=0.12),
    ),
    levels=6,
    rewards=weights(
        alive=1.0,
        progress=0.8,
        track_lin_vel=2.0,
        track_ang_vel=1.0,
        track_mean_lin_vel=3.0,
        track_mean_ang_vel=1.5,
        lin_vel_z=-2.0,
        ang_vel_xy=-0.05,
        orientation=-1.5,
        base_height=-20.0,
        torque=-1e-4,
        power=-1.5e-3,
        torque_limit=-0.5,
        joint_acc=-2e-8,
        joint_limit=-5.0,
        action_rate=-0.01,
        action_jerk=-0.001,
        feet_air_time=25.0,
        feet_clearance=-15.0,
        feet_slip=-0.1,
        trot=0.8,
        contact=-0.5,
        hip=-0.5,
        pose=-0.05,
        stand_still=-0.3,
    ),
    stiffness=(30.0, 30.0, 30.0),
    damping=(0.7, 0.7, 0.7),
    action_scale=0.25,
    action_clip=5.0,
    base_height=0.31,
    foot_height=0.11,
    air_time=0.25,
    fall_penalty=1.0,
    ppo=Ppo(settles=Settles(after=17_000_000, entropy_coef=0.0005, desired_kl=0.006)),
)

_ALL = (GO2_WALK, GO2_PARKOUR_TEACHER, GO2_PARKOUR_STUDENT, GO2_PARKOUR)
TASKS: Mapping[str, Task] = MappingProxyType({task.name: task for task in _ALL})


def find_task(name: str) -> Task:
    """Return the task of this name.

    Raises:
        ResourceError: there is none; the message lists those that there are.
    """
    if name not in TASKS:
        raise ResourceError(expected("task: the name of a training task", repr(name), TASKS))
    return TASKS[name]
