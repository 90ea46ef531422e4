"""Two policies that take turns on one robot: a main one and, where there is one, a blind companion.

A wrapper of ``PolicyStep``, the same in the node and offline. Both are stepped at every tick. The one that does not
command keeps its histories, recurrent states and last action as though it had asked for what really was commanded, so
that it can take over at any tick, with no jump of the targets (``Blend``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from robot_policies.bundle.load import Bundle
from robot_policies.control.blend import Blend
from robot_policies.control.delay_watch import DelayWatch
from robot_policies.control.member import Member
from robot_policies.control.policy_step import PolicyStep
from robot_policies.control.stander import NAME, Stander
from robot_policies.exceptions import BundleError, InputError, expected
from robot_policies.types import Array, DepthImage, GainProfile, PolicyInputs, PolicyRecord, RobotState

BLEND = 0.06  # [s]; docs/switching.md has the measurement


class SwitchingStep:
    """Decides at every tick who commands, and hands over between them. No clock, no thread, no I/O.

    Attributes:
        commanding: name of the bundle that commanded at the newest tick, or ``stand``; "" before the first.
        why: why the one that was asked for does not, or does so blind; "" where neither is so.
    """

    def __init__(self, main: PolicyStep, companion: PolicyStep | None = None, blend: float = BLEND) -> None:
        """Take the policies; the main one commands first.

        Args:
            main: the policy that the robot is there for.
            companion: a blind one, which takes over when it is asked to, or where the main one cannot see.
            blend: time in which what lies between two policies' targets fades out [s].

        Raises:
            BundleError: the two do not go together.
        """
        steps = (main,) if companion is None else (main, companion)
        if companion is not None:
            check_pair(main.bundle, companion.bundle)
        self._members = {step.bundle.contract.name: Member(step) for step in steps}
        self._main, *others = self._members.values()
        self._companion = others[0] if others else None
        self._stander = Stander(main.spec)
        self.control_dt_ns = main.control_dt_ns
        self._blend = Blend(round(blend * 1e9 / self.control_dt_ns))
        self._wanted = self._main
        self.reset()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the bundles, the main one first."""
        return tuple(self._members)

    @property
    def wanted(self) -> str:
        """Name of the bundle that is to command."""
        return self._wanted.name

    @property
    def profiles(self) -> tuple[GainProfile, ...]:
        """The gains that commands may name, those of the main bundle first."""
        gains = [member.step.gains for member in self._members.values()]
        if self._main.hands_over:
            gains.append(self._stander.gains)
        return tuple({profile.name: profile for profile in gains}.values())

    @property
    def inputs(self) -> tuple[str, ...]:
        """What the policies use, such as ``state`` and ``depth``."""
        return tuple({name: 0 for m in self._members.values() for name in m.step.bundle.contract.limits.inputs})

    @property
    def tilt(self) -> float:
        """What the policies allow the base to lean [rad]: the largest of their own limits."""
        return max(member.step.bundle.contract.limits.tilt for member in self._members.values())

    def reset(self) -> None:
        """Return to the moment before the first tick, at every activation. Who is to command stays."""
        for member in self._members.values():
            member.reset()
        self._blend.reset()
        self._current: Member | Stander | None = None
        self._commanded: Array | None = None  # the newest target, (n,) [rad]
        self.commanding = self.why = ""

    def check_start(self, state: RobotState) -> None:
        """Accept ``state`` and the images' delays to activate with, for every policy. Raises ``InputError``."""
        for member in self._members.values():
            member.check_start(state)

    @property
    def delays(self) -> Mapping[str, DelayWatch]:
        """What was measured of the delays of images, by depth input of the main policy."""
        return self._main.delays

    def watch(self, images: Mapping[str, DepthImage], stamp_ns: int) -> None:
        """Measure the delays of new images while nobody commands, at what would be a tick."""
        for member in self._members.values():
            member.watch(images, stamp_ns)

    def switch(self, name: str) -> None:
        """Let another policy command from the next tick on.

        Raises:
            InputError: there is no such policy here, or it cannot command now; says why.
        """
        member = self._members.get(name)
        if member is None:
            raise InputError(expected("switch to", name, self.names))
        if member.out_of_order is not None and member is not self._wanted:
            raise InputError(f"switch to {name}: {member.out_of_order}")
        self._wanted = member

    def next(self) -> str:
        """Return the name of the policy after the one that is to command; the same where it is alone."""
        names = self.names
        return names[(names.index(self._wanted.name) + 1) % len(names)]

    def __call__(self, inputs: PolicyInputs, now_ns: int | None = None) -> PolicyRecord:
        """Take one step of every policy.

        Args:
            inputs: as of ``PolicyStep``, with the images of all.
            now_ns: as of ``PolicyStep``.

        Returns:
            The record of the one that commands; its command is the one to send.

        Raises:
            InputError: the one that commands cannot go on; as ``PolicyStep``.
        """
        read = {name: member.look(inputs) for name, member in self._members.items()}
        chosen = self._choose()
        before = chosen.proposal
        record = chosen.command(read.get(chosen.name, inputs), now_ns)
        record = self._handed_over(chosen, before, record)
        self._commanded = target = record.command.joint_pos
        for name, member in self._members.items():
            if member is not chosen:
                member.shadow(read[name], now_ns, target)
        self.commanding = chosen.name
        return record

    def _choose(self) -> Member | Stander:
        wanted, companion = self._wanted, self._companion
        self.why = wanted.out_of_order or ""
        if wanted.out_of_order is None or not wanted.hands_over:
            return wanted
        if wanted.lost == "companion" and companion is not None and companion.out_of_order is None:
            return companion
        return self._stander

    def _handed_over(self, chosen: Member | Stander, before: Array | None, record: PolicyRecord) -> PolicyRecord:
        """Return ``record`` with its target blended while the hand-over to ``chosen`` is under way.

        ``before`` is what ``chosen`` would have commanded at the tick before.
        """
        own = record.command.joint_pos
        if chosen is not self._current:
            if self._commanded is not None:
                self._blend.begin(self._commanded - (own if before is None else before))
            self._current = chosen
        target = self._blend(own)
        if target is own:
            return record
        if isinstance(chosen, Member):
            chosen.step.follow(target)
        return dataclasses.replace(record, command=dataclasses.replace(record.command, joint_pos=target))


def check_pair(main: Bundle, companion: Bundle) -> None:
    """Accept two bundles, each checked against the robot, as a main one and its companion.

    Raises:
        BundleError: says what of them does not go together.
    """
    one, other = main.contract, companion.contract
    if one.name == other.name:
        raise BundleError(expected("companion: a bundle of another name", other.name, "two names to switch between"))
    if NAME in (one.name, other.name):
        raise BundleError(expected("companion: names of bundles", NAME, f"anything else: {NAME} is the robot's own"))
    if other.depth:
        found = f"{other.name}, which reads {', '.join(other.depth)}"
        raise BundleError(expected("companion: a blind policy", found, "one without depth"))
    if other.timing.control_dt != one.timing.control_dt:
        found = f"{other.timing.control_dt:g} s of {other.name}"
        raise BundleError(expected("companion: control_dt", found, f"{one.timing.control_dt:g} s, as {one.name}"))
