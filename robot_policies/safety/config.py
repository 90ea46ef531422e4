"""The safety file: ``config/safety/<name>.yaml`` as strict dataclasses. ``limits.py`` fits it to a robot.

A value per joint is one number for all joints, or a map from name patterns (``*_hip_joint``) of which exactly one
matches each joint. docs/safety.md explains each key and gives the sources of the numbers.
"""

from __future__ import annotations

from typing import Literal, Optional, Union

from pydantic import Field
from typing_extensions import Annotated

from robot_policies.schema import schema

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
PerJoint = Union[float, dict[str, float]]


@schema
class Sustained:
    """A limit, and for how long it may be passed."""

    limit: PerJoint
    duration: NotNegative  # [s]


@schema
class Tilt:
    """Angle between the base's z axis and up, and for how long it may be passed.

    A policy whose bundle allows itself more, as one that climbs, may lean up to ``ceiling`` while it commands.
    """

    limit: Annotated[float, Field(gt=0, lt=3.15)]  # [rad]
    duration: NotNegative  # [s]
    ceiling: Optional[Annotated[float, Field(gt=0, lt=3.15)]] = None  # [rad]; null: the limit


@schema
class Targets:
    """Limits of what may be asked of the motors. A command over one is clamped and counted."""

    beyond: PerJoint  # [rad], by which a target may lie beyond the robot's limits, as it asks for a torque
    soft: PerJoint  # [rad] before a limit, over which ``beyond`` shrinks to 0 for the measured joint
    rate: PerJoint  # [rad/s], change of a target from one command to the next over control_dt
    velocity: PerJoint  # [rad/s], of a target velocity
    torque: PerJoint  # [N m], of stiffness (pos* - pos) + damping (vel* - vel) + effort*, and of effort* alone
    clamp_cycles: Count  # a joint clamped in this many robot cycles on end trips


@schema
class Gains:
    """The most that a gain profile may ask for, and how long one profile takes to become the next."""

    stiffness: PerJoint  # [N m/rad]
    damping: PerJoint  # [N m s/rad]
    ramp: NotNegative  # [s]


@schema
class State:
    """Limits of what is measured. Beyond one, the robot trips."""

    max_age: Positive  # [s], from the newest state's stamp to now
    max_gap: Positive  # [s], between the stamps of two states
    future: NotNegative  # [s], by which a stamp may be ahead of now
    clock_step: Positive  # [s], by which the robot's clock and the monotonic one may part from one cycle to the next
    # [s] for which the IMU may repeat gyroscope and accelerometer bit for bit; null: it may, as one without noise does
    frozen: Optional[Positive]
    tilt: Tilt
    joint_vel: Sustained  # [rad/s]
    joint_pos: Sustained  # [rad] beyond the robot's limits


@schema
class MotorLost:
    """Packets that one motor may lose over a time, as the robot counts them."""

    limit: Count
    duration: Positive  # [s]


@schema
class Charge:
    """How empty the battery may be, and for how long emptier."""

    limit: Annotated[float, Field(ge=0, lt=1)]  # 0 to 1
    duration: NotNegative  # [s]


@schema
class Health:
    """Limits of what a robot tells beside its state. Beyond one, the robot trips."""

    motor_temperature: Sustained  # [deg C]
    motor_lost: MotorLost
    motor_error: Optional[Positive]  # [s] of an error code of a motor; null: codes are told, and trip nothing
    battery: Charge


@schema
class Command:
    """The watchdog: how old the lease holder's newest command may be."""

    ticks: Annotated[float, Field(gt=1)]  # [control_dt]
    max_age: Positive  # [s], whatever control_dt is
    grace: NotNegative  # [s], after activation


@schema
class PoseRamp:
    """A bounded way to a pose, with the robot's stand gains."""

    speed: Positive  # [rad/s], of the fastest joint, at its peak
    min_time: Positive  # [s]


@schema
class Stand(PoseRamp):
    """The way to the start pose from lying or sitting."""

    tolerance: Positive  # [rad], by which a measured joint may miss the start pose at activation


@schema
class SafetyConfig:
    """The whole of a safety file."""

    format: Literal[1]
    robot: str
    source: str
    targets: Targets
    gains: Gains
    state: State
    command: Command
    stand: Stand
    settle: PoseRamp  # to the start pose from a moving policy: slow feet would trip the robot
    sit: PoseRamp
    damping: PerJoint  # [N m s/rad], gains of the damping landing
    landings: dict[str, dict[str, str]]  # trip -> mode -> damping | sit | hold (none where disarmed)
    health: Optional[Health] = None  # null: a robot that tells nothing of it, or limits that nobody knows
