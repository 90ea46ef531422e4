"""Whether a command can be taken at all. What is malformed is refused whole; nothing of it is used."""

from __future__ import annotations

import numpy as np

from robot_policies.safety.limits import SECOND, SafetyLimits
from robot_policies.safety.state_check import finite
from robot_policies.types import GainProfile, JointCommand

# A refusal: its reason, one word by which refusals are counted, and what was found against what is valid.
Refusal = tuple[str, str]

MALFORMED = ("names", "size", "not_finite")  # reasons that no healthy policy can give rise to


def malformed(command: JointCommand, joints: int) -> Refusal | None:
    """Return why the arrays of ``command`` cannot be used, if so: finiteness before anything that compares."""
    arrays = (
        ("joint_pos", command.joint_pos),
        ("joint_vel", command.joint_vel),
        ("joint_effort", command.joint_effort),
        ("stiffness", command.stiffness),
        ("damping", command.damping),
    )
    for name, array in arrays:
        if array.shape != (joints,):
            return "size", f"{name}: shape {array.shape}; valid: ({joints},)"
    if finite(np.concatenate([array for _, array in arrays])):
        return None
    for name, array in arrays:
        if not finite(array):
            return "not_finite", f"{name}: a value that is not finite; valid: finite numbers"
    return None


def wrong_profile(command: JointCommand, profile: GainProfile) -> Refusal | None:
    """Return why ``command`` is not under the active ``profile``, if so."""
    if command.gain_profile == profile.name:
        return None
    return "profile", f"gain profile {command.gain_profile!r}; valid: {profile.name!r}, the active one"


def wrong_gains(command: JointCommand, profile: GainProfile) -> Refusal | None:
    """Return why the gains of ``command``, which is not malformed, are not those of ``profile``, if so."""
    pairs = ((command.stiffness, profile.stiffness), (command.damping, profile.damping))
    if all(mine is theirs or not np.count_nonzero(mine != theirs) for mine, theirs in pairs):
        return None
    return "gains", f"gains that are not those of {profile.name!r}; valid: its gains"


def wrong_stamp(stamp_ns: int, last_ns: int | None, state_ns: int, now_ns: int, limit_ns: int) -> Refusal | None:
    """Return why a command cannot answer the present, if so.

    Args:
        stamp_ns: stamp of the state that the command answers.
        last_ns: stamp of the last accepted command, None before the first.
        state_ns: stamp of the newest state.
        now_ns: the robot's clock.
        limit_ns: the oldest that a command may be.
    """
    if stamp_ns > state_ns:
        return "future", f"stamp {(stamp_ns - state_ns) / SECOND:.6f} s after the newest state; valid: a state's stamp"
    if now_ns - stamp_ns > limit_ns:
        return "old", f"{(now_ns - stamp_ns) / SECOND:.3f} s old; valid: up to {limit_ns / SECOND:g} s"
    if last_ns is not None and stamp_ns <= last_ns:
        return "not_newer", f"stamp {(last_ns - stamp_ns) / SECOND:.6f} s before the last command; valid: a newer one"
    return None


def bad_profile(profile: GainProfile, limits: SafetyLimits) -> str | None:
    """Return why ``profile`` may not be used on this robot, if so: names joint, gain and bound."""
    joints = len(limits.joint_names)
    bounds = (
        ("stiffness", profile.stiffness, limits.max_stiffness),
        ("damping", profile.damping, limits.max_damping),
    )
    for name, gains, most in bounds:
        if gains.shape != (joints,):
            return f"{name}: shape {gains.shape}; valid: ({joints},)"
        if not finite(gains):
            return f"{name}: a value that is not finite; valid: finite numbers"
        for joint, gain, bound in zip(limits.joint_names, gains.tolist(), most.tolist(), strict=True):
            if not 0.0 <= gain <= bound:
                return f"{name} of {joint}: {gain:g}; valid: 0 to {bound:g}"
    free = (profile.stiffness == 0.0) & (profile.damping == 0.0)
    if free.any():
        joints_free = ", ".join(limits.joint_names[i] for i in np.flatnonzero(free))
        return f"{joints_free}: no gains at all; valid: stiffness or damping above 0"
    return None
