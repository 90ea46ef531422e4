"""A node as its user starts it, and a probe that talks to it from this process."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

ROOT = Path(__file__).resolve().parents[2]
START = 20.0  # [s] that a process may take to start on a busy machine


def free_domain() -> int:
    """Return a ROS domain that no other test is likely to use at the moment."""
    return random.SystemRandom().randint(1, 100)


def environment(domain: int) -> dict[str, str]:
    """Return the environment of a node process: its own domain, this machine only."""
    path = os.pathsep.join(filter(None, (str(ROOT), str(ROOT / "test"), os.environ.get("PYTHONPATH"))))
    ros = {"ROS_DOMAIN_ID": str(domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"}
    return {**os.environ, **ros, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def command(module: str, *parameters: str, rest: Sequence[str] = ()) -> list[str]:
    """Return the command line of a node module with its parameters as ``name:=value``."""
    options = [part for parameter in parameters for part in ("-p", parameter)]
    return [sys.executable, "-m", module, "--ros-args", *options, *rest]


def run_to_end(module: str, domain: int, *parameters: str, timeout: float = START) -> subprocess.CompletedProcess[str]:
    """Run a node that ends by itself; standard input is empty."""
    return subprocess.run(
        command(module, *parameters),
        env=environment(domain),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


@contextmanager
def running(line: Sequence[str], domain: int, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Start a process, give it, and end it with SIGINT; kill it where that does not help."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    process = subprocess.Popen(line, env=environment(domain), **options)
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[str], limit: float = 10.0) -> int:
    """End a process as Ctrl-C does and return its exit code."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        return process.wait(limit)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


class Probe:
    """A node of the test in a context of its own: publishes, calls, and keeps what it hears."""

    def __init__(self, domain: int, namespace: str = "") -> None:
        os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET")
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain)
        self.node = Node("probe", context=self._context, namespace=namespace)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self.heard: dict[str, list[tuple[float, Any]]] = {}

    def hear(self, kind: type, topic: str, qos: Any = 100) -> list[tuple[float, Any]]:
        """Keep every message of ``topic`` with its time of receipt (monotonic [s])."""
        kept = self.heard.setdefault(topic, [])
        self.node.create_subscription(kind, topic, lambda message: kept.append((time.monotonic(), message)), qos)
        return kept

    def spin(self, seconds: float) -> None:
        """Serve callbacks for that long."""
        self.until(lambda: False, seconds)

    def until(self, done: Callable[[], Any], seconds: float = START) -> bool:
        """Serve callbacks until ``done()`` or for ``seconds``; return whether it is done."""
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() > end:
                return False
            self._executor.spin_once(timeout_sec=0.01)
        return True

    def __enter__(self) -> Probe:
        return self

    def __exit__(self, *error: object) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)
