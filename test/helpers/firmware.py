"""A firmware peer as its user starts it, and clients of the vendor's SDK that know nothing of our code."""

from __future__ import annotations

import json
import random
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.node_process import ROOT, environment, stop

from sim2real.firmware.client import SideDoor
from sim2real.firmware.readings import Readings

SDK = "the Go2's SDK is missing: pip install --no-deps cyclonedds==11.0.1 unitree-sdk2py-dimos==1.0.3"


def need_sdk() -> None:
    """Skip where the SDK is not installed."""
    for module in ("cyclonedds", "unitree_sdk2py"):
        pytest.importorskip(module, reason=SDK)


def free_dds_domain() -> int:
    """Return a DDS domain that no other test is likely to use at the moment; ROS tests have 1 to 100."""
    return 101 + secrets.randbelow(120)


def free_udp_port() -> int:
    """Return a UDP port of loopback that was free a moment ago."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def single(rng: random.Random, scale: float) -> float:
    """Return a number that a 4-byte float holds."""
    return float(np.float32(rng.uniform(-scale, scale)))


def readings(seed: int) -> Readings:
    """Return a state with a different value in every place."""
    rng = random.Random(seed)
    return Readings(
        tick=rng.randrange(1 << 32),
        quat_wxyz=[single(rng, 1.0) for _ in range(4)],
        gyro=[single(rng, 10.0) for _ in range(3)],
        acc=[single(rng, 50.0) for _ in range(3)],
        rpy=[single(rng, 3.0) for _ in range(3)],
        imu_temperature=rng.randrange(100),
        mode=[rng.randrange(2) for _ in range(12)],
        pos=[single(rng, 3.0) for _ in range(12)],
        vel=[single(rng, 30.0) for _ in range(12)],
        effort=[single(rng, 45.0) for _ in range(12)],
        temperature=[rng.randrange(120) for _ in range(12)],
        lost=[rng.randrange(1 << 32) for _ in range(12)],
        error=[rng.randrange(1 << 32) for _ in range(12)],
        foot_force=[rng.randrange(-500, 500) for _ in range(4)],
        soc=rng.randrange(101),
        current=rng.randrange(-30000, 1000),
        voltage=rng.uniform(24.0, 33.6),
        remote=rng.randbytes(40),
    )


class PeerProcess:
    """``robot-policies firmware``, its side door and its judge."""

    def __init__(self, *arguments: str, log: Path) -> None:
        line = [sys.executable, "-m", "robot_policies.cli", "firmware", *arguments, "--log", str(log)]
        self.log = log
        self.process = subprocess.Popen(
            line, env=environment(0), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        first = self.process.stdout.readline()
        assert first, self.process.stderr.read() if self.process.stderr else ""
        self.where = json.loads(first)
        self._door = SideDoor(self.where["control"])
        self.do = self._door.do

    def send(self, **request: Any) -> dict[str, Any]:
        """Return the side door's answer, granted or not."""
        return self._door.ask(request)

    def until(self, done: Callable[[dict[str, Any]], Any], limit: float = 10.0) -> dict[str, Any]:
        """Return the first status of which ``done`` is true."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            status = self.do("status")
            if status["sample"] and done(status):
                return status
            time.sleep(0.02)
        raise AssertionError(f"not so after {limit} s: {status}")

    def judged(self) -> list[dict[str, Any]]:
        """Return the judge's lines so far."""
        lines = self.log.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def close(self) -> int:
        """End it as Ctrl-C does; return its exit code."""
        self._door.close()
        return stop(self.process)


class Raw:
    """A sample of which the bytes are kept."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    @classmethod
    def deserialize(cls, data: bytes, *_: Any, **__: Any) -> Raw:
        return cls(bytes(data))

    deserialize_key = deserialize


class SdkRobotClient:
    """The vendor's IDL classes, its checksum, and plain Cyclone."""

    def __init__(self, domain: int) -> None:
        from cyclonedds.domain import Domain, DomainParticipant
        from cyclonedds.pub import DataWriter
        from cyclonedds.qos import Policy, Qos
        from cyclonedds.sub import DataReader
        from cyclonedds.topic import Topic
        from unitree_sdk2py.idl.unitree_go.msg.dds_ import LowCmd_, LowState_
        from unitree_sdk2py.utils.crc import CRC

        from sim2real.firmware.dds import use_robot_type_ids

        use_robot_type_ids()
        self._domain = Domain(domain, LOOPBACK)
        participant = DomainParticipant(domain)
        deep = Qos(Policy.Reliability.BestEffort, Policy.History.KeepLast(200))
        # The SDK's class takes 0.3 ms a state, so that only what a test looks at goes through it.
        topic = Topic(participant, "rt/lowstate", LowState_)
        topic.data_type = Raw
        self._decode, self._states = LowState_.deserialize, DataReader(participant, topic, deep)
        commands = Topic(participant, "rt/lowcmd", LowCmd_)
        self.writer = DataWriter(participant, commands, Qos(Policy.Reliability.Reliable(10**8)))
        self.commands = DataReader(
            participant, commands, Qos(Policy.History.KeepLast(1000), Policy.IgnoreLocal.Participant)
        )
        self.crc = CRC()

    def take(self) -> list[Any]:
        """Return every state that has come since the last call."""
        return [self._decode(sample.data) for sample in self._states.take(200)]

    def state(self, limit: float = 10.0) -> Any:
        """Return one state that comes from now on."""
        self._states.take(200)
        return self.gather(0.0, least=1, limit=limit)[-1]

    def gather(self, seconds: float, least: int = 0, limit: float = 10.0) -> list[Any]:
        """Return the states of some time, and go on until there are ``least``."""
        found: list[Any] = []
        begun = time.monotonic()
        while time.monotonic() - begun < seconds or len(found) < least:
            found += self._states.take(200)
            assert time.monotonic() - begun < seconds + limit, f"{len(found)} states in {limit} s"
            time.sleep(0.002)
        return [self._decode(sample.data) for sample in found]

    def until(self, done: Callable[[Any], bool], limit: float = 10.0) -> Any:
        """Return the first state of which ``done`` is true."""
        end = time.monotonic() + limit
        while not done(state := self.state()):
            assert time.monotonic() < end, state
        return state

    def command(self, pos: Any = 0.0, stiffness: float = 0.0, damping: float = 0.0, mode: int = 1, **other: Any) -> Any:
        """Return a LowCmd_ of the SDK, with its checksum."""
        from unitree_sdk2py.idl.default import unitree_go_msg_dds__LowCmd_

        command = unitree_go_msg_dds__LowCmd_()
        command.head, command.level_flag = [0xFE, 0xEF], 0xFF
        targets = [pos] * 12 if isinstance(pos, float) else list(pos)
        for motor, target in zip(command.motor_cmd, targets, strict=False):
            motor.mode, motor.q, motor.kp, motor.kd = mode, float(target), stiffness, damping
        for name, value in other.items():
            setattr(command, name, value)
        command.crc = self.crc.Crc(command)
        return command

    def write_for(self, seconds: float, command: Any, rate: float = 200.0) -> None:
        """Send ``command`` as often as ``rate`` asks in that time, longer on a busy machine."""
        for _ in range(round(seconds * rate)):
            self.writer.write(command)
            time.sleep(1.0 / rate)

    def command_for(self, seconds: float, command: Any) -> list[Any]:
        """Send ``command`` for a time and return the last states."""
        self.write_for(seconds, command)
        return self.take()[-50:] or [self.state()]


LOOPBACK = (
    '<CycloneDDS><Domain Id="any"><General><Interfaces><NetworkInterface name="lo"/></Interfaces>'
    "<AllowMulticast>false</AllowMulticast></General><Discovery><ParticipantIndex>auto</ParticipantIndex>"
    '<Peers><Peer address="127.0.0.1"/></Peers></Discovery></Domain></CycloneDDS>'
)

SERVICES = """
import json, sys, time
from sim2real.firmware.dds import use_robot_type_ids
use_robot_type_ids()
import unitree_sdk2py.core.channel as channel
channel.ChannelConfigHasInterface = sys.argv[2]
channel.ChannelFactoryInitialize(int(sys.argv[1]), "lo")
from unitree_sdk2py.comm.motion_switcher.motion_switcher_client import MotionSwitcherClient
from unitree_sdk2py.go2.sport.sport_client import SportClient
switcher, sport = MotionSwitcherClient(), SportClient()
for client in (switcher, sport):
    client.SetTimeout(2.0)
    client.Init()
told = []
for name, call in json.loads(sys.argv[3]):
    if name == "sleep":
        time.sleep(call)
    else:
        told.append(getattr(switcher if name == "switcher" else sport, call[0])(*call[1:]))
print("TOLD " + json.dumps(told))
"""


def sdk_services(domain: int, *calls: tuple[str, Any]) -> list[Any]:
    """Call the robot's services with the vendor's own clients, in a process of theirs; return what they say."""
    line = [sys.executable, "-c", SERVICES, str(domain), LOOPBACK, json.dumps(calls)]
    done = subprocess.run(line, env=environment(0), capture_output=True, text=True, timeout=60.0, cwd=ROOT)
    said = [text for text in done.stdout.splitlines() if text.startswith("TOLD ")]
    assert said, done.stdout + done.stderr
    return json.loads(said[0].removeprefix("TOLD "))
