"""The numbers of parkour training."""

from __future__ import annotations

from dataclasses import replace

from sim2real.randomization.ranges import Randomization
from sim2real.training.grounds import GroundKind
from sim2real.training.task import CommandRanges, Network, ObservationTerm, Ppo, Settles, Task, weights

TERMS = (
    ObservationTerm("base_ang_vel", 3, 0.25, 0.2),
    ObservationTerm("projected_gravity", 3, 1.0, 0.05),
    ObservationTerm("joint_pos_rel", 12, 1.0, 0.01),
    ObservationTerm("joint_vel", 12, 0.05, 1.0),
    ObservationTerm("last_action", 12, 1.0, 0.0),
)

GO2_PARKOUR_TEACHER = Task(
    name="go2_parkour_teacher",
    version="1.0.0",
    robot="go2",
    kind="parkour",
    terms=TERMS,
    commands=CommandRanges(
        lin_vel_x=(0.4, 1.0),
        lin_vel_y=(0.0, 0.0),
        ang_vel_z=(0.0, 0.0),
        standing=0.0,
        forward=1.0,
        dead_band=0.0,
        hold=(20.0, 20.0),
    ),
    # As the prototype's that first crossed these obstacles (docs/training/go2_parkour.md)
    rewards=weights(
        goal_vel=1.5,
        goal_yaw=0.5,
        off_path=-0.5,
        lin_vel_z=-0.25,
        ang_vel_xy=-0.05,
        roll=-0.5,
        torque=-1e-4,
        torque_rate=-1e-7,
        torque_limit=-0.3,
        joint_acc=-1e-8,
        joint_limit=-2.0,
        action_rate=-0.02,
        hips_off=-0.1,
        pose=-0.03,
        contact=-0.3,
        feet_edge=-0.3,
    ),
    stiffness=(40.0, 40.0, 40.0),
    damping=(1.0, 1.0, 1.0),
    action_scale=0.25,
    action_clip=4.8,
    base_height=0.31,
    foot_height=0.08,
    air_time=0.25,
    fall_penalty=0.4,
    fall_tilt=1.25,  # less than a bundle of ours and the safety file allow, so that nobody lives at that edge
    grounds=(
        GroundKind("parkour_steps", 0.14, highest=0.55, lowest=0.06),
        GroundKind("parkour_gaps", 0.08, highest=0.8, lowest=0.08),
        GroundKind("parkour_hurdles", 0.10, highest=0.48, lowest=0.05),
        GroundKind("parkour_stairs", 0.16, highest=0.24, lowest=0.03),
        GroundKind("parkour_slopes", 0.08, highest=0.6, lowest=0.06),
        GroundKind("parkour_rough", 0.08, highest=0.3, lowest=0.02),
        GroundKind("mixed", 0.36, highest=1.0, lowest=0.1),
    ),
    review=0.25,
    levels=10,
    tiles=2,
    randomization=Randomization(
        variants=280, friction=(0.4, 1.4), base_com=(0.03, 0.03, 0.03), push_interval=8.0, push_velocity=0.6
    ),
    network=Network(hidden=(256, 128, 64)),
    ppo=Ppo(
        entropy_coef=0.005,
        settles=Settles(after=44_600_000, entropy_coef=0.0, desired_kl=0.01, most_std=0.25, mirrors=False),
    ),
)

# As hard as the evaluation pushes: the teacher, which explores, is pushed less.
_PUSHED = replace(GO2_PARKOUR_TEACHER.randomization, push_interval=7.0, push_velocity=0.8)

# Longer windows than PPO's: the depth encoder's memory learns over ten images.
GO2_PARKOUR_STUDENT = replace(
    GO2_PARKOUR_TEACHER, name="go2_parkour_student", kind="student", starts_from=GO2_PARKOUR_TEACHER.name,
    ppo=Ppo(steps=50), randomization=_PUSHED,
)  # fmt: skip

# Little noise: what the student lacks is not found by trying something quite different.
GO2_PARKOUR = replace(
    GO2_PARKOUR_TEACHER, name="go2_parkour", version="1.2.0", kind="refined", starts_from=GO2_PARKOUR_STUDENT.name,
    network=Network(hidden=(256, 128, 64), init_std=0.2), ppo=Ppo(entropy_coef=0.0, learning_rate=1e-4, mirror="none"),
    randomization=_PUSHED,
)  # fmt: skip
