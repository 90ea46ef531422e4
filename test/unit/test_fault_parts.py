"""The parts of the fault campaign: what injects, what is set up, what is written down."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from robot_policies.exceptions import InputError, RobotError
from robot_policies.robot_spec import load_robot_spec
from robot_policies.types import JointCommand, owned
from sim2real.faults import command, network, policy_kinds
from sim2real.faults.campaign import KINDS, Row
from sim2real.faults.kind import Setup
from sim2real.faults.witness import Witness

SPEC = load_robot_spec("go2")


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process to be hurt."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        yield process
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGCONT)
        process.kill()


def condition(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def becomes(pid: int, states: str, limit: float = 10.0) -> bool:
    """Wait until a process is in one of ``states`` of proc(5)."""
    end = time.monotonic() + limit
    while condition(pid) not in states:
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def scene(**more: Any) -> Any:
    """What a kind needs of a scene, and a list of what it asked for."""
    asked: list[Any] = []
    made = SimpleNamespace(asked=asked, speed=0.5, **more)
    made.ask_robot = lambda verb, **numbers: asked.append((verb, numbers))
    made.ask_relay = lambda verb, **numbers: asked.append((verb, numbers))
    made.refused = lambda what, granted: asked.append((what, granted))
    made.operator = SimpleNamespace(
        robot={"gain_profile": "walk/1"},
        velocity=0.5,
        watch=lambda seconds: None,
        send_command=lambda *words: asked.append(words),
        send_velocity=asked.append,
        ask_lease=lambda holder: False,
        set_gains=lambda value: False,
    )
    return made


def test_a_process_is_killed(sleeper: subprocess.Popen[bytes]) -> None:
    assert KINDS["policy_killed"].inject(scene(pid=lambda name: sleeper.pid)) is None
    assert sleeper.wait(5.0) == -signal.SIGKILL


def test_a_process_is_stopped_and_the_fault_of_a_paused_one_counts_from_going_on(
    sleeper: subprocess.Popen[bytes],
) -> None:
    KINDS["policy_stopped"].inject(scene(pid=lambda name: sleeper.pid))
    assert becomes(sleeper.pid, "T")
    begun = time.monotonic()
    at = KINDS["robot_stopped"].inject(scene(pid=lambda name: sleeper.pid))
    assert at is not None and at - begun >= 0.5
    assert becomes(sleeper.pid, "SR")


def test_a_slowed_process_stops_again_and_again_until_the_end(sleeper: subprocess.Popen[bytes]) -> None:
    ends: list[Callable[[], Any]] = []
    KINDS["robot_slowed"].inject(scene(pid=lambda name: sleeper.pid, at_end=lambda *more: ends.extend(more)))
    seen = set()
    end = time.monotonic() + 5.0
    while not ({"T"} < seen) and time.monotonic() < end:
        seen.add(condition(sleeper.pid))
        time.sleep(0.001)
    for each in ends:
        each()
    assert {"T"} < seen, "stopped at times, and not always"
    assert becomes(sleeper.pid, "SR")


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("state_few_lost", ("fault", {"name": "drop", "count": 3})),
        ("motor_hot", ("fault", {"name": "temperature", "motor": 4, "celsius": 110})),
        ("rival_controller", ("mode", {"name": "mcf"})),
        ("joint_at_limit", ("hold_joint", {"motor": 2, "limit": "lower"})),
        ("command_late", ("fault", {"name": "late", "delay": 0.2})),
        ("seen_state_nan", ("fault", {"name": "nan"})),
        ("stranger_asks_lease", ("the lease", False)),
        ("gains_huge", ("gains", False)),
        ("stranger_commands", ("stranger/0", 0.5, 12)),
    ],
)
def test_what_a_kind_asks_for(kind: str, asked: tuple[Any, ...]) -> None:
    stage = scene()
    KINDS[kind].inject(stage)
    assert stage.asked[0] == asked


def test_an_impostor_copies_the_profile_and_a_velocity_is_forgotten_or_spoilt() -> None:
    stage = scene()
    KINDS["impostor_sends_nan"].inject(stage)
    assert stage.asked[0][0] == "walk/1" and math.isnan(stage.asked[0][1])
    stage = scene()
    KINDS["velocity_nan"].inject(stage)
    assert all(math.isnan(value) for value in stage.asked) and stage.operator.velocity == 0.5
    KINDS["velocity_lost"].inject(stage)
    assert stage.operator.velocity is None


def test_what_the_peer_is_asked_it_knows() -> None:
    from sim2real.faults.state_faults import STATE
    from sim2real.firmware.faults import KINDS as ON_WIRE

    for kind in KINDS.values():
        if kind.setup != Setup() or kind.name.startswith(
            ("policy", "robot_", "stranger", "impostor", "gains", "velocity")
        ):
            continue
        stage = scene()
        kind.inject(stage)
        for verb, numbers in stage.asked:
            if verb != "fault":
                continue
            given = set(numbers) - {"name", "seconds", "count"}
            for backend, known in (("wire", ON_WIRE), ("mujoco", STATE)):
                if backend in kind.backends:
                    assert given <= set(known[numbers["name"]]), (kind.name, backend)


@pytest.mark.parametrize(
    ("failure", "broken"),
    [
        ("nan", lambda sound, failed: np.isnan(failed).all()),
        ("huge", lambda sound, failed: (failed > 9e5).all()),
        ("stuck", lambda sound, failed: (failed == 0.0).all()),
    ],
)
def test_a_failing_bundle_is_sound_until_its_time(tmp_path: Path, failure: str, broken: Any) -> None:
    folder = policy_kinds.failing_bundle(tmp_path / failure, failure)
    session = onnxruntime.InferenceSession(str(folder / "actor.onnx"))
    observation = session.get_inputs()[0]
    frame = {observation.name: np.full(observation.shape, 0.1, np.float32)}

    def run(left: float) -> tuple[Any, Any]:
        out, rest = session.run(None, {**frame, "left": np.full((1, 1), left, np.float32)})
        return out, rest

    sound, left = run(5.0)
    assert left.item() == 4.0
    assert np.array_equal(sound, run(0.0)[0]) and np.abs(sound).max() > 0.0
    assert broken(sound, run(-1.0)[0])


def test_the_witness_writes_what_the_body_does(tmp_path: Path) -> None:
    witness = Witness(SPEC, tmp_path / "judge")
    still = np.zeros(12)
    command_ = JointCommand(0, *(owned(still + value) for value in (0.0, 0.0, 0.0, 30.0, 0.7)), "walk")
    upright, lying = np.array([0, 0, 0.3, 1, 0, 0, 0.0]), np.array([0, 0, 0.2, 0.7071, 0.7071, 0, 0.0])
    pos, vel = SPEC.poses["stand"], still.copy()
    for _ in range(4):
        witness.cycle(pos, vel, upright, command_)
    vel[2] = 50.0
    witness.cycle(pos, vel, lying, command_)
    vel[2] = 0.0
    for _ in range(3):
        witness.cycle(pos, vel, upright, None)
    witness.close()
    first, second = (json.loads(line) for line in (tmp_path / "judge").read_text().splitlines())
    assert first["limits"] == [] and first["stiffness_max"] == 30.0 and first["driven_by"] == "commands"
    assert second["limits"] == [f"joint_vel {SPEC.joint_names[2]}", "tilt"]
    assert (second["joint_vel_max"], second["driven_by"], second["stiffness_max"]) == (50.0, "nobody", 0.0)
    assert second["tilt_max"] == pytest.approx(math.pi / 2, abs=0.01)


def test_a_full_disk_is_empty_again_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "disk").mkdir()
    ends: list[Callable[[], Any]] = []
    real = type(tmp_path).open

    def full(path: Path, *words: Any, **more: Any) -> Any:
        return real(Path("/dev/full"), *words, **more) if path.name == "filler" and ends else real(path, *words, **more)

    (tmp_path / "disk" / "filler").touch()
    monkeypatch.setattr(type(tmp_path), "open", full)
    KINDS["disk_full"].inject(scene(folder=tmp_path, at_end=lambda *more: ends.extend(more)))
    for each in ends:
        each()
    assert not (tmp_path / "disk" / "filler").exists()


def test_a_cut_without_a_cable_is_an_error() -> None:
    with pytest.raises(RobotError, match="no cable"):
        network.cut(scene(cable=None))


# The command line.


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args(list(words))


def test_the_table_and_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    good = Row("tilt", "active", 0, "mujoco", "land", "tilt", 12.3, "damping", True, True, True)
    late = Row("tilt", "active", 1, "mujoco", "land", "tilt", 312.3, "damping", True, True, False, "too late")
    skipped = Row("disk_full", "active", 0, "mujoco", "tolerate", "", None, "", False, False, False, "skipped: root")
    assert command._tell([good, skipped]) == 0
    assert command._tell([good, late]) == 1
    out = capsys.readouterr().out
    assert "! too late" in out and "2 runs of 1 kinds, 1 not as expected" in out


def test_without_the_sdk_the_wire_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="the Go2's SDK is not installed"):
        command.main(arguments("--backend", "wire"))
    assert command._backends("mujoco") == ("mujoco",)
