"""The robot half of the flow: checks every state, decides the mode, and lets only safe commands through.

One loop runs it, in the robot node and offline alike::

    state = robot.read(wait)
    record = robot_step.cycle(state, robot.now_ns())
    robot.write(record.safe)

Requests, leases and commands come in between cycles and act from the next cycle on. Time is an argument everywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from robot_policies.control.lease import Lease, Tenure, away_from_start, bad_terms
from robot_policies.exceptions import expected
from robot_policies.robot_spec import RobotSpec
from robot_policies.safety import command_check, motion
from robot_policies.safety.filter import SafetyFilter
from robot_policies.safety.health_check import HealthCheck
from robot_policies.safety.landings import HOLD, SIT
from robot_policies.safety.limits import SafetyLimits
from robot_policies.safety.state_check import Fault, StateCheck
from robot_policies.safety.state_machine import Reply, Request, StateMachine
from robot_policies.types import GainProfile, JointCommand, Mode, RobotHealth, RobotRecord, RobotState, Trip, owned


class RobotStep:
    """Safety filter, watchdog, modes and command lease of one robot.

    Attributes:
        spec: the robot.
        limits: its safety file, fitted to it.
        refusals: how many commands and requests were refused, by reason.
        last_refusal: what the last refusal said, "" before the first.
    """

    def __init__(self, spec: RobotSpec, safety: SafetyLimits) -> None:
        """Start disarmed, with nothing accepted and nothing known."""
        self.spec, self.limits = spec, safety
        self.refusals: Counter[str] = Counter()
        self.last_refusal = ""
        self._machine = StateMachine(safety.landings)
        self._check, self._filter = StateCheck(safety), SafetyFilter(safety)
        self._check_health = HealthCheck(safety)
        self._profiles: dict[str, GainProfile] = {}
        self._faults: tuple[Fault, ...] = (("state_age", "no state yet"),)
        self._state: RobotState | None = None  # the newest that can be trusted
        self._now_ns = 0
        self._where: tuple[Mode, str | None] = (self._machine.mode, None)
        self._motion: motion.Motion | None = None
        self._safe: JointCommand | None = None  # written last
        self._tenure: Tenure | None = None

    # What the nodes report.

    @property
    def mode(self) -> Mode:
        """The present mode."""
        return self._machine.mode

    @property
    def landing(self) -> str | None:
        """``damping``, ``sit`` or ``hold`` in mode landing, else None."""
        return self._machine.landing

    @property
    def trips(self) -> tuple[Trip, ...]:
        """The latched trips, oldest first."""
        return self._machine.trips

    @property
    def clamp_counts(self) -> Mapping[str, int]:
        """How many cycles each clamp (such as ``torque FL_calf_joint``) was at work."""
        return self._filter.counts

    @property
    def profiles(self) -> Mapping[str, GainProfile]:
        """The accepted gain profiles by name."""
        return self._profiles

    @property
    def lease(self) -> Lease | None:
        """Who commands now, or None."""
        return None if self._tenure is None else self._tenure.lease

    @property
    def active_profile(self) -> str | None:
        """Name of the gain profile that is in force now; None while nothing is active."""
        return None if self._tenure is None else self._tenure.gain_profile

    @property
    def ramp_done(self) -> bool:
        """Whether the robot stands at the end of its ramp."""
        return self.mode is Mode.STAND and self._motion is not None and self._motion.done(self._now_ns)

    # What comes in between cycles.

    def request(self, request: Request, now_ns: int) -> Reply:
        """Grant or refuse what an operator asks for; the reply says why, and what is valid now."""
        reply = self._machine.request(request, self._present_faults(now_ns), now_ns)
        if not reply.ok:
            self._count("request", reply.message)
        self._follow(now_ns)
        return reply

    def set_gain_profile(self, profile: GainProfile) -> Reply:
        """Accept a gain profile, whole, while nothing is active; it is refused over a bound of the safety file."""
        known = self._profiles.get(profile.name)
        wrong = command_check.bad_profile(profile, self.limits)
        if self.lease is not None:
            wrong = expected("gain profile: nothing active", f"{self.lease.holder} is", "deactivate it first")
        elif wrong is None and known is not None and not _same(known, profile):
            wrong = expected(f"gain profile {profile.name!r}: one set of gains", "another set", "a name of its own")
        if wrong is not None:
            return self._refused("profile", f"gain profile {profile.name!r}: {wrong}")
        self._profiles[profile.name] = GainProfile(profile.name, owned(profile.stiffness), owned(profile.damping))
        return Reply(True, f"gain profile {profile.name!r} accepted")

    def take_lease(self, lease: Lease, now_ns: int) -> Reply:
        """Give the lease to a policy: only from stand, its ramp done, in the start pose, to nobody else."""
        wrong = self._no_lease(lease, now_ns)
        if wrong is not None:
            return self._refused("lease", wrong)
        self._machine.activate()
        self._check.lean(lease.tilt)
        profile, *others = (self._profiles[name] for name in lease.profiles)
        self._tenure = Tenure(lease, profile, self.limits, now_ns, others)
        self._follow(now_ns)
        return Reply(True, f"{lease.holder} commands with {lease.gain_profile!r}")

    def release_lease(self, holder: str, now_ns: int, error: str | None = None) -> Reply:
        """Take the lease back. In order: the robot ramps back to the stand. With an ``error``: trip ``policy``."""
        if self.lease is None or self.lease.holder != holder:
            found = "nobody" if self.lease is None else self.lease.holder
            return self._refused("lease", expected(f"lease of {holder}", f"held by {found}", "the holder's own lease"))
        if error is None:
            self._machine.release()
            self._follow(now_ns)
        else:
            self.trip("policy", error, now_ns)
        return Reply(True, f"lease of {holder} ended")

    def take_command(self, command: JointCommand, now_ns: int, sender: str | None = None) -> str | None:
        """Take a command, which acts from the next cycle on and is held until the next one.

        Args:
            command: in robot order; copied.
            now_ns: the robot's clock [ns].
            sender: who sent it, where the transport can tell.

        Returns:
            None, or why the command is refused whole.
        """
        tenure, state = self._tenure, self._state
        if tenure is None or state is None:
            found = f"none in mode {self.mode.value}"
            return self.refuse_command("no_lease", expected("command under a lease", found, "activate first"), now_ns)
        refusal = tenure.refusal(command, sender, state.stamp_ns, now_ns)
        if refusal is not None:
            return self.refuse_command(*refusal, now_ns)
        tenure.take(command, None if self._safe is None else self._safe.joint_pos)
        return None

    def refuse_command(self, reason: str, message: str, now_ns: int) -> str:
        """Count and return a refusal; also for what a node could not even read (reason ``names`` or ``size``).

        A malformed command of the lease holder trips ``command_invalid``: no healthy policy sends one.
        """
        self._count(f"command_{reason}", message)
        if reason in command_check.MALFORMED and self.lease is not None:
            self.trip("command_invalid", message, now_ns)
        return message

    def trip(self, name: str, detail: str, now_ns: int) -> None:
        """Trip from outside, such as ``robot`` where a write fails. Raises ``ValueError`` if there is no such trip."""
        self._machine.trip(name, detail, now_ns)
        self._follow(now_ns)

    # The cycle.

    def cycle(
        self, state: RobotState, now_ns: int, monotonic_ns: int | None = None, health: RobotHealth | None = None
    ) -> RobotRecord:
        """Check ``state``, land where something is wrong, and return what to write.

        Args:
            state: the newest state, each one once.
            now_ns: the robot's clock [ns].
            monotonic_ns: the monotonic clock [ns] where the robot's clock should run beside it (real time only).
            health: what a robot tells beside its state, where it can.
        """
        self._now_ns = now_ns
        faults = self._check(state, now_ns, monotonic_ns)
        ills = self._check_health(health, state.stamp_ns)
        self._faults = (*faults, *ills)
        for fault in self._faults:
            self._machine.trip(*fault, now_ns, lasting=fault in ills)
        if not faults:
            self._state = state
        self._watch(now_ns)
        self._follow(now_ns)
        tenure = self._tenure
        clamps: tuple[str, ...] = ()
        safe = self._asked(state.stamp_ns, now_ns)
        if safe is not None and self._motion is not None:  # damping only brakes: nothing of it can be over a limit
            rate = (None, None) if tenure is None else (tenure.base, tenure.step)
            safe, clamps = self._filter(safe, state, *rate)
        self._safe = safe
        return RobotRecord(state, self.mode, None if tenure is None else tenure.command, safe, clamps, self.trips)

    def cycle_without_state(self, detail: str, now_ns: int) -> JointCommand | None:
        """Trip ``robot`` because no state can be read, and return what to write: damping, or None if disarmed."""
        self.trip("robot", detail, now_ns)
        self._safe = self._asked(now_ns, now_ns)
        return self._safe

    def _watch(self, now_ns: int) -> None:
        silence = None if self._tenure is None else self._tenure.silence(now_ns)
        if silence is not None:
            last = f"; last refusal: {self.last_refusal}" if self.last_refusal else ""
            self._machine.trip("command_age", silence + last, now_ns)
        clamped = self._filter.clamped_for_long()
        if clamped is not None:
            self._machine.trip("clamping", clamped, now_ns)
        sits = self._where == (Mode.LANDING, SIT)  # and not only since this cycle: its motion is set up
        if sits and self._motion is not None and self._motion.done(now_ns):
            self._machine.soften()

    def _follow(self, now_ns: int) -> None:
        """Set up what the mode writes, once, as the mode or landing changes."""
        if (self.mode, self.landing) == self._where:
            return
        for fault in self._check.leaning() if self.landing in (SIT, HOLD) else ():
            self._machine.trip(*fault, now_ns)
        was, self._where = self._where[0], (self.mode, self.landing)
        self._filter.reset()
        if self.mode is Mode.ACTIVE:
            return  # the stand is held until the first command comes
        self._motion = self._enter(was, now_ns)
        self._tenure = None
        self._check.lean(0.0)

    def _enter(self, was: Mode, now_ns: int) -> motion.Motion | None:
        limits, state, safe = self.limits, self._state, self._safe
        if self.mode not in (Mode.STAND, Mode.LANDING) or state is None:
            return None
        gains = (safe.stiffness, safe.damping) if safe is not None else (np.zeros_like(limits.damping), limits.damping)
        if self.landing is not None:
            return motion.landing_motion(limits, self.landing, state.joint_pos, gains, now_ns)
        start = state.joint_pos if safe is None else safe.joint_pos  # damping writes the measured ones
        way = motion.settle if was is Mode.ACTIVE else motion.to_stand
        return way(limits, start, gains, now_ns)

    def _asked(self, stamp_ns: int, now_ns: int) -> JointCommand | None:
        if self.mode is Mode.DISARMED:
            return None
        if self._motion is None:
            known = self.limits.stand_pose if self._state is None else self._state.joint_pos
            return motion.damping(self.limits, known, stamp_ns)
        held = None if self._tenure is None else self._tenure.asked(self._safe, now_ns)
        return self._motion.command(stamp_ns, now_ns) if held is None else held

    # Refusals.

    def _no_lease(self, lease: Lease, now_ns: int) -> str | None:
        if self.lease is not None:
            return expected("lease: free", f"held by {self.lease.holder}", "one holder at a time")
        if not self.ramp_done:
            found = f"mode {self.mode.value}" + ("" if self.mode is not Mode.STAND else ", ramp under way")
            return expected("lease: mode stand, its ramp done", found, self._machine.valid_now())
        faults = self._present_faults(now_ns)
        if faults or self._state is None:
            return expected("lease: a healthy state", "; ".join(f"{n}: {d}" for n, d in faults), "a healthy state")
        wrong = bad_terms(lease, self.limits, tuple(self._profiles))
        return wrong or away_from_start(self._state.joint_pos, self.limits)

    def _present_faults(self, now_ns: int) -> tuple[Fault, ...]:
        if self._faults or self._state is None:
            return self._faults
        age_ns = now_ns - self._state.stamp_ns
        if age_ns > self.limits.state_age_ns:
            return (("state_age", f"{age_ns / 1e9:.3f} s since the newest state"),)
        return ()

    def _count(self, reason: str, message: str) -> None:
        self.refusals[reason] += 1
        self.last_refusal = message

    def _refused(self, reason: str, message: str) -> Reply:
        self._count(reason, message)
        return Reply(False, message)


def _same(one: GainProfile, other: GainProfile) -> bool:
    return np.array_equal(one.stiffness, other.stiffness) and np.array_equal(one.damping, other.damping)
