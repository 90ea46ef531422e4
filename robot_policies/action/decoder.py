"""From a network's output to a joint command: clip, filter, scale, offset, and the robot's joint order."""

from __future__ import annotations

import hashlib
from collections import deque

import numpy as np

from robot_policies.contract import Contract
from robot_policies.exceptions import BundleError, InputError, expected
from robot_policies.finite import all_finite
from robot_policies.robot_spec import RobotSpec
from robot_policies.sizes import per_entry
from robot_policies.types import Action, Array, Array32, GainProfile, JointCommand, owned


def gain_profile(contract: Contract, spec: RobotSpec) -> GainProfile:
    """Return the bundle's gains in the robot's joint order, under their name ``<bundle>/<12 hex>``.

    The 12 hex digits start the SHA-256 of the stiffness of every joint, then the damping of every joint, each in
    ``RobotSpec.joint_names`` order as little-endian IEEE 754 doubles, with nothing between.
    """
    index = joint_index(contract, spec)
    stiffness, damping = np.zeros(len(index)), np.zeros(len(index))
    stiffness[index] = contract.joints.stiffness
    damping[index] = contract.joints.damping
    return GainProfile(f"{contract.name}/{gain_digest(stiffness, damping)}", owned(stiffness), owned(damping))


def gain_digest(stiffness: Array, damping: Array) -> str:
    """Return the 12 hex digits that name gains, both (n,) in robot order; see ``gain_profile`` for the bytes."""
    content = stiffness.astype("<f8").tobytes() + damping.astype("<f8").tobytes()
    return hashlib.sha256(content).hexdigest()[:12]


def joint_index(contract: Contract, spec: RobotSpec) -> np.ndarray[tuple[int, ...], np.dtype[np.intp]]:
    """Return the place in the robot's order of each joint of the bundle.

    Raises:
        BundleError: the bundle does not command exactly the robot's joints, each once.
    """
    names = contract.joints.names
    if sorted(names) != sorted(spec.joint_names):
        raise BundleError(joint_fault(names, spec.joint_names))
    return np.asarray(spec.joint_index(names), dtype=np.intp)


def joint_fault(names: tuple[str, ...], valid: tuple[str, ...]) -> str:
    """Return how the joints of a bundle differ from those of the robot."""
    unknown = sorted(set(names) - set(valid))
    missing = sorted(set(valid) - set(names))
    twice = sorted({name for name in names if names.count(name) > 1})
    parts = [
        f"{word} {', '.join(which)}"
        for word, which in (("unknown", unknown), ("missing", missing), ("twice", twice))
        if which
    ]
    return expected("joints.names: every joint of the robot, once", "; ".join(parts), valid)


class ActionDecoder:
    """``target = offset + scale * filter(clip(raw))``, in the bundle's joint order, then mapped to the robot's.

    Raises:
        BundleError: the bundle does not command exactly the robot's joints.
    """

    def __init__(self, contract: Contract, spec: RobotSpec) -> None:
        """Pre-compute every vector; no name is looked up later."""
        self._index = joint_index(contract, spec)
        self._in_order = np.array_equal(self._index, np.arange(len(self._index)))
        action, count = contract.action, len(contract.joints.names)
        self._count = count
        self._scale, self._offset = per_entry(action.scale, count), per_entry(action.offset, count)
        self._clip: tuple[Array32, Array32] | None = None
        if action.clip is not None:
            low, high = (per_entry(bound, count).astype(np.float32) for bound in action.clip)
            self._clip = (low, high)
        self._alpha = None if action.filter is None else np.float32(action.filter.alpha)
        self._point = action.last_action
        self._zeros = owned(np.zeros(count))
        self.gains = gain_profile(contract, spec)
        self._filtered: Array32 | None = None
        self._delay = action.delay
        self._waiting: deque[Array32] = deque()  # processed actions that are not commanded yet, oldest first
        self._nothing = owned(np.zeros(count), np.float32)
        self.reset()

    def reset(self) -> None:
        """Let the filter start at the next action; what is delayed waits behind zeros."""
        self._filtered = None
        self._wait(self._nothing)

    def action(self, raw: Array32, stamp_ns: int) -> Action:
        """Return the action that ``raw`` (joints,) means, in the bundle's joint order. Advances filter and delay.

        A read-only ``raw`` is kept as it is, a writable one is copied.

        Raises:
            InputError: ``raw`` has another size, or is not finite.
        """
        if raw.shape != (self._count,):
            raise InputError(expected("action: one number per joint", raw.shape, f"({self._count},)"))
        if not all_finite(raw):
            raise InputError(expected("action: finite numbers", raw.tolist(), "a network within its training range"))
        if raw.flags.writeable:
            raw = owned(raw, np.float32)
        clipped = raw
        if self._clip is not None:
            clipped = np.minimum(np.maximum(raw, self._clip[0]), self._clip[1])
            clipped.flags.writeable = False
        filtered = clipped if self._alpha is None else self._low_pass(clipped, self._alpha)
        last = {"raw": raw, "clipped": clipped, "filtered": filtered}[self._point]
        self._waiting.append(filtered)
        return Action(stamp_ns, raw, self._waiting.popleft(), last)

    def _wait(self, action: Array32) -> None:
        """Let ``action`` be what is commanded until the next one is due."""
        self._waiting = deque([action] * self._delay)

    def _low_pass(self, values: Array32, alpha: np.float32) -> Array32:
        previous = values if self._filtered is None else self._filtered
        self._filtered = previous + alpha * (values - previous)
        self._filtered.flags.writeable = False
        return self._filtered

    def meant_by(self, joint_pos: Array) -> Array32:
        """Return the action (joints,), in the bundle's joint order, that would have asked for ``joint_pos``.

        It is within the bundle's clip, and filter and delay go on from it: as though this policy had commanded. A joint
        that the action does not move (scale 0) counts as 0.

        Args:
            joint_pos: targets (n,) [rad], in robot order.
        """
        away = joint_pos[self._index] - self._offset
        meant = np.divide(away, self._scale, out=np.zeros(self._count), where=self._scale != 0.0).astype(np.float32)
        if self._clip is not None:
            meant = np.minimum(np.maximum(meant, self._clip[0]), self._clip[1])
        meant.flags.writeable = False
        if self._alpha is not None:
            self._filtered = meant
        self._wait(meant)
        return meant

    def command(self, action: Action) -> JointCommand:
        """Return the joint targets of ``action``, in the robot's joint order."""
        target = self._offset + self._scale * action.processed
        if not self._in_order:
            of_bundle, target = target, np.empty(self._count)
            target[self._index] = of_bundle
        target.flags.writeable = False
        return JointCommand(
            stamp_ns=action.stamp_ns,
            joint_pos=target,
            joint_vel=self._zeros,
            joint_effort=self._zeros,
            stiffness=self.gains.stiffness,
            damping=self.gains.damping,
            gain_profile=self.gains.name,
        )
