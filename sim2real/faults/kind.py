"""What a kind of fault is, and what a run of it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Optional

import yaml

from robot_policies import resources
from robot_policies.safety.limits import SECOND, SafetyLimits

if TYPE_CHECKING:
    from sim2real.faults.scene import Scene

MODES = ("stand", "active")
SEES, BLIND = "go2_parkour", "go2_walk"  # the policies of runs with a camera
BUDGET_MS = 100.0  # from the fault, after its configured age, to the landing
HANDOVER_MS = 250.0  # from a fault of the camera to the last command of the policy that sees
BACKENDS = ("mujoco", "wire")
TOLERATE, DEGRADE, LAND = "tolerate", "degrade", "land"
# Returns the monotonic time [s] at which the fault really began, None for the moment before the call.
Inject = Callable[["Scene"], Optional[float]]


@dataclass(frozen=True)
class Setup:
    """What stands around the nodes. Runs of one set-up, mode, seed and backend share their control run.

    Attributes:
        relay: ``command``, ``state`` or ``image``: that message passes the relay.
        bundle: ``nan``, ``huge`` or ``stuck``: a policy that fails so after a while.
        disk: logs go to a small disk of their own (root).
        network: the peer is in a network namespace of its own (root).
    """

    relay: str = ""
    bundle: str = ""
    disk: bool = False
    network: bool = False

    @property
    def sees(self) -> bool:
        """Whether a policy with a camera commands, and a blind one beside it."""
        return self.relay == "image"

    @property
    def root(self) -> bool:
        """Whether only root can set it up."""
        return self.disk or self.network


@dataclass(frozen=True)
class Kind:
    """One kind of fault.

    Attributes:
        expected: mode -> tolerate, degrade or land; other modes are not run.
        why: the reason, one line.
        inject: makes it happen.
        age: trip whose configured age or duration passes before anything can be detected; "" for none.
        onset: ``tilt`` where the fault counts from when the witness saw the base lean too far.
        allows: limits that the fault itself breaks, by the first word of the witness.
        seconds: that the run is watched after the fault.
        hands_over: whether the policy that sees must stop commanding, in time.
        last: what it leaves is no start for another run: the processes are started anew.
    """

    name: str
    expected: Mapping[str, str]
    why: str
    inject: Inject
    backends: tuple[str, ...] = BACKENDS
    age: str = ""
    onset: str = ""
    allows: tuple[str, ...] = ()
    seconds: float = 1.5
    setup: Setup = field(default_factory=Setup)
    hands_over: bool = False
    last: bool = False

    @property
    def budget_ms(self) -> float:
        """How long after the fault and its age [ms] it must be detected."""
        return HANDOVER_MS - image_age() * 1000.0 if self.hands_over else BUDGET_MS


def everywhere(expected: str) -> dict[str, str]:
    """Return the same expectation for standing and walking."""
    return {"stand": expected, "active": expected}


def walking(active: str, stand: str = TOLERATE) -> dict[str, str]:
    """Return an expectation for a policy that commands, and another for one that does not."""
    return {"stand": stand, "active": active}


@cache
def image_age() -> float:
    """Return how old an image may be [s], as the bundle of the policy that sees states it."""
    text = (resources.find("bundles", SEES) / "policy.yaml").read_text(encoding="utf-8")
    return float(yaml.safe_load(text)["limits"]["inputs"]["depth"]["max_age"])


def age_s(limits: SafetyLimits, name: str, state_rate: float) -> float:
    """Return the configured maximum age or duration [s] of the trip ``name``; 0 for "".

    ``state_rate`` [Hz] is the robot file's, of which the safety file's cycles are; a faster driver waits as long.
    """
    if name == "image_age":
        return image_age()
    health = limits.health
    ages = {
        "": 0,
        "state_age": limits.state_age_ns,
        "state_gap": limits.state_gap_ns,
        "state_frozen": limits.frozen_ns,
        "tilt": limits.tilt_ns,
        "joint_pos": limits.joint_pos_ns,
        "joint_vel": limits.joint_vel_ns,
        "command_age": limits.command_age_ns,
        "clamping": round(limits.clamp_cycles / state_rate * SECOND),
        "motor_temperature": 0 if health is None else health.motor_temperature_ns,
        "motor_error": 0 if health is None else health.motor_error_ns,
        "battery": 0 if health is None else health.battery_ns,
    }
    return ages[name] / SECOND
