"""What a policy is trained for, as one frozen value; ``tasks.py`` holds the values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from sim2real.randomization.ranges import Randomization, Range
from sim2real.training.grounds import GroundKind


@dataclass(frozen=True)
class ObservationTerm:
    """One term of the actor's observation, in the words of the bundle's contract."""

    term: str
    size: int
    scale: float
    noise: float  # half width of the uniform noise, in units of the unscaled term


@dataclass(frozen=True)
class CommandRanges:
    """Velocities that are asked of the base, and for how long."""

    lin_vel_x: Range  # [m/s]
    lin_vel_y: Range  # [m/s]
    ang_vel_z: Range  # [rad/s]
    standing: float  # share of the commands that are zero
    forward: float  # share of the commands that ask for forward motion only
    dead_band: float  # each axis below this is set to zero [m/s, rad/s]
    hold: Range  # [s], how long one command is asked
    start: float = 1.0  # factor on the ranges at the start of training; grows to 1 while commands are followed


@dataclass(frozen=True)
class Network:
    """Shape of actor and critic, and the actor's first spread."""

    hidden: tuple[int, ...] = (256, 128, 64)
    init_std: float = 0.8  # [action units]


@dataclass(frozen=True)
class Settles:
    """The last part of a run: less noise and smaller steps, so that the mean of the actions is what was rewarded."""

    after: int  # samples
    entropy_coef: float
    desired_kl: float
    most_std: float = math.inf  # [action units], of the noise
    mirrors: bool = True  # or no mirrored samples any more: with little noise they are of another policy's actions


@dataclass(frozen=True)
class Ppo:
    """Arguments of rsl-rl's PPO; names are its own, values those of legged_gym but for entropy and epochs."""

    steps: int = 24  # per environment and iteration
    num_learning_epochs: int = 4
    num_mini_batches: int = 4
    clip_param: float = 0.2
    gamma: float = 0.99
    lam: float = 0.95
    value_loss_coef: float = 1.0
    entropy_coef: float = 0.004
    learning_rate: float = 1e-3
    max_grad_norm: float = 1.0
    desired_kl: float = 0.01
    settles: Settles | None = None
    mirror: str = "augmentation"  # none | loss | augmentation: how left and right are made alike


Kind = Literal["walk", "parkour", "student", "refined"]


@dataclass(frozen=True)
class Task:
    """Everything that defines a training run but its seed, length and number of environments."""

    name: str
    version: str  # of the bundle: a new one for every change of what is trained
    robot: str
    terms: tuple[ObservationTerm, ...]
    commands: CommandRanges
    rewards: Mapping[str, float]  # weight per second of each term of rewards.TERMS
    stiffness: tuple[float, float, float]  # [N m/rad] hip, thigh, calf
    damping: tuple[float, float, float]  # [N m s/rad] hip, thigh, calf
    action_scale: float  # [rad]
    action_clip: float  # of the raw action
    base_height: float  # [m] of the trunk's origin over the ground, walking
    foot_height: float  # [m] of a swinging foot's lowest point over the ground
    air_time: float  # [s] of one swing
    fall_penalty: float  # subtracted once
    fall_tilt: float = 1.0  # [rad] between the base's z axis and up
    control_dt: float = 0.02  # [s]
    cycle_dt: float = 0.005  # [s], the robot's cycle: targets change here
    physics_dt: float = 0.005  # [s]
    episode: float = 20.0  # [s]
    kind: Kind = "walk"  # which environment and which learner
    starts_from: str = ""  # task whose checkpoint a run starts from
    history: tuple[int, ...] = (0,)  # ages [control steps] of the frames that the actor sees
    grounds: tuple[GroundKind, ...] = (GroundKind("flat", 1.0),)
    levels: int = 1  # of difficulty, of each kind of ground
    review: float = 0.0  # share of the episodes on a random level up to the robot's own, so that it is not forgotten
    tiles: int = 2  # different grounds per kind and level
    randomization: Randomization = field(default_factory=Randomization)
    network: Network = field(default_factory=Network)
    ppo: Ppo = field(default_factory=Ppo)

    @property
    def cycles(self) -> int:
        """Robot cycles per control step."""
        return round(self.control_dt / self.cycle_dt)

    @property
    def substeps(self) -> int:
        """Physics steps per robot cycle."""
        return round(self.cycle_dt / self.physics_dt)

    @property
    def episode_steps(self) -> int:
        """Control steps per episode."""
        return round(self.episode / self.control_dt)


def weights(**terms: float) -> Mapping[str, float]:
    """Return reward weights that nobody can change."""
    return MappingProxyType(terms)
