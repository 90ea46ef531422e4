"""Records a golden run: a bundle on the simulated robot for a second and a half, its step records alone, compressed."""

from __future__ import annotations

import json
import platform
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from robot_policies.bundle.load import Bundle, load_bundle, read_contract
from robot_policies.control.policy_step import PolicyStep
from robot_policies.control.recording.facts import FACTS, bundle_hash
from robot_policies.control.recording.folder import PACKAGES
from robot_policies.control.recording.journal import POLICY, ROBOT, Journal, JournaledRobotStep, JournaledSwitchingStep
from robot_policies.exceptions import RecordingError
from robot_policies.resources import find
from robot_policies.robot_spec import RobotSpec, load_robot_spec
from robot_policies.safety.limits import load_safety
from robot_policies.types import DepthImage, Mode, RobotRecord, RobotState, owned
from sim2real.evaluation.height_scan import height_scans
from sim2real.evaluation.offline import Cameras, OfflineRun
from sim2real.evaluation.schedule import Event, Operator
from sim2real.evaluation.world import simulated_cameras
from sim2real.mujoco.robot import MujocoOptions, MujocoRobot
from sim2real.mujoco.terrain import find_ground

SECONDS = 1.5  # of walking
TERRAIN = "mixed:0.3"  # something to see
# From what moment on what is asked for [s; m/s, m/s, rad/s]: every axis, both signs of a turn, and the dead bands.
WAY = ((0.0, (0.6, 0.0, 0.0)), (0.5, (0.4, 0.2, 0.6)), (0.9, (-0.2, -0.15, -0.5)), (1.2, (0.05, 0.0, 0.05)))
PATIENCE_S = 10.0  # until it walks
MILLIMETRE = 1e-3  # [m]: a real camera's depth comes in whole ones, and such images are small in a file


class Manoeuvre(Operator):
    """Stands the robot up, activates the policy and asks for ``WAY``."""

    def __init__(self) -> None:
        super().__init__(WAY[0][1])
        self._since_ns: int | None = None

    def due(self, record: RobotRecord, standing: bool) -> Sequence[Event]:
        """See ``Schedule``."""
        if record.mode is Mode.ACTIVE:
            self._since_ns = record.state.stamp_ns if self._since_ns is None else self._since_ns
            walked = (record.state.stamp_ns - self._since_ns) * 1e-9
            self._command = [command for begin, command in WAY if walked >= begin][-1]
        return super().due(record, standing)


def record_golden(name: str, folder: Path) -> Path:
    """Record the bundle ``name`` into ``folder``, in place of what is there; return the folder.

    Raises:
        RobotPoliciesError: the bundle cannot be run, or did not walk; then ``folder`` is as it was.
    """
    source = find("bundles", name)
    spec = load_robot_spec(read_contract(source).robot)
    bundle = load_bundle(source, spec)
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / folder.name
        made.mkdir()
        _record(bundle, spec, made)
        _write_facts(bundle, spec, made)
        try:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(made, folder)
        except OSError as error:
            raise RecordingError(f"{folder}: the golden run cannot be written: {error.strerror}") from error
    return folder


def _record(bundle: Bundle, spec: RobotSpec, folder: Path) -> None:
    warnings: list[str] = []
    journals = [Journal(folder, topic, warnings.append, compressed=True) for topic in (POLICY, ROBOT)]
    policy = JournaledSwitchingStep(PolicyStep(bundle, spec))
    policy.begin(journals[0], spec.name, [bundle])
    robot_step = JournaledRobotStep(spec, load_safety(spec.name, spec))
    robot_step.begin(journals[1], spec.name, spec.name)
    robot = MujocoRobot(spec, MujocoOptions(clock="lockstep", terrain=TERRAIN, start="stand"))
    cameras = simulated_cameras(bundle.contract, spec, robot.ground_truth, TERRAIN, seed=0)
    scans = height_scans(bundle.contract, robot.ground_truth, find_ground(TERRAIN))
    run = OfflineRun(robot, robot_step, policy, Manoeuvre(), cameras=whole_millimetres(cameras), scans=scans)
    _walk(run, journals)
    for journal in journals:
        journal.close()
    failed = [*warnings, *(f"{asked} refused: {why}" for _, asked, why in run.refusals)]
    if failed or not run.active:
        raise RecordingError(f"golden run of {bundle.contract.name}: {'; '.join(failed) or 'it did not go on walking'}")


def _walk(run: OfflineRun, journals: Sequence[Journal]) -> None:
    end_ns = round(PATIENCE_S * 1e9)
    active = False
    while True:
        now_ns = run.cycle().state.stamp_ns
        for journal in journals:
            journal.flush()
        if run.active and not active:
            active, end_ns = True, now_ns + round(SECONDS * 1e9)
        if now_ns >= end_ns or run.refusals:
            return


def whole_millimetres(cameras: Cameras | None) -> Cameras | None:
    """Return ``cameras`` whose images are rounded to whole millimetres."""
    if cameras is None:
        return None

    def images(state: RobotState) -> Mapping[str, DepthImage]:
        return {name: _rounded(image) for name, image in cameras(state).items()}

    return images


def _rounded(image: DepthImage) -> DepthImage:
    depth = owned(np.round(image.depth / MILLIMETRE) * MILLIMETRE, np.float32)
    return DepthImage(image.stamp_ns, depth, image.pinhole)


def _write_facts(bundle: Bundle, spec: RobotSpec, folder: Path) -> None:
    """Say what it was recorded with. Nothing of it is used: a golden run is replayed with what is installed."""
    facts = {
        "robot": spec.name,
        "bundles": {bundle.folder.name: bundle_hash(bundle.folder)},
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "machine": platform.machine(),
    }
    (folder / FACTS).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
