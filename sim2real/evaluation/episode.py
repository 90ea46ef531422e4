"""One episode: a bundle on a course with one seed, from lying limp to the end of its time, or to its fall."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from robot_policies.bundle.load import load_bundle
from robot_policies.control.policy_step import PolicyStep
from robot_policies.control.robot_step import RobotStep
from robot_policies.exceptions import RobotError
from robot_policies.robot_spec import load_robot_spec
from robot_policies.safety.limits import load_safety
from sim2real.evaluation.course import Course
from sim2real.evaluation.metrics import SECOND, Metrics
from sim2real.evaluation.offline import OfflineRun
from sim2real.evaluation.schedule import Operator
from sim2real.evaluation.world import simulated_cameras, varied_world
from sim2real.mujoco.robot import MujocoOptions, MujocoRobot

PATIENCE_NS = 20 * SECOND  # [ns], for settling, arming, standing up and activating


@dataclass(frozen=True, slots=True)
class Job:
    """What to run. Plain values: it travels to another process."""

    bundle: str  # name or path
    robot: str
    course: Course
    difficulty: float
    seed: int
    seconds: float  # [s] from activation on
    command: tuple[float, float, float]  # velocity in the base frame: x [m/s], y [m/s], yaw [rad/s]
    keep_poses: bool = False  # for a film strip


@dataclass(frozen=True, slots=True)
class Episode:
    """What came of a job."""

    seed: int
    success: bool
    failures: tuple[str, ...]  # why not
    fell: bool
    metrics: dict[str, float]
    modes: tuple[tuple[float, str], ...]  # [s], mode
    trips: tuple[tuple[float, str, str], ...]  # [s], name, detail
    refusals: tuple[tuple[float, str, str], ...]  # [s], what was asked, why it was refused
    poses: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))  # (cycles, nq), if kept


@dataclass(frozen=True, slots=True)
class Rig:
    """The parts of an episode, put together."""

    run: OfflineRun
    metrics: Metrics
    robot: MujocoRobot
    policy: str  # name of the bundle


def build(job: Job) -> Rig:
    """Put the parts of ``job`` together.

    Raises:
        RobotPoliciesError: the robot, its safety file, its model, the bundle or the course cannot be used.
    """
    spec = load_robot_spec(job.robot)
    bundle = load_bundle(job.bundle, spec)
    world = varied_world(job.course, spec, job.seed)
    robot = MujocoRobot(spec, MujocoOptions(clock="lockstep", seed=job.seed), world)
    metrics = Metrics(job.course.success, job.command, robot.ground_truth)
    run = OfflineRun(
        robot,
        RobotStep(spec, load_safety(spec.name, spec)),
        PolicyStep(bundle, spec),
        Operator(job.command),
        on_robot=(metrics,),
        cameras=simulated_cameras(bundle.contract, spec, robot.ground_truth, job.course.terrain, job.seed),
    )
    return Rig(run, metrics, robot, bundle.contract.name)


def run_episode(job: Job) -> Episode:
    """Run one job. Two runs of one job give the same numbers, but for ``real_time_factor``, which is per core.

    Raises:
        RobotPoliciesError: as ``build``.
    """
    rig, poses = build(job), list[npt.NDArray[np.float64]]()
    run, metrics = rig.run, rig.metrics
    begun = time.process_time()
    broken = _until_over(rig, job, poses)
    factor = metrics.stamp_ns / SECOND / (time.process_time() - begun)
    refused = tuple(f"{asked} refused: {why}" for _, asked, why in run.refusals) if metrics.active_ns is None else ()
    failures = (*broken, *refused, *metrics.failures())
    return Episode(
        seed=job.seed,
        success=not failures,
        failures=failures,
        fell=metrics.fell_s is not None,
        metrics={**metrics.numbers(), "real_time_factor": factor},
        modes=tuple(metrics.modes),
        trips=tuple(metrics.trips),
        refusals=tuple((stamp_ns / SECOND, asked, why) for stamp_ns, asked, why in run.refusals),
        poses=np.array(poses),
    )


def _until_over(rig: Rig, job: Job, poses: list[npt.NDArray[np.float64]]) -> tuple[str, ...]:
    """Run to the end of the time, or until the outcome is clear; return what broke the simulation, if anything."""
    run, metrics = rig.run, rig.metrics
    end_ns = PATIENCE_NS
    try:
        while metrics.stamp_ns < end_ns and metrics.fell_s is None and not metrics.trips:
            run.cycle()
            if metrics.active_ns is not None:
                end_ns = metrics.active_ns + round(job.seconds * SECOND)
                if job.keep_poses:
                    poses.append(rig.robot.ground_truth().qpos)
            elif run.refusals:
                break  # the operator asks for each thing once
    except RobotError as error:
        return (str(error),)
    return ()
