"""The same course through the ROS nodes, in real time, judged by the same code from the simulator's ground truth.

Each run is a process of its own that starts the bring-up ``sim`` and operates it as ``robot-policies run`` does.
"""

from __future__ import annotations

import ctypes
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any

import numpy as np

from robot_policies.bundle.load import load_bundle
from robot_policies.bundle.robot_check import reads_height_scan
from robot_policies.exceptions import InputError, RobotError, expected
from robot_policies.robot_spec import load_robot_spec
from sim2real.evaluation.course import Crossing
from sim2real.evaluation.episode import Episode, Job
from sim2real.evaluation.steering import steering
from sim2real.evaluation.verdict import SECOND, Verdict
from sim2real.mujoco.robot import GroundTruth

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def check_nodes(job: Job) -> None:
    """Refuse what the nodes cannot run, or what ground truth without contacts cannot judge. Raises ``InputError``."""
    course = job.course
    if not isinstance(course.success, Crossing) or course.fall.trunk or course.fall.thighs:
        valid = "a lane whose falls are told by the tilt alone, such as step or mixed"
        raise InputError(expected("--nodes: a course that odometry can judge", course.name, valid))
    contract = load_bundle(job.bundle, load_robot_spec(job.robot)).contract
    if reads_height_scan(contract):
        found = f"{contract.name}, which reads height_scan: no topic has true heights"
        raise InputError(expected("--nodes: a policy for the nodes", found, "robot-policies eval without --nodes"))


def run_through_nodes(jobs: Sequence[Job]) -> Iterator[Episode]:
    """Give the episodes, one after the other: real time needs the machine. Raises ``RobotError``: a process died."""
    for job in jobs:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_die_with_parent) as pool:
            try:
                yield pool.submit(run_on_nodes, job).result()
            except BrokenProcessPool as error:
                found = f"that of seed {job.seed} died"
                raise RobotError(expected("nodes: every run to its end", found, "fewer other programs")) from error


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Judge:
    """Takes odometry; judges from activation on.

    Attributes:
        truth: the newest.
        stamp_ns: of it.
        active_ns: stamp of the activation, None before.
    """

    def __init__(self, verdict: Verdict) -> None:
        """Wait for ``begin``."""
        self.verdict = verdict
        self.truth = _truth((0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0), 0)
        self.stamp_ns = 0
        self.active_ns: int | None = None

    def begin(self, stamp_ns: int) -> None:
        """Judge from here on."""
        self.active_ns = stamp_ns

    def __call__(self, message: Any) -> None:
        """Take one message of ``ground_truth/odom``, a nav_msgs/Odometry."""
        stamp, pose = message.header.stamp, message.pose.pose
        self.stamp_ns = stamp.sec * SECOND + stamp.nanosec
        place, turn = pose.position, pose.orientation
        self.truth = _truth((place.x, place.y, place.z), (turn.w, turn.x, turn.y, turn.z), self.stamp_ns)
        if self.active_ns is not None and self.stamp_ns >= self.active_ns and not self.verdict.over:
            self.verdict.add(self.truth, self.stamp_ns, self.stamp_ns - self.active_ns)

    @property
    def active_s(self) -> float:
        """Time since activation [s]; 0 before."""
        return 0.0 if self.active_ns is None else (self.stamp_ns - self.active_ns) / SECOND


def _truth(position: tuple[float, ...], quat_wxyz: tuple[float, ...], stamp_ns: int) -> GroundTruth:
    nothing = np.zeros(3)
    return GroundTruth(stamp_ns, np.array(position), np.array(quat_wxyz), nothing, nothing, nothing, nothing, ())


def run_on_nodes(job: Job) -> Episode:
    """Run one job on the real nodes. In a process of its own: it starts ROS.

    Raises:
        RobotPoliciesError: the robot or the bundle cannot be used.
    """
    from robot_policies.nodes.bringup import load_bringup
    from robot_policies.nodes.processes import Processes, set_discovery_defaults

    spec = load_robot_spec(job.robot)
    place = job.course.place(job.difficulty, job.seed)
    given = {"robot": job.robot, "policy": job.bundle, "terrain": place.name, "seed": job.seed, "headless": True}
    given["companion"] = job.companion
    given["camera"] = bool(load_bundle(job.bundle, spec).contract.depth)
    processes = Processes(load_bringup("sim").resolve(given))
    set_discovery_defaults()
    from robot_policies.nodes.session import Session  # rclpy reads the environment as it is imported

    session = Session(processes, "", False)
    judge = Judge(Verdict(job.course, place.lane, spec.thigh_bodies))
    session.operator.on_truth = judge
    try:
        session.start(job.command)
        judge.begin(session.operator.stamp_ns)
        session.operator.run(lambda: _served(session, judge, job))
    except RobotError as error:
        session.error = str(error)
    finally:
        ended_ns = judge.stamp_ns
        report = session.end()
    return _episode(job, judge, report, ended_ns)


def _served(session: Any, judge: Judge, job: Job) -> bool:
    """Steer as the course's operator does; return whether the run is over."""
    steer = steering(job.course.steer, lambda: judge.truth)
    x, y, turn = job.command
    session.operator.command(x, y, turn + (steer() if steer is not None else 0.0))
    ended = judge.active_s > 1.0 and session.operator.robot.get("mode") != "active"  # told twice a second
    return judge.verdict.over or judge.active_s >= job.seconds or ended


def _episode(job: Job, judge: Judge, report: dict[str, Any], ended_ns: int) -> Episode:
    trips = [trip for trip in report["trips"] if trip["stamp_ns"] <= ended_ns]
    fell_ns = judge.verdict.fell_ns
    began_ns = judge.active_ns or 0
    failures = [] if fell_ns is None else [f"fell {(fell_ns - began_ns) / SECOND:.2f} s after activation"]
    failures += [f"{trip['name']} trip: {trip['detail']}" for trip in trips]
    failures += ["never active"] if judge.active_ns is None else judge.verdict.failures()
    failures += [report["error"]] if report["error"] and failures else []
    return Episode(
        seed=job.seed,
        success=not failures,
        failures=tuple(failures),
        fell=fell_ns is not None,
        metrics=_metrics(judge, report),
        modes=tuple((mode["stamp_ns"] / SECOND, mode["mode"]) for mode in report["modes"]),
        trips=tuple((trip["stamp_ns"] / SECOND, trip["name"], trip["detail"]) for trip in trips),
        refusals=(),
    )


def _metrics(judge: Judge, report: dict[str, Any]) -> dict[str, float]:
    latency = report["latency_ms"] or {}
    walk = judge.verdict.walk
    return {
        "active_s": judge.active_s,
        "distance_m": report["distance_m"] or 0.0,
        "speed_mps": report["speed_mps"] or 0.0,
        **({} if walk is None else walk.numbers()),
        "tilt_max_rad": judge.verdict.tilt,
        "latency_p99_ms": float(latency.get("p99", 0.0)),
        "missed_ticks": float(report["missed_ticks"]),
        "torque_peak_nm": 0.0,
        "real_time_factor": 1.0,
    }
