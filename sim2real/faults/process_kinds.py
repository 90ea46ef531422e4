"""Faults of the processes and of the machine under them."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING

from sim2real.faults.kind import LAND, TOLERATE, Inject, Kind, Setup, everywhere, walking
from sim2real.faults.verdict import SETTLED

if TYPE_CHECKING:
    from sim2real.faults.scene import Scene

POLICY, ROBOT = "policy_node", "robot_node"
FROZEN = 0.5  # [s] that the robot node is stopped, five times what a state may be apart
BRIEF = 0.03  # [s], within every age


def kill(process: str) -> Inject:
    """Kill ``process``, as a crash does."""
    return lambda scene: os.kill(scene.pid(process), signal.SIGKILL)


def stop(process: str) -> Inject:
    """Stop ``process``, as one that hangs."""
    return lambda scene: os.kill(scene.pid(process), signal.SIGSTOP)


def _pause(process: str, seconds: float) -> Inject:
    """Stop and go on; the fault counts from going on, as nothing can be done before."""

    def inject(scene: Scene) -> float:
        os.kill(scene.pid(process), signal.SIGSTOP)
        time.sleep(seconds)
        at = time.monotonic()
        os.kill(scene.pid(process), signal.SIGCONT)
        return at

    return inject


def _slow(process: str, stopped: float, running: float) -> Inject:
    """Stop and go on, again and again, until the run ends."""

    def inject(scene: Scene) -> None:
        pid, over = scene.pid(process), threading.Event()

        def work() -> None:
            while not over.is_set():
                os.kill(pid, signal.SIGSTOP)
                over.wait(stopped)
                os.kill(pid, signal.SIGCONT)
                over.wait(running)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        scene.at_end(over.set, thread.join)

    return inject


def _fill(scene: Scene) -> None:
    filler = scene.folder / "disk" / "filler"
    scene.at_end(filler.unlink)
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return


KINDS = (
    Kind(
        "policy_killed",
        walking(LAND),
        "the watchdog lives in the robot process; one that does not command is not missed",
        kill(POLICY),
        age="command_age",
        last=True,
    ),
    Kind(
        "policy_stopped",
        walking(LAND),
        "a process that hangs commands nothing",
        stop(POLICY),
        age="command_age",
        last=True,
    ),
    Kind(
        "policy_paused",
        walking(TOLERATE),
        f"{BRIEF * 1000:.0f} ms without the policy are within the age of a command",
        _pause(POLICY, BRIEF),
    ),
    Kind(
        "policy_slowed",
        walking(TOLERATE),
        "stopped 10 of each 20 ms: commands come late, and within their age",
        _slow(POLICY, 0.01, 0.01),
    ),
    Kind(
        "robot_stopped",
        everywhere(LAND),
        "after 0.5 s without a cycle nothing that is held is true any more",
        _pause(ROBOT, FROZEN),
    ),
    Kind(
        "robot_paused",
        everywhere(TOLERATE),
        f"{BRIEF * 1000:.0f} ms without a cycle are within the ages of state and command",
        _pause(ROBOT, BRIEF),
    ),
    Kind(
        "robot_slowed",
        everywhere(TOLERATE),
        "stopped 5 of each 20 ms: cycles come late, and within their age",
        _slow(ROBOT, 0.005, 0.015),
    ),
    Kind(
        "robot_killed",
        everywhere(LAND),
        "nobody commands the motors: the robot's own firmware brakes them after 0.1 s",
        kill(ROBOT),
        backends=("wire",),
        age="state_gap",
        last=True,
        seconds=SETTLED["firmware"] + 0.5,  # no node is left to say that it has landed
    ),
    Kind(
        "disk_full",
        everywhere(TOLERATE),
        "a log that cannot be written must not stop a robot",
        _fill,
        setup=Setup(disk=True),
    ),
)
