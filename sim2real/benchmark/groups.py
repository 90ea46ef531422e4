"""The benchmarks, in groups that share their processes. Each fills a report; what it cannot measure it raises."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import yaml

from robot_policies import resources
from robot_policies.exceptions import RobotError
from robot_policies.robot_spec import load_robot_spec
from sim2real.benchmark import sight
from sim2real.benchmark.children import running
from sim2real.benchmark.figures import Report
from sim2real.benchmark.phases import Phases, told
from sim2real.benchmark.settings import Settings
from sim2real.benchmark.stack import FORWARD, Stack, cpu_of, within
from sim2real.benchmark.walk import POLICY, ROBOT
from sim2real.benchmark.wire import wire

PERIOD_S = 0.02  # [s], 50 Hz
THROUGH_ROS = {
    **{name: name for name in ("state_to_command", "taken_to_tick", "stamp_to_tick", "tick_lateness")},
    "wake": "cycle_wake",
}  # name on the tape -> name of the figure
PARTS = ("depth_to_command", "depth_tick_wait", "depth_network_wait", "depth_total")
CHILD_LIMIT = 120.0  # [s] more than it measures, for a process on a busy machine


def tick(report: Report, settings: Settings) -> None:
    """One tick, back to back and on deadlines."""
    samples = _child("tick_child", settings, "tick", "paced", "recording", "recorded")
    for name in ("observation", "inference", "decoding", "safety", "tick"):
        report.add(name, samples[name])
    for name in ("observation", "inference", "decoding", "safety", "tick"):
        report.add(f"{name}_paced", samples[f"{name}_paced"])
    report.add("recording_paced", samples["recording_paced"], "after the command is on its way")
    for half in ("policy_half", "robot_half"):
        report.add(f"{half}_plain", samples[f"{half}_plain"])
        report.add(f"{half}_recorded", samples[f"{half}_recorded"], "handing it to the thread that writes included")


def pacing(report: Report, settings: Settings) -> None:
    """Absolute deadlines against sleeping for a period after the work, both with a real tick as the work."""
    samples = _child("tick_child", settings.halved, "paced", "sleeping")
    for ours, name in ((True, "pacing"), (False, "sleep_after_work")):
        late = samples[f"{name}_lateness"]
        report.add(f"{name}_lateness", late, "against the schedule it began with" if not ours else "")
        drift_ms = samples[f"{name}_drift"][0] / 1e6 / (len(late) * PERIOD_S)
        report.add_value(f"{name}_drift", round(drift_ms, 3), "ms per s")
    report.ratio("sleep_after_work_lateness / pacing_lateness, p50", "sleep_after_work_lateness", "pacing_lateness")


def eager(report: Report, settings: Settings) -> None:
    """The same tick in eager PyTorch, where that is installed."""
    from importlib.util import find_spec

    if find_spec("torch") is None:
        report.note("eager_tick", "not measured: PyTorch is not installed (pip install torch)")
        return
    for name, values in _child("eager_child", settings.halved).items():
        report.add(name, values)
    report.ratio("eager_tick / tick, p50", "eager_tick", "tick")
    report.ratio("eager_tick_paced / tick_paced, p50", "eager_tick_paced", "tick_paced")


def ros(report: Report, settings: Settings) -> None:
    """From a published state to its command through two processes, and how ticks begin; then with a recording."""
    phases = Phases(settings.scratch, {}, FORWARD)
    phases.run(settings.seconds, settings.short)
    phases.fill(report, THROUGH_ROS)
    _recorded(report, settings)


def _recorded(report: Report, settings: Settings) -> None:
    """The same nodes with a recording, and their recorder beside them."""
    scratch, samples, span = settings.scratch / "recorded", {}, (0, 0)
    why = ""
    scratch.mkdir()
    try:
        with Stack(scratch, recording=scratch / "run") as stack:
            stack.walk()
            begun, before = time.monotonic_ns(), cpu_of(stack.children)
            stack.operator.drive(settings.seconds, FORWARD)
            span, after = (begun, time.monotonic_ns()), cpu_of(stack.children)
            told(stack)
            robot = stack.operator.robot
            why = "" if robot.get("mode") == "active" else f"tripped: {robot.get('message')}"
        samples = stack.samples()
        for name, used in after.items():
            share = (used - before[name]) / (span[1] - span[0]) * 1e9
            report.add_value(f"cpu_{name}_recorded", round(share, 3), "CPU s per s")
    except RobotError as error:  # the figures without a recording stand
        why = f"not measured: {error}"
    for taped, name in THROUGH_ROS.items():
        report.add(f"{name}_recorded", within(samples.get(taped, []), span), why)


def depth(report: Report, settings: Settings) -> None:
    """From the end of the camera's delay to the first command from the image: camera, robot and policy node."""
    policy = "go2_parkour"
    if not sight.shipped():
        folder = settings.scratch / sight.NAME
        policy = str(sight.seeing_bundle(folder, load_robot_spec(ROBOT)).folder)
    with Stack(settings.scratch, {}, ("sim2real.bridges.depth_camera_node",), policy) as stack:
        stack.walk()
        begun = time.monotonic_ns()
        # Each image is one sample, and most are seen: as many samples as the other groups have.
        stack.operator.drive(2.0 * settings.seconds, FORWARD)
        span = (begun, time.monotonic_ns())
    samples = stack.samples()
    for name in PARTS:
        report.add(name, within(samples.get(name, []), span), Path(policy).name)


def wake(report: Report, settings: Settings) -> None:
    """How late the complete robot node wakes at 500 Hz. A mock: the simulator's step does not divide 2 ms."""
    path = settings.scratch / "500hz" / f"{ROBOT}.yaml"
    path.parent.mkdir(exist_ok=True)
    robot = yaml.safe_load(resources.find("robots", ROBOT).read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump({**robot, "state_rate": 500.0}), encoding="utf-8")
    phases = Phases(settings.scratch, {"robot": str(path), "backend": "mock"}, 0.0)
    phases.run(settings.seconds, settings.short)
    phases.fill(report, {"wake": "wake_500hz"})


def kill(report: Report, settings: Settings) -> None:
    """From the death of a policy process to the first landing command that is heard."""
    delays: list[int] = []
    with Stack(settings.scratch) as stack:
        operator = stack.operator
        for number in range(settings.kills):
            if number:
                stack.restart_policy()
            operator.stand()
            operator.activate()
            operator.listen(True)
            operator.drive(0.6 + 0.0137 * number)  # another phase of the tick each time
            killed = time.monotonic()
            policy = stack.children.pop("policy_node")
            policy.kill()
            delays.append(round(operator.first_sent("damping", killed) * 1e9))
            operator.wait(lambda: str(operator.robot.get("mode")).startswith("landing"), 5.0, "a landing")
            operator.listen(False)
    report.add("policy_killed_to_landing", delays)


def nodes(report: Report, settings: Settings) -> None:
    """Robot with simulator, policy, camera and viewer: as fast as time, and as fast as it goes."""
    others = ("sim2real.bridges.depth_camera_node", "robot_policies.nodes.viewer_node")
    with Stack(settings.scratch, {}, others) as stack:
        stack.walk()
        factor, used = _factor(stack, settings.seconds, FORWARD)
    report.add_value("all_nodes_real_time_factor", round(factor, 3), "x")
    report.add_value("all_nodes_cores", round(sum(used.values()), 3), f"of {os.cpu_count()} cores")
    for name, share in used.items():
        report.add_value(f"cpu_{name}", round(share, 3), "CPU s per s")
    _lockstep(report, settings, others)


def offline(report: Report, settings: Settings) -> None:
    """Evaluation without ROS, on one core, as a user starts it."""
    cells = settings.scratch / "cells.json"
    arguments = ["-m", "robot_policies.cli", "eval", POLICY, "--course", "flat", "--seeds", "3", "--jobs", "1"]
    with running([*arguments, "--seconds", "20", "--json", str(cells)], settings.scratch / "eval.log") as child:
        child.wait(CHILD_LIMIT)
    cell = json.loads(cells.read_text(encoding="utf-8"))[0]
    factors = [episode["metrics"]["real_time_factor"] for episode in cell["episodes"]]
    note = f"median of {len(factors)} episodes, {min(factors):.1f} to {max(factors):.1f}"
    report.add_value("offline_real_time_factor", round(statistics.median(factors), 2), "x per core", note)


Group = Callable[[Report, Settings], None]
GROUPS: Mapping[str, Group] = {
    "tick": tick,
    "eager": eager,
    "pacing": pacing,
    "ros": ros,
    "depth": depth,
    "wake": wake,
    "kill": kill,
    "wire": wire,
    "nodes": nodes,
    "offline": offline,
}


def _child(module: str, settings: Settings, *parts: str) -> dict[str, list[int]]:
    """Run one of our child processes and return its samples [ns]. Raises ``RobotError`` with its last words."""
    result = settings.scratch / f"{module}.result.json"
    arguments = ["-m", f"sim2real.benchmark.{module}", str(result), str(settings.ticks), f"{settings.seconds}", *parts]
    with running(arguments, settings.scratch / f"{module}.log") as child:
        child.wait(CHILD_LIMIT + 4 * settings.seconds)
    samples: dict[str, list[int]] = json.loads(result.read_text(encoding="utf-8"))
    return samples


def _factor(stack: Stack, seconds: float, forward: float) -> tuple[float, dict[str, float]]:
    """Return simulated over real time, both from one telling of the robot node to another, and the cores in use."""
    rate = load_robot_spec(ROBOT).state_rate
    cycles, begun, before = *told(stack), cpu_of(stack.children)
    stack.operator.drive(seconds, forward)
    more, ended, after = *told(stack), cpu_of(stack.children)
    used = {name: (after[name] - before[name]) / (ended - begun) for name in after}
    return (more - cycles) / rate / (ended - begun), used


def _lockstep(report: Report, settings: Settings, others: Sequence[str]) -> None:
    with Stack(settings.scratch, {"clock": "lockstep", "speed": 0.0}, others) as stack:
        stack.walk()
        factor, _ = _factor(stack, settings.short, 0.0)
    report.add_value("all_nodes_lockstep_factor", round(factor, 2), "x", "as fast as it goes")
