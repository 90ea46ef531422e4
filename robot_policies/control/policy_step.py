"""The policy half: one set of inputs in, one record out. The same object in the node and offline."""

from __future__ import annotations

import time
from typing import cast

import numpy as np

from robot_policies import resources
from robot_policies.bundle.load import Bundle
from robot_policies.bundle.robot_check import reads_lin_vel
from robot_policies.control.input_check import InputCheck
from robot_policies.exceptions import InputError, expected
from robot_policies.policies.policy import Policy, PolicyClass
from robot_policies.robot_spec import RobotSpec
from robot_policies.types import Array, GainProfile, PolicyInputs, PolicyRecord, RobotState


class PolicyStep:
    """Checks the inputs, runs the policy's stages and records every value. No clock, no thread, no I/O.

    Raises:
        BundleError: the bundle is not for this robot, or its kind cannot run it.
        ResourceError: nothing offers the bundle's kind.
    """

    def __init__(self, bundle: Bundle, spec: RobotSpec, policy: Policy | None = None) -> None:
        """Make the policy of the bundle's kind, unless ``policy`` is given (a wrapper, a test)."""
        self.bundle, self.spec = bundle, spec
        if policy is None:
            policy = cast(PolicyClass, resources.plugin("policies", bundle.contract.kind))(bundle, spec)
        self._policy: Policy = policy
        self._check = InputCheck(spec, bundle.contract.limits)
        self._start = bundle.contract.limits.start
        self._needs_lin_vel = reads_lin_vel(bundle.contract)
        self._index = spec.joint_index(bundle.contract.joints.names)
        self._tick = 0
        self._broken = False
        self.reset()

    @property
    def gains(self) -> GainProfile:
        """The gains that every command names, in robot order."""
        return self._policy.gains

    @property
    def control_dt_ns(self) -> int:
        """Period of the policy [ns]."""
        return round(self.bundle.contract.timing.control_dt * 1e9)

    def reset(self) -> None:
        """Return to the moment before the first tick: at every activation, and after an error."""
        self._policy.reset()
        self._check.reset()
        self._tick = 0
        self._broken = False

    def follow(self, joint_pos: Array) -> None:
        """Go on as though the last step's target had been ``joint_pos``, (n,) [rad] in robot order."""
        self._policy.follow(joint_pos)

    def check_start(self, state: RobotState) -> None:
        """Accept ``state`` as one to activate from.

        Raises:
            InputError: a joint is farther from the bundle's start pose than it allows (names the farthest), or the
                state lacks the linear velocity that the bundle reads.
        """
        if self._needs_lin_vel and state.base_lin_vel is None:
            found = "no estimate in the robot's state"
            raise InputError(
                expected("start: base_lin_vel, which this policy reads", found, "a robot with an estimator")
            )
        away = np.abs(state.joint_pos[self._index] - np.array(self._start.joint_pos))
        if not np.all(away <= self._start.tolerance):  # so written that NaN is refused
            worst = int(np.argmax(away))
            name, pose = self.bundle.contract.joints.names[worst], self._start.joint_pos[worst]
            found = f"{state.joint_pos[self._index[worst]]:.3f} rad"
            valid = f"{pose:g} rad, at most {self._start.tolerance:g} rad away"
            raise InputError(expected(f"start pose: {name}", found, valid))

    def __call__(self, inputs: PolicyInputs, now_ns: int | None = None) -> PolicyRecord:
        """Take one step. Inputs that are refused by a check change nothing; any later error asks for ``reset``.

        Args:
            inputs: the state of this tick, and the newest command and images whose stamps are not after it.
            now_ns: the robot's clock, for the age of the state; None where time stands still meanwhile.

        Returns:
            Every value of the step; none of them changes afterwards.

        Raises:
            InputError: an input is malformed, stale or missing, or a network's output is not finite.
        """
        if self._broken:
            raise InputError(expected("a policy step", "a policy that failed at its last step", "reset it first"))
        self._check(inputs, now_ns)
        self._broken = True  # until the stages have all run
        policy, tick = self._policy, self._tick
        begun = time.perf_counter_ns()
        observation = policy.observe(inputs, tick)
        observed = time.perf_counter_ns()
        raw = policy.infer(observation, tick)
        inferred = time.perf_counter_ns()
        action, command = policy.decode(raw, inputs.state.stamp_ns)
        durations = (observed - begun, inferred - observed, time.perf_counter_ns() - inferred)
        self._broken = False
        self._tick = tick + 1
        return PolicyRecord(tick, inputs, observation, action, command, durations)
