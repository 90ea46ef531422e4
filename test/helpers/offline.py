"""Parts of an offline run for the tests: networks whose outcome is known, and a run that keeps all of its records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from helpers.bundles import README, contract_of, make_bundle
from helpers.networks import model_bytes
from onnx import helper

from robot_policies.bundle.load import Bundle
from robot_policies.control.policy_step import PolicyStep
from robot_policies.control.robot_step import RobotStep
from robot_policies.robot_spec import RobotSpec, load_robot_spec
from robot_policies.robots import mock
from robot_policies.robots.robot import Robot
from robot_policies.safety.limits import load_safety
from robot_policies.types import PolicyRecord, RobotRecord, VelocityCommand
from sim2real.evaluation.offline import Cameras, OfflineRun
from sim2real.evaluation.schedule import Event, Kind, Listed, Schedule

SPEC = load_robot_spec("go2")
CYCLE = 5_000_000  # [ns], of the Go2
COMMAND_X = 6  # place of the forward command in the observation of helpers.bundles


def constant_bundle(folder: Path, pose: Sequence[float] | np.ndarray, spec: RobotSpec = SPEC) -> Bundle:
    """Return a bundle that asks for ``pose`` (robot order) whatever it sees, with the gains of the stand."""
    contract = contract_of(spec)
    names = contract["joints"]["names"]
    index = spec.joint_index(names)
    count = len(names)
    size = contract["networks"][0]["inputs"][0]["shape"][1]
    nodes = [helper.make_node("Gemm", ["obs", "w", "b"], ["actions"])]
    weights = {"w": np.zeros((size, count), np.float32), "b": np.zeros(count, np.float32)}
    files = {
        "actor.onnx": model_bytes(nodes, {"obs": [1, size]}, {"actions": [1, count]}, weights),
        "README.md": README,
    }
    joints = {
        **contract["joints"],
        "stiffness": spec.stand_stiffness[index].tolist(),
        "damping": spec.stand_damping[index].tolist(),
    }
    action = {**contract["action"], "offset": np.asarray(pose)[index].tolist()}
    return make_bundle(folder, spec, files=files, joints=joints, action=action)


def nan_bundle(folder: Path, spec: RobotSpec = SPEC) -> Bundle:
    """Return a bundle that holds the stand pose, and gives NaN where the forward command is over 0.995 m/s."""
    contract = contract_of(spec)
    count = len(spec.joint_names)
    size = contract["networks"][0]["inputs"][0]["shape"][1]
    pick = np.zeros((size, 1), np.float32)
    pick[COMMAND_X] = -1.0 / 2.0  # undoes the scale of the term
    nodes = [
        helper.make_node("Gemm", ["obs", "pick", "limit"], ["room"]),
        helper.make_node("Sqrt", ["room"], ["root"]),
        helper.make_node("MatMul", ["root", "zero"], ["actions"]),
    ]
    weights = {"pick": pick, "limit": np.array([0.995], np.float32), "zero": np.zeros((1, count), np.float32)}
    network = model_bytes(nodes, {"obs": [1, size]}, {"actions": [1, count]}, weights)
    return make_bundle(folder, spec, files={"actor.onnx": network, "README.md": README})


def event(cycle: int, kind: Kind, *velocity: float, after_ns: int = 0) -> Event:
    """Return an event ``after_ns`` after the stamp of a cycle, counted from 1."""
    stamp_ns = cycle * CYCLE + after_ns
    return Event(stamp_ns, kind, VelocityCommand(stamp_ns, *velocity) if velocity else None)


@dataclass
class Kept:
    """A run with everything that its subscribers saw."""

    run: OfflineRun
    robot: Robot
    robot_step: RobotStep
    records: list[RobotRecord] = field(default_factory=list)
    steps: list[PolicyRecord] = field(default_factory=list)

    def until(self, cycle: int) -> Kept:
        """Run to a cycle, counted from 1."""
        self.run.run(cycle * CYCLE)
        return self

    def record(self, cycle: int) -> RobotRecord:
        """Return the record of a cycle, counted from 1."""
        return self.records[cycle - 1]


def kept_run(
    bundle: Bundle,
    schedule: Schedule | Sequence[Event],
    robot: Robot | None = None,
    cameras: Cameras | None = None,
) -> Kept:
    """Return a run of ``bundle`` on ``robot``, or on a mock that starts in the stand pose."""
    robot = robot or mock.create(SPEC, {"clock": "lockstep", "start": "stand"})
    robot_step = RobotStep(SPEC, load_safety("go2", SPEC))
    kept = Kept(None, robot, robot_step)  # type: ignore[arg-type]
    kept.run = OfflineRun(
        robot,
        robot_step,
        PolicyStep(bundle, SPEC),
        Listed(schedule) if isinstance(schedule, Sequence) else schedule,
        on_robot=[kept.records.append],
        on_policy=[kept.steps.append],
        cameras=cameras,
    )
    return kept
