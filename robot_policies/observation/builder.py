"""From what a policy may read to the groups that its networks read: terms, scales, clips and histories in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from robot_policies.contract import Contract, Group, Term
from robot_policies.exceptions import BundleError, expected
from robot_policies.observation.history import HistoryRing
from robot_policies.observation.terms import TERMS, Indices, TermContext, TermFunction, TermSetup
from robot_policies.robot_spec import RobotSpec
from robot_policies.sizes import ages, frame_size, per_entry
from robot_policies.types import Array, Array32, Observation, PolicyInputs, RobotState


def term_setup(contract: Contract, term: Term, joint_index: Indices, feet: tuple[str, ...] | None) -> TermSetup:
    """Return what ``term`` of ``contract`` knows from load on.

    Args:
        contract: the bundle's contract.
        term: one of its terms.
        joint_index: (joints,) place in the robot's order of each joint of the bundle.
        feet: names of the robot's feet, or None where no robot is known.
    """
    default = np.array(contract.joints.default_joint_pos, dtype=np.float64)
    in_order = np.array_equal(joint_index, np.arange(len(joint_index)))
    setup = TermSetup(contract.timing.control_dt, joint_index, default, feet, term.params, in_order=in_order)
    if feet is None or "feet" not in term.params or term_faults(term, setup):
        return setup
    return replace(setup, foot_index=np.array([feet.index(foot) for foot in term.params["feet"]], dtype=np.intp))


def term_faults(term: Term, setup: TermSetup) -> list[str]:
    """Return what is wrong with ``term`` on its own: name, parameters, size. Empty where nothing is."""
    definition = TERMS.get(term.term)
    if definition is None:
        return [expected("term: a known observation term", term.term, sorted(TERMS))]
    asked, found = set(definition.params), set(term.params)
    if asked != found:
        return [expected(f"params: of {term.term}", ", ".join(sorted(found)) or "none", sorted(asked) or "no params")]
    wrong = [name for name, rule in definition.params.items() if not rule.accepts(term.params[name], setup)]
    if wrong:
        return [expected(f"params.{name}", repr(term.params[name]), definition.params[name].valid) for name in wrong]
    size = definition.size(setup)
    return [] if size == term.size else [expected(f"size: of {term.term}", term.size, f"{size} for these joints")]


class _TermHistories:
    """The frame of a group of which at least one term has a history of its own."""

    def __init__(self, terms: Sequence[Term]) -> None:
        self._out = np.zeros(sum(term.size * ages(term) for term in terms), dtype=np.float32)
        self._parts: list[tuple[slice, slice, HistoryRing | None]] = []
        start_in = start_out = 0
        for term in terms:
            ring = None if term.history is None else HistoryRing(term.size, term.history)
            stop_in, stop_out = start_in + term.size, start_out + term.size * ages(term)
            self._parts.append((slice(start_in, stop_in), slice(start_out, stop_out), ring))
            start_in, start_out = stop_in, stop_out

    def reset(self) -> None:
        for _, _, ring in self._parts:
            if ring is not None:
                ring.reset()

    def push(self, values: Array32) -> Array32:
        for part_in, part_out, ring in self._parts:
            self._out[part_out] = values[part_in] if ring is None else ring.push(values[part_in])
        return self._out


class GroupBuilder:
    """One group. ``build`` returns an array of its own; the buffers stay inside."""

    def __init__(self, group: Group, setups: Sequence[TermSetup]) -> None:
        """Lay out the frame once.

        Args:
            group: the group, its terms already checked.
            setups: one per term.
        """
        self._calls: list[tuple[TermFunction, TermSetup, slice]] = []
        start = 0
        for term, setup in zip(group.terms, setups, strict=True):
            self._calls.append((TERMS[term.term].function, setup, slice(start, start + term.size)))
            start += term.size
        self._values = np.zeros(start)
        self._frame: Array32 = np.zeros(start, dtype=np.float32)
        self._scale, self._offset = _joined(group, "scale"), _joined(group, "offset")
        self._limits = _limits(group)
        self._terms = _TermHistories(group.terms) if any(term.history for term in group.terms) else None
        self._history = None if group.history is None else HistoryRing(frame_size(group), group.history)
        self._keeps_past = self._terms is not None or self._history is not None
        self._clip = group.clip  # of a group without a past it is among the limits

    def reset(self) -> None:
        """Forget the past."""
        for past in (self._terms, self._history):
            if past is not None:
                past.reset()

    def build(self, context: TermContext) -> Array32:
        """Return the group at this tick, (group_size,), read-only and owned by the caller."""
        values = self._values
        for function, setup, part in self._calls:
            values[part] = function(context, setup)
        if self._scale is not None:
            values *= self._scale
        if self._offset is not None:
            values += self._offset
        if self._limits is not None:
            np.maximum(values, self._limits[0], out=values)
            np.minimum(values, self._limits[1], out=values)
        result = self._past(values) if self._keeps_past else values.astype(np.float32)
        result.flags.writeable = False
        return result

    def _past(self, values: Array) -> Array32:
        frame = self._frame
        frame[:] = values
        if self._terms is not None:
            frame = self._terms.push(frame)
        if self._history is not None:
            frame = self._history.push(frame)
        return frame.copy() if self._clip is None else frame.clip(*self._clip)


class ObservationBuilder:
    """All groups of a bundle, for one robot.

    Raises:
        BundleError: a term is unknown, or of another size than it states.
    """

    def __init__(self, contract: Contract, spec: RobotSpec) -> None:
        """Map the bundle's joints to the robot's by name, once, and lay out every group."""
        index = np.asarray(spec.joint_index(contract.joints.names), dtype=np.intp)
        self._groups: dict[str, GroupBuilder] = {}
        for name, group in contract.observations.items():
            setups = [term_setup(contract, term, index, spec.feet) for term in group.terms]
            for term, setup in zip(group.terms, setups, strict=True):
                for fault in term_faults(term, setup):
                    raise BundleError(f"observations.{name}: {fault}")
            self._groups[name] = GroupBuilder(group, setups)
        self._previous: RobotState | None = None

    def reset(self) -> None:
        """Forget the past of every group."""
        self._previous = None
        for group in self._groups.values():
            group.reset()

    def build(
        self, inputs: PolicyInputs, tick: int, last_action: Array32, heading_error: float | None = None
    ) -> Observation:
        """Return every group at this tick. To be called once per tick, since histories advance.

        Args:
            inputs: complete, finite; with a velocity command if a term reads it.
            tick: 0 at activation.
            last_action: (joints,) the previous action at the point that the bundle names; zeros at activation.
            heading_error: commanded heading minus yaw [rad], where the policy's kind follows one.

        Raises:
            InputError: a term misses its input.
        """
        context = TermContext(inputs, tick, last_action, self._previous, heading_error)
        self._previous = inputs.state
        groups = {name: group.build(context) for name, group in self._groups.items()}
        return Observation(inputs.state.stamp_ns, groups)


def _joined(group: Group, key: str) -> Array | None:
    """Return the scale or offset of the whole frame, or None where it changes nothing."""
    values = np.concatenate([per_entry(getattr(term, key), term.size) for term in group.terms])
    neutral = 1.0 if key == "scale" else 0.0
    return None if np.all(values == neutral) else values


def _limits(group: Group) -> tuple[Array, Array] | None:
    """Return lower and upper clip of every value of a frame, infinite where there is none.

    The clip of the group is in them where nothing comes in between: no history, whose fill may be outside it.
    """
    whole = None if group.history or any(term.history for term in group.terms) else group.clip
    if whole is None and all(term.clip is None for term in group.terms):
        return None
    pairs = [(-np.inf, np.inf) if term.clip is None else term.clip for term in group.terms]
    sizes = [term.size for term in group.terms]
    low = np.concatenate([per_entry(pair[0], size) for pair, size in zip(pairs, sizes, strict=True)])
    high = np.concatenate([per_entry(pair[1], size) for pair, size in zip(pairs, sizes, strict=True)])
    return (low, high) if whole is None else (low.clip(*whole), high.clip(*whole))
