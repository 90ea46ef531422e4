"""The right to command a robot. Exactly one holder has it, from activation until it is given back or a trip ends it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from robot_policies.exceptions import expected
from robot_policies.safety import command_check
from robot_policies.safety.limits import SafetyLimits
from robot_policies.safety.ramp import GainRamp
from robot_policies.safety.watchdog import CommandWatchdog, slowest_ns
from robot_policies.types import Array, GainProfile, JointCommand, owned


@dataclass(frozen=True, slots=True)
class Lease:
    """Who commands, and under what terms."""

    holder: str  # unique name of the policy node
    control_dt_ns: int  # [ns], how often it commands
    gain_profile: str  # name of an accepted gain profile
    inputs: tuple[str, ...] = ()  # what it uses, such as ("state", "velocity_command")
    other_profiles: tuple[str, ...] = ()  # accepted ones that it may change to while it commands
    tilt: float = 0.0  # [rad] that its policy may lean; the safety file has the least and the most

    @property
    def profiles(self) -> tuple[str, ...]:
        """Every gain profile that its commands may name, the first one first."""
        return (self.gain_profile, *self.other_profiles)


class Tenure:
    """One holder's time with the lease: its watchdog, its newest command, and its gains as they come in.

    Attributes:
        lease: the terms.
        command: the held command, None before the first.
        base: target before the held command, (n,) [rad], that its rate is measured from.
        step: largest change from ``base``, (n,) [rad].
    """

    def __init__(
        self,
        lease: Lease,
        profile: GainProfile,
        limits: SafetyLimits,
        now_ns: int,
        others: Iterable[GainProfile] = (),
    ) -> None:
        """Begin at ``now_ns``. ``profile`` is the one that the lease names, ``others`` are its other profiles."""
        self.lease = lease
        self._others = {other.name: other for other in others}
        self.command: JointCommand | None = None
        self.base: Array | None = None
        self.step = limits.target_rate * (lease.control_dt_ns / 1e9)
        self._profile, self._limits = profile, limits
        self._watchdog = CommandWatchdog(limits, lease.control_dt_ns, now_ns)
        self._gains: GainRamp | None = None

    def refusal(
        self, command: JointCommand, sender: str | None, state_ns: int, now_ns: int
    ) -> command_check.Refusal | None:
        """Return why ``command`` cannot be taken, if so; ``state_ns`` is the stamp of the newest state."""
        holder = self.lease.holder
        profile = self._others.get(command.gain_profile, self._profile)
        if sender is not None and sender != holder:
            return "not_holder", expected(f"command of {holder}, who holds the lease", sender, holder)
        last_ns = None if self.command is None else self.command.stamp_ns
        return (
            command_check.wrong_profile(command, profile)
            or command_check.malformed(command, len(self._limits.joint_names))
            or command_check.wrong_gains(command, profile)
            or command_check.wrong_stamp(command.stamp_ns, last_ns, state_ns, now_ns, self._watchdog.limit_ns)
        )

    def take(self, command: JointCommand, base: Array | None) -> None:
        """Hold a copy of ``command`` until the next one; ``base`` is the target written before it, (n,) [rad]."""
        profile = self._others.get(command.gain_profile, self._profile)
        if profile is not self._profile:
            self._others[self._profile.name] = self._profile
            self._profile, self._gains = profile, None  # the gains go on from those written last
        self.base = base
        self.command = JointCommand(
            stamp_ns=command.stamp_ns,
            joint_pos=owned(command.joint_pos),
            joint_vel=owned(command.joint_vel),
            joint_effort=owned(command.joint_effort),
            stiffness=profile.stiffness,
            damping=profile.damping,
            gain_profile=command.gain_profile,
        )

    @property
    def gain_profile(self) -> str:
        """Name of the profile of the held command; before the first command the one that the lease begins with."""
        return self._profile.name

    def asked(self, written: JointCommand | None, now_ns: int) -> JointCommand | None:
        """Return the held command, its gains on their way from those ``written`` before the first of its profile."""
        command = self.command
        if command is None:
            return None
        if self._gains is None:
            goal = (command.stiffness, command.damping)
            start = goal if written is None else (written.stiffness, written.damping)
            self._gains = GainRamp(start, goal, now_ns, self._limits.gain_ramp_ns)
        stiffness, damping = self._gains.at(now_ns)
        if stiffness is command.stiffness:
            return command
        return dataclasses.replace(command, stiffness=stiffness, damping=damping)

    def silence(self, now_ns: int) -> str | None:
        """Return for how long the holder has been silent, if for too long."""
        return self._watchdog.check(None if self.command is None else self.command.stamp_ns, now_ns)


def bad_terms(lease: Lease, limits: SafetyLimits, profiles: tuple[str, ...]) -> str | None:
    """Return why nobody could have this lease, if so."""
    if not lease.holder:
        return expected("lease: a holder's name", "none", "the unique name of the policy node")
    slowest = slowest_ns(limits)
    if not 0 < lease.control_dt_ns <= slowest:
        found, valid = f"{lease.control_dt_ns / 1e9:g} s", f"above 0, up to {slowest / 1e9:.4f} s"
        return expected("lease: a control_dt that the watchdog can watch", found, valid)
    for name in lease.profiles:
        if name not in profiles:
            return expected("lease: an accepted gain profile", repr(name), profiles)
    if not 0.0 <= lease.tilt <= math.pi:  # NaN is not
        return expected("lease: a tilt", f"{lease.tilt:g} rad", "0 to pi")
    return None


def away_from_start(joint_pos: Array, limits: SafetyLimits) -> str | None:
    """Return which measured joints miss the start pose by more than the tolerance, if any."""
    miss = joint_pos - limits.stand_pose
    far = np.flatnonzero(np.abs(miss) > limits.stand_tolerance)
    if not far.size:
        return None
    found = ", ".join(f"{limits.joint_names[i]} {miss[i]:+.2f} rad away" for i in far)
    return expected("lease: the robot in the start pose", found, f"up to {limits.stand_tolerance:g} rad away")
