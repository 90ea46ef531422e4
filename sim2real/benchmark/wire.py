"""Latency on a Go2's own wire: the driver alone, and through the driver and two ROS processes."""

from __future__ import annotations

import json
import secrets
import time
from contextlib import AbstractContextManager
from importlib.util import find_spec
from pathlib import Path

from sim2real.benchmark.children import Child, running
from sim2real.benchmark.figures import Report
from sim2real.benchmark.settings import Settings
from sim2real.benchmark.stack import FORWARD, Stack, within

MODULE = "sim2real.benchmark.wire_child"
LIMIT = 60.0  # [s] more than it measures
CONTROL = 20.0  # [s] for the robot node to find that nobody else controls the robot


def wire(report: Report, settings: Settings) -> None:
    """A Go2's own wire at 500 Hz: LowState sent until its LowCmd comes back, and until a policy's command is sent."""
    if find_spec("cyclonedds") is None:
        report.note("driver_500hz", "not measured: the SDK is not installed (pip install robot_policies[unitree])")
        return
    _driver(report, settings)
    _stack(report, settings)


def _driver(report: Report, settings: Settings) -> None:
    domain, result = _free_domain(), settings.scratch / "wire.json"
    line = ["-m", MODULE, "driver", str(domain)]
    with (
        _pinger(settings.scratch, domain, result, settings.seconds) as pinger,
        running(line, settings.scratch / "wire_driver.log") as driver,
    ):
        pinger.wait(LIMIT + settings.seconds)
        driver.check()
    told = json.loads(result.read_text(encoding="utf-8"))
    report.add("driver_500hz", told["round_trip"], f"{len(told['round_trip'])} of {told['sent']} states answered")


def _stack(report: Report, settings: Settings) -> None:
    domain = _free_domain()
    options = {"interface": "lo", "domain": domain, "armed": True}
    robot = {"backend": "unitree", **{f"options.{name}": value for name, value in options.items()}}
    unused = settings.scratch / "unused.json"
    with _pinger(settings.scratch, domain, unused, 0.0), Stack(settings.scratch, robot) as stack:
        operator = stack.operator
        ready = {"taking_control": ""}
        operator.wait(lambda: operator.robot.get("hardware", {}).items() >= ready.items(), CONTROL, "control")
        stack.walk()
        begun = time.monotonic_ns()
        operator.drive(settings.seconds, FORWARD)
        ended = time.monotonic_ns()
    # A policy's tick every 20 ms: what goes out first of each of its commands.
    samples = within(stack.samples().get("state_to_wire", []), (begun, ended))
    report.add("state_to_wire", samples, "50 Hz policy, robot node at 500 Hz")


def _pinger(scratch: Path, domain: int, result: Path, seconds: float) -> AbstractContextManager[Child]:
    """Return a process that pings for ``seconds``, or (for 0) follows commands until its context ends."""
    return running(["-m", MODULE, "pinger", str(domain), str(result), f"{seconds}"], scratch / "wire_pinger.log")


def _free_domain() -> int:
    return 110 + secrets.randbelow(100)  # beyond those of ROS
