"""``robot-policies run``: starts a bring-up, makes the robot stand, activates the policy, and reports."""

from __future__ import annotations

import argparse
import inspect
import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from robot_policies import resources
from robot_policies.bundle.load import load_bundle
from robot_policies.control.recording.facts import unrecorded
from robot_policies.control.recording.folder import keep_outcome
from robot_policies.control.switching import check_pair
from robot_policies.control.waypoints import load_waypoints
from robot_policies.exceptions import RecordingError, ResourceError, RobotError, expected
from robot_policies.nodes.bringup import Bringup, Process, load_bringup
from robot_policies.nodes.clock import check_clock
from robot_policies.nodes.processes import Processes, set_discovery_defaults
from robot_policies.nodes.recording_place import FOLDER, RECORD, recording_folder
from robot_policies.robot_spec import load_robot_spec
from robot_policies.safety.limits import load_safety

HELP = "run a policy on a robot, simulated or real, through ROS 2 nodes"
BRINGUP = "sim"
LEVELS = ("p50", "p95", "p99", "max")
LEVELS_TEXT = "/".join(LEVELS)
LATE = frozenset({"state_age", "state_gap", "command_age"})  # trips of what came too late
TOO_BUSY = (
    "something came too late; where no process failed, this computer was too busy: end other programs, see `real-time "
    "rights` in robot-policies doctor, or in simulation take --lockstep, where time waits"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``run``."""
    parser.add_argument("--bringup", help=f"a file of config/bringup (default: the backend's own, or {BRINGUP})")
    parser.add_argument("--backend", help="what the robot is behind: mujoco, mock, unitree ...")
    parser.add_argument("--robot", help="a file of config/robots")
    parser.add_argument("--policy", help="a bundle: name or folder")
    parser.add_argument("--companion", help="a blind bundle to switch to while the robot moves: name or folder")
    parser.add_argument("--namespace", default="", help="of all nodes, for many robots side by side")
    parser.add_argument("--terrain", help="what the robot stands on (default: flat)")
    parser.add_argument("--camera", action="store_true", help="with the depth camera, simulated or real")
    parser.add_argument("--headless", action="store_true", help="no viewer")
    browser = argparse.BooleanOptionalAction
    parser.add_argument("--browser", action=browser, default=False, help="open the viewer's page in a browser")
    parser.add_argument("--lockstep", action="store_true", help="the simulator waits for the policy; time is simulated")
    parser.add_argument("--seconds", type=float, help="end this long after activation (default: until Ctrl-C)")
    parser.add_argument("--velocity", help="VX,VY,WZ [m/s, m/s, rad/s] to command (default: none, use a teleop)")
    parser.add_argument("--waypoints", type=Path, metavar="FILE", help="points to go to, instead of a velocity")
    parser.add_argument("--record", type=Path, metavar="DIR", help="record into a new folder below DIR")
    parser.add_argument("--no-record", action="store_true", help="no recording (docs/recording.md)")
    parser.add_argument("--json", type=Path, help="write the report to this file")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="as NAME:=VALUE")
    parser.add_argument("arguments", nargs="*", metavar="NAME:=VALUE", help="other arguments of the bring-up")


def main(args: argparse.Namespace) -> int:
    """Run until the time is over or Ctrl-C; 0 if the robot did what it should, 1 if not, 2 for a wrong argument."""
    bringup = load_bringup(args.bringup or bringup_of(args.backend))
    given, velocity = given_arguments(args, bringup), _velocity(args.velocity)
    values = {**bringup.arguments, **given}
    _check_names(values, bringup.resolve(given))
    if args.json is not None:
        _check_writable(args.json)
    folder = recording_folder(bringup, given, lambda why: print(f"robot-policies run: {why}", file=sys.stderr))
    processes = Processes(bringup.resolve(given, folder))
    set_discovery_defaults()
    # rclpy reads the environment as it is imported.
    from robot_policies.nodes.session import Session

    session = Session(processes, str(given.get("namespace", "")), bool(values.get("clock") == "lockstep"))
    started = time.monotonic()
    try:
        session.start(velocity, led=bool(values.get("waypoints")))
        session.drive(args.seconds)
    except RobotError as error:
        session.error = str(error)
    finally:
        report = session.end()
    report = {
        "robot": values["robot"],
        "policy": values["policy"],
        **report,
        "recording": folder,
        "command_mps": velocity[0] if velocity else 0.0,
    }
    report["wall_seconds"] = round(time.monotonic() - started, 3)
    _tell(report, args.json)
    if report["recording"]:
        _keep_outcome(Path(report["recording"]), report)
    return 0 if report["ok"] else 1


def _keep_outcome(folder: Path, report: dict[str, Any]) -> None:
    """Write into the recording what is missing in it. Where the disk is full, it is said here alone."""
    try:
        keep_outcome(folder, report)
    except RecordingError as error:
        print(f"robot-policies run: {error}", file=sys.stderr)


def bringup_of(backend: str | None) -> str:
    """Return the bring-up that a backend runs in: the one of its name, or that of simulators."""
    return backend if backend in dict(resources.listing("bringup")) else BRINGUP


def given_arguments(args: argparse.Namespace, bringup: Bringup) -> dict[str, Any]:
    """Return the arguments of ``bringup`` that the command line gives. Raises ``ResourceError``."""
    given: dict[str, Any] = {"browser": args.browser} if "browser" in bringup.arguments else {}
    for text, sign in [*((text, ":=") for text in args.arguments), *((text, "=") for text in args.set)]:
        name, separator, value = text.partition(sign)
        if not separator:
            raise ResourceError(expected("an argument of the bring-up", text, f"NAME{sign}VALUE"))
        given[name] = value
    for name in ("robot", "policy", "companion", "backend", "terrain"):
        if getattr(args, name) is not None:
            given[name] = getattr(args, name)
    if args.waypoints is not None:
        if args.velocity is not None:
            raise ResourceError(expected("--waypoints", "--velocity too", "one of the two"))
        load_waypoints(args.waypoints)
        given["waypoints"] = str(args.waypoints)
    if args.record is not None:
        if args.no_record:
            raise ResourceError(expected("--record", "--no-record too", "one of the two"))
        given[FOLDER] = str(args.record)
    elif args.no_record and RECORD in bringup.arguments:
        given[RECORD] = False
    if args.namespace:
        given["namespace"] = args.namespace
    for name in ("headless", "camera"):
        if getattr(args, name):
            given[name] = True
    if args.lockstep:
        given["clock"] = "lockstep"
    if args.seconds is not None and not args.seconds > 0.0:
        raise ResourceError(expected("--seconds", args.seconds, "more than 0"))
    return given


def _velocity(text: str | None) -> tuple[float, float, float] | None:
    if text is None:
        return None
    try:
        x, y, yaw = (float(part) for part in text.split(","))
    except ValueError as error:
        raise ResourceError(expected("--velocity", text, "VX,VY,WZ such as 0.8,0,0")) from error
    if not all(math.isfinite(value) for value in (x, y, yaw)):
        raise ResourceError(expected("--velocity", text, "VX,VY,WZ, finite, such as 0.8,0,0"))
    return x, y, yaw


def _check_names(values: dict[str, Any], processes: Sequence[Process]) -> None:
    """Refuse a robot, bundle, safety file or option of the robot that is wrong before any process starts."""
    for name in ("robot", "policy"):
        if name not in values:
            raise ResourceError(expected(f"an argument {name} of the bring-up", "none", sorted(values)))
    spec = load_robot_spec(str(values["robot"]))
    bundle = load_bundle(str(values["policy"]), spec)
    if values.get("companion"):
        check_pair(bundle, load_bundle(str(values["companion"]), spec))
    load_safety(str(values.get("safety") or spec.name), spec)
    for process in processes:
        if "clock" in process.parameters:
            check_clock(str(process.parameters["clock"]), float(process.parameters.get("speed", 1.0)))
        if "backend" in process.parameters:
            create = resources.plugin("robots", str(process.parameters["backend"]))
            # A robot's module may offer ``check_options`` beside ``create``: it looks, and opens nothing.
            check = getattr(inspect.getmodule(create), "check_options", None)
            options = {k.removeprefix("options."): v for k, v in process.parameters.items() if k.startswith("options.")}
            if check is not None:
                check(spec, options)


def _check_writable(path: Path) -> None:
    if not path.parent.is_dir() or path.is_dir():
        raise ResourceError(expected("--json: a file to write", path, "a file in a folder that exists"))


def _depth(report: dict[str, Any]) -> str:
    """Return the line on depth to command: own cost, the waits apart, and what was measured of the delay."""
    own, wait, network, total = (
        _levels(report[f"depth_{part}_ms"]) for part in ("to_command", "tick_wait", "network_wait", "total")
    )
    text = f"depth to command {LEVELS_TEXT} {own} ms, with the wait for the tick {total} ms (wait {wait} ms"
    text += f", for a slower network {network} ms more), {report['depth_images']} images"
    if report["depth_images_of_unknown_delay"]:
        text += ", from their receipt: the camera does not say when its delay was over"
    delays = [
        f"{name} {each['p5']:.0f} to {each['p95']:.0f} ms from capture to use, trained for "
        + " to ".join(f"{value:.0f}" for value in each["trained"])
        for name, each in report.get("depth_delay_ms", {}).items()
        if each["n"]
    ]
    return "; ".join((text, *delays))


def _levels(numbers: dict[str, float]) -> str:
    return "/".join(f"{numbers[level]:.2f}" for level in LEVELS)


def _tell(report: dict[str, Any], path: Path | None) -> None:
    if path is not None:
        path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    speed, latency = report["speed_mps"], report["latency_ms"] or {}
    parts = [f"{report['policy']} on {report['robot']}: {report['seconds']:.1f} s"]
    if speed is not None:
        parts.append(f"{report['distance_m']:.2f} m at {speed:.2f} m/s for {report['command_mps']:.2f} commanded")
    parts.append("fell" if report["fell"] else "no fall")
    if latency:
        parts.append(f"latency {LEVELS_TEXT} {_levels(latency)} ms")
    print(", ".join(parts))
    if report.get("depth_images"):
        print(_depth(report))
    if report.get("recording"):
        print(f"recorded: {report['recording']}")
        for line in unrecorded([report]):
            print(f"robot-policies run: {line}", file=sys.stderr)
    for trip in report["trips"]:
        print(f"trip {trip['name']} in {trip['mode']}: {trip['detail']}")
    if report["trips"] and report["trips"][0]["name"] in LATE:
        print(f"robot-policies run: {TOO_BUSY}", file=sys.stderr)
    if report["error"]:
        print(f"robot-policies run: {report['error']}", file=sys.stderr)
