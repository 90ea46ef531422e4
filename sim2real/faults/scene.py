"""One run: what the user starts, in processes of its own, brought into a mode, with what can go wrong at hand."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from robot_policies.exceptions import RobotError, expected
from robot_policies.nodes.bringup import Process, load_bringup
from robot_policies.nodes.processes import set_discovery_defaults
from sim2real.benchmark.children import Child, running
from sim2real.door import free_port
from sim2real.faults.kind import BLIND, SEES, Setup
from sim2real.faults.network import Cable
from sim2real.firmware.client import SideDoor

if TYPE_CHECKING:
    from sim2real.bridges.fault_operator import FaultOperator

POLICY, ROBOT = "go2_walk", "go2"
SPEED = 0.5  # [m/s] that it walks
CAMERA = "depth_camera_node"
NODES = {name: f"robot_policies.nodes.{name}" for name in ("robot_node", "policy_node")}
NODES[CAMERA] = f"sim2real.bridges.{CAMERA}"
TOPICS = {"command": "joint_command", "state": "joint_states", "image": "depth/image_rect"}
CONTROL = 40.0  # [s] for the robot to be laid down and its built-in controller released, on a busy machine
DISK = "1m"


class Scene:
    """The processes of one run and their operator.

    Attributes:
        folder: of the run's files; ``judge.jsonl`` is what the witness, or the peer's judge, wrote.
        operator: who asks the nodes.
        active_at: when the robot became active (monotonic [s]), 0 before.
        cable: to the peer, where the set-up has one.
        control_dt: of the policy [s].
        speed: at which it walks [m/s].
    """

    control_dt = 0.02
    speed = SPEED

    def __init__(
        self, backend: str, setup: Setup, seed: int, folder: Path, policy: str = POLICY, number: int = 0
    ) -> None:
        """Note what to start; scenes of another ``number`` (modulo 100) have other domains."""
        self.backend, self.setup, self.seed, self.folder, self._policy = backend, setup, seed, folder, policy
        self.operator: FaultOperator
        self.active_at = 0.0
        self.cable: Cable | None = None
        self._domain, self._wire_domain = 1 + number % 100, 110 + number % 100
        self._configured = False
        self._children: dict[str, Child] = {}
        self._doors: dict[str, SideDoor] = {}
        self._exit = contextlib.ExitStack()
        self._ends: list[Callable[[], Any]] = []

    @property
    def log(self) -> Path:
        """The judge's file."""
        return self.folder / "judge.jsonl"

    def __enter__(self) -> Scene:
        """Start everything."""
        self.folder.mkdir(parents=True, exist_ok=True)
        os.environ |= {"ROS_DOMAIN_ID": str(self._domain), "ROS_LOG_DIR": str(self._disk())}
        set_discovery_defaults()
        # rclpy reads the environment as it is imported.
        from sim2real.bridges.fault_operator import FaultOperator

        with self._exit:  # ends what has started where the rest does not
            processes = self._wire() if self.backend == "wire" else self._simulated()
            if self.setup.relay:
                self._relay()
            for process in processes:
                if process.name in NODES:
                    self._start(
                        process.name, ["-m", NODES[process.name], *process.ros_arguments(), *self._remapped(process)]
                    )
            self.operator = FaultOperator(self._domain)
            self._exit.callback(self.operator.close)
            self._exit = self._exit.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End everything, what was stopped and what was slowed too."""
        self._end_faults()
        for child in self._children.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGCONT)
        for door in self._doors.values():
            door.close()
        self._exit.close()

    def reach(self, mode: str) -> None:
        """Bring the robot into ``mode``, from wherever the last fault left it. Raises RobotError with what nodes say.

        One that has landed is laid down where it began, reset and stood up; the rest goes on as it is.
        """
        operator = self.operator
        if not self._configured:
            operator.take_control(CONTROL)
            operator.prepare_rogue()
            operator.configure()
            self._configured = True
        fresh = operator.mode != mode or bool(self.setup.bundle)  # a failing policy counts from its activation
        if fresh and operator.mode != "stand":
            if operator.mode.startswith("landing") and "robot" in self._doors:  # none leads into another namespace
                self.ask_robot("place")
            operator.stand_up()
        if fresh and mode == "active":
            operator.activate_again()
            self.active_at = next(at for at, name in reversed(operator.modes) if name == "active")
        operator.velocity = SPEED if mode == "active" else None
        if self.setup.sees:
            operator.wait(lambda: operator.commanding == SEES, CONTROL, f"{SEES} to command")
        operator.watch((1.0 if fresh else 0.3) + 0.037 * self.seed)  # another moment of the stride for each seed
        if operator.mode != mode:
            found = f"{operator.mode}: {operator.robot.get('message')}"
            raise RobotError(expected(f"{mode} before the fault", found, "a machine with time to spare"))

    def restore(self) -> None:
        """End the fault, so that another can be tried. Raises RobotError where a process does not answer any more."""
        self._end_faults()
        for child in self._children.values():
            child.check()
        for door in self._doors.values():
            door.do("clear")

    def _end_faults(self) -> None:
        ends, self._ends = self._ends, []
        for end in ends:
            end()

    def pid(self, process: str) -> int:
        """Return the id of a process."""
        return self._children[process].pid

    def ask_robot(self, verb: str, **numbers: Any) -> None:
        """Ask the simulated robot, or the peer, to misbehave."""
        self._doors["robot"].do(verb, **numbers)

    def ask_relay(self, verb: str, **numbers: Any) -> None:
        """Ask the relay to misbehave."""
        self._doors["relay"].do(verb, **numbers)

    def refused(self, what: str, granted: bool) -> None:
        """Raise RobotError where the robot node granted what it should refuse."""
        if granted:
            raise RobotError(expected(what, "granted", "refused"))

    def at_end(self, *ends: Callable[[], Any]) -> None:
        """Have ``ends`` called when the run is over."""
        self._ends += ends

    def last_words(self) -> str:
        """Return the last line of each process."""
        return "; ".join(f"{name}: {child.last_words()}" for name, child in self._children.items())

    def _simulated(self) -> tuple[Process, ...]:
        port = free_port()
        given = {
            "robot": ROBOT,
            "policy": self._policy,
            "backend": "mujoco_faults",
            "seed": self.seed,
            "headless": True,
            **({"companion": BLIND, "camera": True} if self.setup.sees else {}),
        }
        processes = load_bringup("sim").resolve(given)
        robot = next(process for process in processes if process.name == "robot_node")
        robot.parameters.update({"options.control": port, "options.log": str(self.log)})
        self._doors["robot"] = SideDoor(port)
        return processes

    def _wire(self) -> tuple[Process, ...]:
        domain, interface = self._wire_domain, "lo"
        words = ["robot_policies.cli", "firmware", ROBOT, "--domain", str(domain), "--seed", str(self.seed)]
        line = ["-m", *words, "--log", str(self.log)]
        if self.setup.network:
            self.cable = self._exit.enter_context(Cable())
            interface = self.cable.here
            line = _in_namespace(self.cable, [*line, "--interface", self.cable.there])
        self._start("peer", line)
        where = json.loads(self._first_line("peer"))
        if self.cable is None:
            self._doors["robot"] = SideDoor(int(where["control"]))
        given = {"robot": ROBOT, "policy": self._policy, "interface": interface, "domain": domain, "armed": True}
        return load_bringup("unitree").resolve({**given, "headless": True})

    def _relay(self) -> None:
        topic, port = TOPICS[self.setup.relay], free_port()
        ways = (topic, f"relayed/{topic}")
        source, target = ways[::-1] if self.setup.relay == "command" else ways
        kind = "Image" if self.setup.sees else "JointState"
        parameters = (f"source:={source}", f"target:={target}", f"control:={port}", f"kind:={kind}")
        options = [word for each in parameters for word in ("-p", each)]
        self._start("relay", ["-m", "sim2real.bridges.fault_relay", "--ros-args", *options])
        self._doors["relay"] = SideDoor(port)

    def _remapped(self, process: Process) -> list[str]:
        if process.name != "policy_node" or not self.setup.relay:
            return []
        topic = TOPICS[self.setup.relay]
        return ["-r", f"{topic}:=relayed/{topic}"]

    def _start(self, name: str, arguments: list[str]) -> None:
        self._children[name] = self._exit.enter_context(running(arguments, self._log_of(name)))

    def _log_of(self, name: str) -> Path:
        return (self.folder / "disk" if self.setup.disk and name != "peer" else self.folder) / f"{name}.log"

    def _first_line(self, name: str, limit: float = 30.0) -> str:
        end = time.monotonic() + limit
        while not (text := self._log_of(name).read_text(encoding="utf-8")).endswith("\n"):
            self._children[name].check()
            if time.monotonic() > end:
                raise RobotError(expected(f"the first line of {name} within {limit:g} s", repr(text), "a free machine"))
            time.sleep(0.05)
        return text.splitlines()[0]

    def _disk(self) -> Path:
        disk = self.folder / "disk"
        disk.mkdir(exist_ok=True)
        if self.setup.disk:
            done = subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "faults", str(disk)], capture_output=True, text=True
            )
            if done.returncode != 0:
                raise RobotError(f"mount: {done.stderr.strip()}")
            self._exit.callback(subprocess.run, ["umount", "-l", str(disk)], capture_output=True)
        return disk


def _in_namespace(cable: Cable, line: list[str]) -> list[str]:
    """Return a line for ``python`` that becomes ``python LINE`` in the namespace of the cable's other end."""
    become = "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])"
    return ["-c", become, "ip", "netns", "exec", cable.namespace, sys.executable, *line]
