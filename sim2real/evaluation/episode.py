"""One episode: a bundle on a course with one seed, from lying limp to the end of its time, or to its outcome."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from robot_policies.bundle.load import Bundle, load_bundle
from robot_policies.bundle.robot_check import reads_height_scan
from robot_policies.control.policy_step import PolicyStep
from robot_policies.control.robot_step import RobotStep
from robot_policies.control.switching import SwitchingStep
from robot_policies.exceptions import InputError, RobotError, expected
from robot_policies.robot_spec import RobotSpec, load_robot_spec
from robot_policies.safety.limits import load_safety
from sim2real.evaluation.course import Course
from sim2real.evaluation.height_scan import height_scans
from sim2real.evaluation.judge import Velocity
from sim2real.evaluation.metrics import Metrics
from sim2real.evaluation.offline import OfflineRun
from sim2real.evaluation.plant import Plant, PlantName, VariedRobot, nominal, of_model, randomized
from sim2real.evaluation.push import Push
from sim2real.evaluation.schedule import Operator
from sim2real.evaluation.steering import steering
from sim2real.evaluation.verdict import SECOND
from sim2real.evaluation.world import STRAY, farthest, simulated_cameras, varied_world, within
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
    command: Velocity
    plant: PlantName = "nominal"
    pushes: tuple[Push, ...] = ()  # beside those of the plant
    companion: str = ""  # name or path of a blind bundle that takes over where this one cannot see; "" for none


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
    pushes: tuple[Push, ...]  # in the order of their times


def build(job: Job) -> Rig:
    """Put the parts of ``job`` together.

    Raises:
        RobotPoliciesError: the robot, its safety file, its model, the bundle or the course cannot be used.
    """
    spec, bundle = _parts(job.robot, job.bundle)
    plant = _plant(job, spec)
    place = job.course.place(job.difficulty, job.seed)
    options = MujocoOptions(
        clock="lockstep", seed=job.seed, state_delay=plant.state_delay, action_delay=plant.action_delay
    )
    ground = place.ground
    if place.lane is None and not bundle.contract.depth:  # far columns only cost time where nobody sees them
        ground = within(ground, farthest(job.command, job.seconds) + STRAY)
    robot = MujocoRobot(spec, options, varied_world(ground, plant, spec))
    metrics = Metrics(job.course, job.command, robot.ground_truth, spec.thigh_bodies, place.lane)
    run = OfflineRun(
        VariedRobot(robot, plant.motors),
        RobotStep(spec, load_safety(spec.name, spec)),
        SwitchingStep(PolicyStep(bundle, spec), _companion(job)),
        Operator(job.command, steer=steering(job.course.steer, robot.ground_truth)),
        on_robot=(metrics,),
        cameras=simulated_cameras(
            bundle.contract, spec, robot.ground_truth, place.name, job.seed, job.plant == "randomized"
        ),
        scans=height_scans(bundle.contract, robot.ground_truth, ground),
    )
    pushes = tuple(sorted((*job.pushes, *plant.pushes), key=lambda push: push.at_s))
    return Rig(run, metrics, robot, bundle.contract.name, pushes)


def _companion(job: Job) -> PolicyStep | None:
    if not job.companion:
        return None
    spec, bundle = _parts(job.robot, job.companion)
    if reads_height_scan(bundle.contract):
        found = f"{bundle.contract.name}, which reads height_scan"
        raise InputError(expected("--companion: a blind policy", found, "one without depth and height_scan"))
    return PolicyStep(bundle, spec)


def _plant(job: Job, spec: RobotSpec) -> Plant:
    if job.plant == "model":
        return of_model()
    if job.plant == "nominal":
        return nominal(job.course.vary, job.seed)
    return randomized(job.course.vary, job.seed, spec, job.seconds)


@lru_cache(maxsize=4)
def _parts(robot: str, bundle: str) -> tuple[RobotSpec, Bundle]:
    """Read robot and bundle once per process: each is a value, and its files do not change under a run."""
    spec = load_robot_spec(robot)
    return spec, load_bundle(bundle, spec)


def run_episode(job: Job) -> Episode:
    """Run one job. Two runs of one job give the same numbers, but for ``real_time_factor``, which is per core.

    Raises:
        RobotPoliciesError: as ``build``.
    """
    return run_rig(build(job), job)


def run_rig(rig: Rig, job: Job, keep_poses: bool = False) -> Episode:
    """Run the parts of ``job``, once; keep the configuration of every active cycle where asked to, for pictures."""
    poses = list[npt.NDArray[np.float64]]()
    run, metrics = rig.run, rig.metrics
    begun = time.process_time()
    broken = _until_over(rig, job, poses if keep_poses else None)
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


def _until_over(rig: Rig, job: Job, poses: list[npt.NDArray[np.float64]] | None) -> tuple[str, ...]:
    """Run to the end of the time, or until the outcome is clear; return what broke the simulation, if anything."""
    run, metrics, pushes = rig.run, rig.metrics, list(rig.pushes)
    end_ns = PATIENCE_NS
    try:
        while metrics.stamp_ns < end_ns and not metrics.over:
            run.cycle()
            if metrics.active_ns is not None:
                end_ns = metrics.active_ns + round(job.seconds * SECOND)
                while pushes and pushes[0].at_s <= metrics.active_s:
                    push = pushes.pop(0)
                    rig.robot.push(push.linear, push.angular)
                if poses is not None:
                    poses.append(rig.robot.ground_truth().qpos)
            elif run.refusals:
                break  # the operator asks for each thing once
    except RobotError as error:
        return (str(error),)
    return ()
