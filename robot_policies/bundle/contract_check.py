"""What in a contract must agree with itself: counts, ranges, names. Needs neither robot nor files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Optional, Union

import numpy as np

from robot_policies.contract import CommandAxis, Contract, Depth, Group, History, Numbers, Term
from robot_policies.exceptions import expected
from robot_policies.observation.builder import term_faults, term_setup
from robot_policies.sizes import ages, fits, frame_size, per_entry

MAX_AGE = 1000  # [ticks] of a history: 20 s at 50 Hz, ten times the longest known (2 s, A-RMA)
TAKE_OVER = 0.25  # [s] within which a policy that has lost its images commands no more
MAX_IMAGE_SIDE = 4096  # [px]
_SAME_PERIOD = 1e-6  # relative: written periods have few digits, 0.0333 and 4 x 0.008325 are the same
Clip = Optional[tuple[Numbers, Numbers]]


def contract_faults(contract: Contract, feet: tuple[str, ...] | None) -> list[str]:
    """Return what in ``contract`` contradicts itself.

    Args:
        contract: of the right form.
        feet: names of the robot's feet; None where no robot is known.
    """
    return [
        *_timing_faults(contract),
        *_joint_faults(contract),
        *(fault for name in contract.observations for fault in _group_faults(contract, name, feet)),
        *_action_faults(contract),
        *_command_faults(contract),
        *_limit_faults(contract),
        *(fault for name, depth in contract.depth.items() for fault in _depth_faults(f"depth.{name}", depth)),
        *_pair_faults("delays.state", contract.delays.state),
        *_pair_faults("delays.action", contract.delays.action),
    ]


def _timing_faults(contract: Contract) -> Iterator[str]:
    timing = contract.timing
    if timing.physics_dt is not None and timing.decimation is not None:
        product = timing.physics_dt * timing.decimation
        if abs(product - timing.control_dt) > _SAME_PERIOD * timing.control_dt:
            yield expected(
                "timing.control_dt: physics_dt * decimation",
                f"{timing.control_dt:g} against {timing.physics_dt:g} * {timing.decimation} = {product:g}",
                f"{product:g}",
            )


def _joint_faults(contract: Contract) -> Iterator[str]:
    joints = contract.joints
    count = len(joints.names)
    if count == 0:
        yield expected("joints.names: the policy's joints", "none", "at least one name")
    twice = sorted({name for name in joints.names if joints.names.count(name) > 1})
    if twice:
        yield expected("joints.names: each name once", f"{', '.join(twice)} twice", "unique names")
    for key in ("default_joint_pos", "stiffness", "damping", "torque_limit"):
        yield from _count_faults(f"joints.{key}", getattr(joints, key), count)
    yield from _count_faults("limits.start.joint_pos", contract.limits.start.joint_pos, count)


def _count_faults(where: str, values: Sequence[float], count: int) -> Iterator[str]:
    if len(values) != count:
        yield expected(f"{where}: one number per joint", f"{len(values)} numbers", f"{count} numbers")


def _group_faults(contract: Contract, name: str, feet: tuple[str, ...] | None) -> Iterator[str]:
    where, group = f"observations.{name}", contract.observations[name]
    if not group.terms:
        yield expected(f"{where}.terms: what the group holds", "none", "at least one term")
    index = np.arange(len(contract.joints.names), dtype=np.intp)
    for place, term in enumerate(group.terms):
        here = f"{where}.terms.{place} ({term.term})"
        yield from (f"{here}.{fault}" for fault in term_faults(term, term_setup(contract, term, index, feet)))
        yield from _term_number_faults(here, term)
    yield from _history_faults(where, group, frame_size(group))
    yield from _clip_faults(f"{where}.clip", group.clip, 1)


def _term_number_faults(where: str, term: Term) -> Iterator[str]:
    yield from _fit_faults(f"{where}.scale", term.scale, term.size)
    yield from _fit_faults(f"{where}.offset", term.offset, term.size)
    yield from _clip_faults(f"{where}.clip", term.clip, term.size)
    yield from _history_faults(where, term, term.size)


def _fit_faults(where: str, values: Numbers, size: int) -> Iterator[str]:
    if not fits(values, size):
        found = len(values) if isinstance(values, tuple) else 1
        yield expected(f"{where}: one number, or one per entry", f"{found} numbers", f"1 or {size} numbers")


def _clip_faults(where: str, clip: Clip, size: int) -> Iterator[str]:
    if clip is None:
        return
    wrong = [fault for bound in clip for fault in _fit_faults(where, bound, size)]
    yield from wrong
    if not wrong and np.any(per_entry(clip[0], size) > per_entry(clip[1], size)):
        yield expected(f"{where}: low, then high", list(clip), "low at most high")


def _history_faults(where: str, entry: Union[Term, Group], size: int) -> Iterator[str]:
    history: History | None = entry.history
    if history is None:
        return
    if not history.ages:
        yield expected(f"{where}.history.ages: ticks, in the order of concatenation", "none", "at least one age")
    if len(set(history.ages)) < ages(entry):
        yield expected(f"{where}.history.ages: each age once", list(history.ages), "different ages")
    if max(history.ages, default=0) > MAX_AGE:
        yield expected(f"{where}.history.ages: how far back", max(history.ages), f"at most {MAX_AGE} ticks")
    if max(history.mask, default=0) >= size:
        yield expected(f"{where}.history.mask: indices within a frame", max(history.mask), f"0 to {size - 1}")


def _action_faults(contract: Contract) -> Iterator[str]:
    action, count = contract.action, len(contract.joints.names)
    yield from _fit_faults("action.scale", action.scale, count)
    yield from _fit_faults("action.offset", action.offset, count)
    yield from _clip_faults("action.clip", action.clip, count)
    if action.last_action == "filtered" and action.filter is None:
        yield expected("action.last_action: filtered", "no action.filter", "raw, clipped, or a filter")
    if action.last_action == "clipped" and action.clip is None:
        yield expected("action.last_action: clipped", "action.clip null", "raw, or a clip")


def _command_faults(contract: Contract) -> Iterator[str]:
    velocity = contract.commands.velocity
    terms = [term.term for group in contract.observations.values() for term in group.terms]
    reads = next((name for name in terms if name in ("velocity_command", "forward_command", "heading_error")), None)
    if velocity is None:
        if reads or contract.kind in ("velocity", "parkour"):
            who = f"a term {reads}" if reads else f"kind {contract.kind}"
            yield expected(f"commands.velocity, for {who}", "none", "ranges of lin_vel_x, lin_vel_y and ang_vel_z")
        return
    for key in ("lin_vel_x", "lin_vel_y", "ang_vel_z"):
        yield from _axis_faults(f"commands.velocity.{key}", getattr(velocity, key))


def _axis_faults(where: str, axis: CommandAxis) -> Iterator[str]:
    yield from _pair_faults(f"{where}.range", axis.range)
    widest = max(abs(axis.range[0]), abs(axis.range[1]))
    if axis.dead_band > widest:
        yield expected(f"{where}.dead_band: within the range", axis.dead_band, f"at most {widest:g}")


def _pair_faults(where: str, pair: tuple[float, float]) -> Iterator[str]:
    if pair[0] > pair[1]:
        yield expected(f"{where}: low, then high", list(pair), "low at most high")


# What the package can do when an input is lost; the other words of the schema are for kinds that do more.
_LOST = {
    "state": ("landing",),
    "velocity_command": ("zero", "landing"),
    "depth": ("landing", "blind", "stand", "companion"),
}


def _limit_faults(contract: Contract) -> Iterator[str]:
    inputs, velocity = contract.limits.inputs, contract.commands.velocity
    needed = {"state": True, "velocity_command": velocity is not None, "depth": bool(contract.depth)}
    for name, need in needed.items():
        limit = inputs.get(name)  # type: ignore[call-overload]
        if need and limit is None:
            yield expected(f"limits.inputs.{name}: the oldest that this input may be", "none", "max_age and lost")
        if limit is not None and not need:
            yield expected(
                f"limits.inputs.{name}", "a limit, but no such input", "remove the limit or declare the input"
            )
        if limit is not None and limit.lost not in _LOST[name]:
            yield expected(f"limits.inputs.{name}.lost", limit.lost, _LOST[name])
    yield from _take_over_faults(contract)
    limit = inputs.get("velocity_command")
    if velocity is not None and limit is not None and limit.lost != velocity.absent:
        asked = "limits.inputs.velocity_command.lost: the same as commands.velocity.absent"
        yield expected(asked, f"{limit.lost} against {velocity.absent}", "one word for both")


def _take_over_faults(contract: Contract) -> Iterator[str]:
    """Whether a lost image is noticed in time: age and tick, as it is looked at once per tick."""
    limit, control_dt = contract.limits.inputs.get("depth"), contract.timing.control_dt
    if limit is None or limit.lost not in ("stand", "companion"):
        return
    if limit.max_age + control_dt > TAKE_OVER:
        asked = f"limits.inputs.depth.max_age, with lost {limit.lost}: time to stop within {TAKE_OVER:g} s"
        yield expected(asked, f"{limit.max_age:g} s", f"at most {TAKE_OVER - control_dt:g} s")


def _depth_faults(where: str, depth: Depth) -> Iterator[str]:
    if depth.near >= depth.far:
        yield expected(f"{where}.near: below far", f"{depth.near:g} and {depth.far:g}", "near < far")
    yield from _pair_faults(f"{where}.delay", depth.delay)
    if len(depth.crop) != 4:
        yield expected(f"{where}.crop: top, bottom, left, right", f"{len(depth.crop)} numbers", "4 numbers")
        return
    top, bottom, left, right = depth.crop
    image = depth.intrinsics
    largest = max(image.height, image.width, *depth.size)
    if largest > MAX_IMAGE_SIDE:
        yield expected(f"{where}: sides of images", f"{largest} px", f"at most {MAX_IMAGE_SIDE} px")
    for axis, off, size in (("rows", top + bottom, image.height), ("columns", left + right, image.width)):
        if off >= size:
            yield expected(f"{where}.crop: {axis} that are left", f"{off} off {size}", f"at most {size - 1} off")
