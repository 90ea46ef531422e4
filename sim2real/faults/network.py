"""A cable that can be pulled: two network namespaces of this machine, and a pair of interfaces between them (root)."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from types import TracebackType
from typing import TYPE_CHECKING

from robot_policies.exceptions import RobotError, expected

if TYPE_CHECKING:
    from sim2real.faults.scene import Scene

CUT = 0.5  # [s]


class Cable:
    """From this namespace to one of its own, for as long as the context lasts."""

    def __init__(self) -> None:
        """Name it after this process, so that two campaigns do not meet."""
        number = os.getpid() % 10000
        self.namespace, self.here, self.there = f"faults{number}", f"flt{number}a", f"flt{number}b"
        self._subnet = f"10.231.{number % 250}"

    def __enter__(self) -> Cable:
        """Lay it."""
        _ip("netns", "add", self.namespace)
        _ip("link", "add", self.here, "type", "veth", "peer", "name", self.there, "netns", self.namespace)
        _ip("addr", "add", f"{self._subnet}.1/24", "dev", self.here)
        _ip("link", "set", self.here, "up")
        inside = ("netns", "exec", self.namespace, "ip")
        _ip(*inside, "addr", "add", f"{self._subnet}.2/24", "dev", self.there)
        _ip(*inside, "link", "set", self.there, "up")
        _ip(*inside, "link", "set", "lo", "up")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Take it away."""
        _ip("netns", "del", self.namespace)

    def plug(self, in_: bool) -> None:
        """Put the plug in, or pull it: at the robot's end, so that the addresses here stay."""
        _ip("netns", "exec", self.namespace, "ip", "link", "set", self.there, "up" if in_ else "down")


def cut(scene: Scene) -> float:
    """Pull the plug for a while and put it in again; return when it was pulled."""
    if scene.cable is None:
        raise RobotError(expected("network_cut", "no cable", "a run over one"))
    at = time.monotonic()
    scene.cable.plug(False)
    scene.operator.watch(CUT)
    scene.cable.plug(True)
    return at


def why_not() -> str:
    """Return why this user cannot have a cable or a disk of its own; "" where he can."""
    if os.geteuid() != 0:
        return "needs root, for network namespaces and mounts"
    missing = [name for name in ("ip", "mount", "umount") if shutil.which(name) is None]
    if missing:
        return f"needs {', '.join(missing)}"
    probe = subprocess.run(["unshare", "-n", "true"], capture_output=True, text=True)
    return "" if probe.returncode == 0 else f"this machine refuses network namespaces: {probe.stderr.strip()}"


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode != 0:
        raise RobotError(f"ip {' '.join(words)}: {done.stderr.strip()}")
