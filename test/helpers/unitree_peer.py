"""A Go2 on the wire for the driver's tests, made of the SDK's own classes and checksum: nothing of it is the driver's.

It has no physics: joints are where it is told. Run as a process (``python -m helpers.unitree_peer DOMAIN``); each line
on its standard input is an assignment such as ``bad_crc = True`` to ``Peer``; each line of output is JSON.
"""

from __future__ import annotations

import ast
import json
import os
import random
import select
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

TEST = Path(__file__).resolve().parents[1]
XML = """<CycloneDDS><Domain Id="any"><General><Interfaces><NetworkInterface name="lo"/></Interfaces>
<AllowMulticast>false</AllowMulticast></General><Discovery><ParticipantIndex>auto</ParticipantIndex>
<MaxAutoParticipantIndex>20</MaxAutoParticipantIndex><Peers><Peer address="127.0.0.1"/></Peers></Discovery>
</Domain></CycloneDDS>"""
SIT = [0.0, 1.36, -2.65, 0.0, 1.36, -2.65, -0.2, 1.36, -2.65, 0.2, 1.36, -2.65]
PERIOD = 0.002  # [s]


def as_0_10() -> None:
    """Describe types as the robot does; written a second time, independently of the driver."""
    from cyclonedds.idl import _xt_builder, types
    from cyclonedds.idl._typesupport.DDS import XTypes as Xt

    method = _xt_builder.XTBuilder.__dict__["_xt_type_identifier"].__func__

    def patched(cls: Any, name: str, entity: Any, minimal: bool) -> Any:
        if entity is types.uint8:
            return Xt.TypeIdentifier(discriminator=Xt.TK_BYTE, value=None)
        return method(cls, name, entity, minimal)

    _xt_builder.XTBuilder._xt_type_identifier = classmethod(patched)


class Peer:
    def __init__(self, domain: int) -> None:
        from cyclonedds.domain import Domain, DomainParticipant
        from cyclonedds.pub import DataWriter
        from cyclonedds.sub import DataReader
        from cyclonedds.topic import Topic
        from unitree_sdk2py.idl import default, unitree_hg
        from unitree_sdk2py.idl.unitree_api.msg import dds_ as api
        from unitree_sdk2py.idl.unitree_go.msg import dds_ as go
        from unitree_sdk2py.utils.crc import CRC

        self.api, self.crc = api, CRC()
        self._domain = Domain(domain, XML)
        self.part = part = DomainParticipant(domain)
        self.state = default.unitree_go_msg_dds__LowState_()
        self.foreign = default.unitree_go_msg_dds__LowCmd_()
        self._state_out = DataWriter(part, Topic(part, "rt/lowstate", go.LowState_))
        self._hg: Callable[[], Any] = lambda: DataWriter(
            part, Topic(part, "rt/lowstate", unitree_hg.msg.dds_.LowState_)
        )
        self._rival: Callable[[], Any] = lambda: DataWriter(part, Topic(part, "rt/lowcmd", go.LowCmd_))
        self._commands = DataReader(part, Topic(part, "rt/lowcmd", go.LowCmd_))
        self._mirror = DataReader(part, Topic(part, "rt/lowcmd_mirror", go.LowCmd_))
        self._services = {
            name: (
                DataReader(part, Topic(part, f"rt/api/{name}/request", api.Request_)),
                DataWriter(part, Topic(part, f"rt/api/{name}/response", api.Response_)),
            )
            for name in ("motion_switcher", "sport")
        }
        # What a test may set.
        self.publish, self.bad_crc, self.frozen, self.delay, self.jump = True, False, False, 0.0, 0
        self.imu_frozen, self._noise = False, random.Random(0)
        self.mode, self.answers, self.obeys = "normal", True, True
        self.follows = False  # joints go where a command says
        self.rival_writer, self.rival_sends, self.another_kind, self.motor_12 = False, False, False, 0.0
        self.joint_pos, self.temperature, self.soc, self.lost, self.remote = [0.0, 0.67, -1.3] * 4, 35, 80, 0, [0] * 40
        self.error = 0
        self._made: dict[str, Any] = {}
        self._late: list[tuple[float, Any]] = []
        self._started = time.monotonic()
        self.got: dict[str, Any] = {"commands": 0, "bad": 0, "mirror": 0, "calls": [], "last": None, "first_at": None}

    def step(self) -> None:
        self._out()
        for sample in self._commands.take(16):
            if sample.sample_info.valid_data:
                self._command(sample)
        self.got["mirror"] += sum(sample.sample_info.valid_data for sample in self._mirror.take(16))
        if self.rival_writer or self.rival_sends:
            self._made.setdefault("rival", None) or self._made.update(rival=self._rival())
        elif self._made.get("rival"):
            self._made["rival"] = None
        if self.rival_sends:
            self._made["rival"].write(self.foreign)
        if self.answers:
            self._serve()

    def _out(self) -> None:
        state = self.state
        if not self.frozen:
            state.tick = int((time.monotonic() - self._started) * 1000) + self.jump
        state.head, state.level_flag = [0xFE, 0xEF], 0xFF
        state.imu_state.quaternion, state.imu_state.accelerometer = [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 9.81]
        if not self.imu_frozen:
            state.imu_state.gyroscope = [self._noise.gauss(0.0, 0.0025) for _ in range(3)]
        for motor, pos in zip(state.motor_state[:12], self.joint_pos, strict=True):
            motor.q, motor.mode, motor.temperature, motor.lost = pos, 1, self.temperature, self.lost
            motor.reserve[0] = self.error
        state.motor_state[12].q = self.motor_12
        state.foot_force, state.bms_state.soc, state.power_v = [10, 11, 12, 13], self.soc, 29.5
        state.bms_state.current, state.bms_state.bq_ntc = -2500, [31, 30]
        state.wireless_remote = self.remote
        state.crc = self.crc.Crc(state) ^ int(self.bad_crc)
        if self.another_kind:
            self._made.setdefault("hg", self._hg())
        elif self.publish:
            self._late.append((time.monotonic() + self.delay, state.serialize() if self.delay else state))
        while self._late and self._late[0][0] <= time.monotonic():
            data = self._late.pop(0)[1]
            self._state_out.write(type(state).deserialize(data) if isinstance(data, bytes) else data)

    def _command(self, sample: Any) -> None:
        right = sample.crc == self.crc.Crc(sample)
        self.got["commands" if right else "bad"] += 1
        if self.follows and right and sample.motor_cmd[0].kp > 0.0:
            self.joint_pos = [motor.q for motor in sample.motor_cmd[:12]]
        self.got["first_at"] = self.got["first_at"] or {"mode": self.mode, "calls": list(self.got["calls"])}
        self.got["last"] = {
            "head": list(sample.head),
            "level": sample.level_flag,
            "mode": [m.mode for m in sample.motor_cmd],
            **{key: [round(getattr(m, key), 4) for m in sample.motor_cmd] for key in ("q", "dq", "tau", "kp", "kd")},
        }

    def _serve(self) -> None:
        for service, (requests, responses) in self._services.items():
            for request in requests.take(8):
                if not request.sample_info.valid_data:  # who asked has gone
                    continue
                identity = request.header.identity
                self.got["calls"].append([service, identity.api_id])
                data = self._do(service, identity.api_id)
                header = self.api.ResponseHeader_(identity, self.api.ResponseStatus_(0))
                responses.write(self.api.Response_(header, data, []))

    def _do(self, service: str, function: int) -> str:
        if (service, function) == ("motion_switcher", 1001):
            return json.dumps({"form": "0", "name": self.mode})
        if (service, function) == ("motion_switcher", 1003):
            self.mode = ""
        if (service, function) == ("sport", 1005) and self.obeys:
            self.joint_pos = list(SIT)
        return ""


def main() -> None:
    as_0_10()
    with suppress(PermissionError):  # a robot has a computer of its own
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(60))
    peer = Peer(int(sys.argv[1]))
    for line in sys.argv[2:]:
        _assign(peer, line)
    _say({"ready": True})
    due, pending = time.monotonic(), ""
    while True:
        peer.step()
        due = max(due + PERIOD, time.monotonic() - 0.02)
        if select.select([sys.stdin], [], [], max(due - time.monotonic(), 0.0))[0]:
            text = os.read(0, 65536).decode()
            if not text:
                return
            *lines, pending = (pending + text).split("\n")
            for line in lines:
                _assign(peer, line)
                _say(peer.got)


def _assign(peer: Peer, line: str) -> None:
    name, _, value = line.partition("=")
    if name.strip():
        assert hasattr(peer, name.strip()), line
        setattr(peer, name.strip(), ast.literal_eval(value.strip()))


def _say(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


class PeerProcess:
    """A peer, and its end with the ``with`` block."""

    def __init__(self, domain: int, **settings: Any) -> None:
        assignments = [f"{name} = {value!r}" for name, value in settings.items()]
        command = [sys.executable, "-m", "helpers.unitree_peer", str(domain), *assignments]
        env = {**os.environ, "PYTHONPATH": str(TEST)}
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
        assert self._read() == {"ready": True}

    def __enter__(self) -> PeerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.terminate()
        self._child.communicate()

    def set(self, **settings: Any) -> dict[str, Any]:
        """Change settings; return what the peer has got so far."""
        got: dict[str, Any] = {}
        for name, value in settings.items():
            got = self._ask(f"{name} = {value!r}")
        return got

    def got(self) -> dict[str, Any]:
        return self._ask("")

    def _ask(self, line: str) -> dict[str, Any]:
        assert self._child.stdin is not None
        self._child.stdin.write(line + "\n")
        self._child.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        answer: dict[str, Any] = json.loads(self._child.stdout.readline())
        return answer


if __name__ == "__main__":
    main()
