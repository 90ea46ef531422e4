"""``robot-policies firmware go2|go1``: a process that is a robot on its wire."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from robot_policies.control.pacing import prepare
from robot_policies.exceptions import RobotError, expected
from sim2real.firmware.motors import TIMEOUT
from sim2real.firmware.peer import Peer, PeerOptions
from sim2real.firmware.robots import ROBOTS, robot_link, robot_spec
from sim2real.firmware.services import MODES

HELP = "be a robot on its own wire: physics behind the robot's protocol, with faults on request"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add = parser.add_argument
    add("robot", choices=ROBOTS, help="which robot to be")
    add("--interface", default="lo", help="network interface (default: %(default)s, which nothing leaves)")
    add("--domain", type=int, default=0, help="go2: DDS domain (default: %(default)s, the robot's)")
    add("--port", type=int, default=8007, help="go1: UDP port (default: %(default)s, the robot's)")
    add("--terrain", help="what the robot lies on (default: flat)")
    add("--seed", type=int, default=0, help="of the sensors' noise")
    add("--noise", type=float, default=1.0, help="factor on the sensors' noise")
    add("--mode", default=None, choices=("released", *MODES), help="built-in controller at power-on (default: go2 mcf)")
    add("--timeout", type=float, default=TIMEOUT, help="[s] without a command until the motors brake")
    add("--heat", type=float, default=1.0, help="factor on how fast the motors heat")
    add("--control", type=int, default=0, help="UDP port on 127.0.0.1 for faults (default: a free one)")
    add("--log", type=Path, help="write the judge's JSON lines to this file")
    add("--seconds", type=float, help="end after this time (default: at Ctrl-C)")
    add("--view", action="store_true", help="open MuJoCo's viewer")
    add("--json", type=Path, help="write the final status to this file")


def main(args: argparse.Namespace) -> int:
    """Be the robot until the time is over or Ctrl-C; 0."""
    if not args.timeout > 0.0 or (args.seconds is not None and not args.seconds > 0.0):
        raise RobotError(expected("--timeout, --seconds", [args.timeout, args.seconds], "more than 0"))
    if args.view and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise RobotError(expected("--view", "no display", "a desktop, or the page of robot-policies demo --wire"))
    for path in filter(None, (args.log, args.json)):
        if not path.absolute().parent.is_dir() or path.is_dir():
            raise RobotError(expected("a file to write", path, "a file in a folder that exists"))
    link = robot_link(args.robot, args.interface, args.domain, args.port)
    peer = Peer(robot_spec(args.robot), _options(args))
    stop = _stop_on_signals()
    where = {"robot": args.robot, "interface": args.interface, "control": peer.control.port}
    print(json.dumps(where | ({"domain": args.domain} if args.robot == "go2" else {"port": args.port})), flush=True)
    prepare(_warn)
    show = _viewer(peer) if args.view else None
    while not stop and (args.seconds is None or peer.board.time < args.seconds):
        peer.tick(link)
        if show is not None and peer.board.ticks % 16 == 0:
            show.sync()
    return _end(peer, args.json)


def _stop_on_signals() -> list[int]:
    """Return a list that gets the signals that ask for an end."""
    stop: list[int] = []

    def handle(signum: int, frame: FrameType | None) -> None:
        stop.append(signum)

    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, handle)
    return stop


def _end(peer: Peer, path: Path | None) -> int:
    status = peer.status()
    peer.close()
    if path is not None:
        path.write_text(json.dumps(status, indent=2) + "\n", encoding="utf-8")
    period = status["period_ms"]
    print(
        f"{status['rate_hz']:.1f} Hz, period p50/p99/max {period['p50']:.2f}/{period['p99']:.2f}/{period['max']:.2f} "
        f"ms, {status['cpu_percent']:.0f} % of a core, {status['missed']} missed, commands {status['commands']}"
    )
    return 0


def _options(args: argparse.Namespace) -> PeerOptions:
    mode = args.mode if args.mode is not None else ROBOTS[args.robot].mode
    return PeerOptions(
        terrain=args.terrain,
        seed=args.seed,
        noise=args.noise,
        mode="" if mode == "released" else mode,
        timeout=args.timeout,
        heat=args.heat,
        control=args.control,
        impossible=ROBOTS[args.robot].impossible,
        log=args.log,
        look=args.view,
    )


def _viewer(peer: Peer):  # type: ignore[no-untyped-def]  # noqa: ANN202
    from mujoco import viewer

    return viewer.launch_passive(peer.board.body.model, peer.board.body.data)


def _warn(text: str) -> None:
    sys.stderr.write(f"firmware: {text}\n")
