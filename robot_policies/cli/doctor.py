"""``robot-policies doctor``: what this machine, its network, the robot and the camera lack, and what to do about it.

One line each: OK, WARN or FAIL, what was found, what to do. The exit code is the worst: 0, 1 or 2. Nothing is sent to a
motor, and no check can hang it.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from functools import partial
from pathlib import Path

from robot_policies.doctor import camera, machine, network, ros, software, wire
from robot_policies.doctor.finding import LEVELS, Check, Finding, run, worst
from robot_policies.exceptions import ResourceError, expected
from robot_policies.robot_spec import RobotSpec, load_robot_spec

HELP = "look at this machine, its network, the robot and the camera, and say what to do"

_SLACK = 5.0  # [s] more than a process that a check starts may take


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare ``[--robot NAME] [--interface NAME] [--domain N] [--recordings FOLDER] [--only CHECK] [--json FILE]``."""
    parser.add_argument("--robot", metavar="NAME", help="robot that is to run here: its files, its wire, its camera")
    parser.add_argument("--interface", metavar="NAME", help="network interface that the robot is on")
    parser.add_argument("--domain", type=int, default=0, help="DDS domain of the robot (default: %(default)s)")
    parser.add_argument("--recordings", metavar="FOLDER", type=Path, default=Path(), help="where recordings will go")
    parser.add_argument("--only", metavar="CHECK", action="append", help="only this check; may be given again")
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write the findings to this file")


def main(args: argparse.Namespace) -> int:
    """Look, print a line per finding, and return the worst: 0 OK, 1 WARN, 2 FAIL."""
    spec = load_robot_spec(args.robot) if args.robot else None
    if not args.recordings.is_dir():
        raise ResourceError(expected("--recordings", args.recordings, "a folder that exists"))
    if args.json is not None and not args.json.absolute().parent.is_dir():
        raise ResourceError(expected("--json", args.json, "a file in a folder that exists"))
    checks, last = _chosen(args.only, _checks(args, spec), Check("wake-up", machine.wakes, 5.0))
    findings = [*run(checks), *run(last)]  # the last one undisturbed
    for finding in findings:
        print(finding)
    code = worst(findings)
    counts = ", ".join(f"{sum(f.level == level for f in findings)} {level}" for level in LEVELS)
    print(f"{counts}: {('all is well', 'it will run; read the warnings', 'something is missing')[code]}")
    if args.json is not None:
        args.json.write_text(_json(findings, code), encoding="utf-8")
    return code


def _chosen(only: list[str] | None, checks: list[Check], last: Check) -> tuple[list[Check], list[Check]]:
    """Return the checks that were asked for, and whether the last one is among them. Raises ``ResourceError``."""
    names = [check.name for check in (*checks, last)]
    unknown = [name for name in only or () if name not in names]
    if unknown:
        raise ResourceError(expected("--only: a check", ", ".join(unknown), names))
    wanted = only or names
    return [check for check in checks if check.name in wanted], [last] if last.name in wanted else []


def _checks(args: argparse.Namespace, spec: RobotSpec | None) -> list[Check]:
    checks = [
        Check("versions", software.versions),
        Check("bundles", partial(software.bundles, args.robot), 30.0),
        Check("ROS", ros.installation),
        Check("domain", ros.domain),
        Check("discovery", ros.discovery),
        Check("rival writers", ros.rivals, ros.LIMIT + _SLACK),
        Check("clock", machine.synchronised),
        Check("clock steps", machine.steady),
        Check("real-time rights", machine.real_time),
        Check("processor", machine.processor),
        Check("shared memory", machine.shared_memory),
        Check("socket buffers", machine.buffers),
        Check("disk", partial(machine.disk, str(args.recordings.absolute()))),
        Check("camera", partial(camera.camera, spec is not None and bool(spec.sensors.depth)), camera.LIMIT + _SLACK),
    ]
    if spec is not None:
        checks.insert(1, Check("robot files", partial(software.robot_files, spec.name)))
    return [*checks, *_network(args, spec)]


def _network(args: argparse.Namespace, spec: RobotSpec | None) -> list[Check]:
    if args.interface is None:
        return [Check("interface", network.unnamed)]
    checks = [
        Check("interface", partial(network.interface, args.interface)),
        Check("multicast", partial(network.multicast, args.interface)),
    ]
    if spec is not None and "unitree" in spec.hardware:
        look = partial(wire.robot, args.interface, args.domain, spec.name)
        checks.append(Check("robot", look, wire.LIMIT + _SLACK))
    return checks


def _json(findings: list[Finding], code: int) -> str:
    return json.dumps({"worst": LEVELS[code], "findings": [asdict(finding) for finding in findings]}, indent=2) + "\n"
