"""How much faster than real time the offline path is, per core, and what it spends its time on.

Budget on two quiet cores: 20 times real time for a blind policy. ``python test/timing/test_offline_speed.py`` prints
the figures; the test allows for machines that are slower, and for others that work beside it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pytest
from helpers.bundles import contract_of, make_bundle
from helpers.offline import SPEC

from robot_policies.control.timing import Percentiles
from sim2real.evaluation.course import load_course
from sim2real.evaluation.episode import Job, build, run_episode

SECONDS = 10.0
STAGES = (
    ("robot.read", "_robot", "read"),
    ("robot_step.cycle", "_robot_step", "cycle"),
    ("robot.write", "_robot", "write"),
    ("policy_step", "_policy_step", "__call__"),
)
COURSES = ("flat", "rough", "steps", "mixed")  # at their own difficulty


def job(folder: Path, name: str = "flat") -> Job:
    """Return an episode on a course of an MLP of the usual size that hardly moves the robot and so runs on."""
    contract = contract_of(SPEC)
    action = {**contract["action"], "scale": 0.001}
    joints = {**contract["joints"], "stiffness": [60.0] * 12, "damping": [5.0] * 12}
    bundle = make_bundle(folder / "timed", SPEC, hidden=(256, 128, 64), action=action, joints=joints)
    return on_course(str(bundle.folder), name)


def on_course(bundle: str, name: str) -> Job:
    """Return an episode at zero command on a course."""
    course = load_course(name)
    return Job(bundle, "go2", course, course.difficulty.default, 0, SECONDS, (0.0, 0.0, 0.0))


class Timed:
    """Stands before a part of the run and times one of its methods."""

    def __init__(self, part: Any, method: str, percentiles: Percentiles) -> None:
        self._part, self._method, self._percentiles = part, method, percentiles

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._part, name)
        return self._measured(value) if name == self._method else value

    def __call__(self, *arguments: Any) -> Any:
        return self._measured(self._part)(*arguments)

    def _measured(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            begun = time.perf_counter_ns()
            result = function(*arguments)
            self._percentiles.add(time.perf_counter_ns() - begun)
            return result

        return timed


def stages(what: Job) -> dict[str, Percentiles]:
    """Return the durations of the stages of one episode."""
    rig, found = build(what), {}
    for name, attribute, method in STAGES:
        found[name] = Percentiles()
        setattr(rig.run, attribute, Timed(getattr(rig.run, attribute), method, found[name]))
    found["metrics"] = Percentiles()
    rig.run._on_robot = (Timed(rig.metrics, "", found["metrics"]),)
    rig.run.run(round(SECONDS * 1e9))
    return found


@pytest.mark.parametrize("name", COURSES)
def test_the_offline_path_is_many_times_faster_than_real_time(tmp_path: Path, name: str) -> None:
    result = run_episode(job(tmp_path, name))
    assert result.metrics["active_s"] >= SECONDS - 0.01
    sys.stdout.write(f"\noffline, {name}: {result.metrics['real_time_factor']:.1f} times real time on one core\n")
    assert result.metrics["real_time_factor"] > 5.0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        folder = str(job(Path(scratch)).bundle)
        for name in COURSES:
            work = on_course(folder, name)
            factors = sorted(run_episode(work).metrics["real_time_factor"] for _ in range(5))
            sys.stdout.write(f"{name}: times real time on one core: {', '.join(f'{f:.1f}' for f in factors)}\n")
            for stage, durations in stages(work).items():
                sys.stdout.write(f"  {stage:17} {dict(durations.summary_ms())} ms\n")
