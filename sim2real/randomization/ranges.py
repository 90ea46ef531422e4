"""What differs between simulated robots, and by how much.

The ranges are those usual for quadruped walking in legged_gym and its successors (friction, added mass, pushes),
narrowed to what the flat task needs; gains and strength allow for the tolerance of a quasi-direct drive.
"""

from __future__ import annotations

from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True)
class Randomization:
    """Ranges of uniform draws; ``NOMINAL`` draws nothing."""

    variants: int = 64  # different bodies; robots share them, since more models than the cache holds cost a third
    friction: Range = (0.4, 1.25)  # sliding friction of the feet and the ground
    base_mass: Range = (-1.0, 2.5)  # [kg], added to the trunk
    base_com: tuple[float, float, float] = (0.03, 0.02, 0.02)  # +- [m], shift of the trunk's centre of mass
    stiffness: Range = (0.85, 1.15)  # factor, per joint
    damping: Range = (0.8, 1.2)  # factor, per joint
    motor_strength: Range = (0.9, 1.1)  # factor on the torque, per joint
    delay_cycles: tuple[int, int] = (1, 3)  # [robot cycles] from state to the first torque that answers it, inclusive
    state_delay_cycles: tuple[int, int] = (0, 2)  # [robot cycles], age of the state that the policy sees
    delay_nominal: float = 0.5  # share of the robots with the smallest delays, those of the deployed pipeline
    push_interval: float = 7.0  # [s], mean time between pushes; 0 for none
    push_velocity: float = 0.8  # [m/s], largest change of the horizontal velocity along each axis
    push_ang_velocity: float = 0.4  # [rad/s], largest change of the angular velocity about each axis
    noise: float = 1.0  # factor on the sensor noise of the observation terms


NOMINAL = Randomization(
    friction=(0.8, 0.8),
    base_mass=(0.0, 0.0),
    base_com=(0.0, 0.0, 0.0),
    stiffness=(1.0, 1.0),
    damping=(1.0, 1.0),
    motor_strength=(1.0, 1.0),
    delay_cycles=(1, 1),
    state_delay_cycles=(0, 0),
    push_interval=0.0,
    noise=0.0,
)
