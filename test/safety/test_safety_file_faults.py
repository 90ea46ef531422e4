"""What a safety file may state, and how one that is wrong is refused: with what was asked, found and valid."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers import safety as kit
from helpers.nested import put_at

from robot_policies.exceptions import SchemaError
from robot_policies.safety.config import SafetyConfig
from robot_policies.safety.landings import TRIPS, check_landings, valid_landings
from robot_policies.safety.limits import NEVER, fit, load_safety
from robot_policies.schema import load
from robot_policies.types import Mode


def changed(*path_and_value: Any) -> dict[str, Any]:
    """Return the Go2's file with the key at a path set to a value; ``...`` removes it."""
    *path, value = path_and_value
    data = yaml.safe_load(kit.GO2_FILE.read_text())
    put_at(data, path, value)
    return data


def test_an_imu_without_noise_is_said_with_null(tmp_path: Path) -> None:
    file = tmp_path / "still.yaml"
    file.write_text(yaml.safe_dump(changed("state", "frozen", None)))
    assert load_safety(file, kit.go2()).frozen_ns == NEVER > 10**9 * 86400 * 365
    file.write_text(yaml.safe_dump(changed("state", "frozen", 0.25)))
    assert load_safety(file, kit.go2()).frozen_ns == 250 * kit.MS


def refusal(data: Any, folder: Path) -> str:
    file = folder / "broken.yaml"
    file.write_text(yaml.safe_dump(data))
    with pytest.raises(SchemaError) as error:
        load_safety(file, kit.go2())
    assert str(file) in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("robot", "g1"), "robot: the file of the robot in use; found g1; valid: go2"),
        (("format", 2), "format"),
        (("targets", "speed", 1.0), "targets.speed: unknown key"),
        (("targets", "torque", ...), "targets.torque: asked for, not found"),
        (
            ("targets", "torque", 23.8),
            "targets.torque: above 0, up to the robot's peak [N m]: FR_hip_joint; found 23",
        ),
        (("targets", "torque", 0.0), "targets.torque"),
        (("targets", "torque", -1.0), "targets.torque"),
        (("targets", "torque", float("nan")), "targets.torque"),
        (("targets", "torque", "23.7"), "targets.torque"),
        (("targets", "rate", 0.0), "targets.rate: above 0"),
        (("targets", "velocity", -1.0), "targets.velocity: above 0"),
        (("targets", "beyond", -0.01), "targets.beyond: not below 0"),
        (("targets", "soft", 0.0), "targets.soft: above 0"),
        (("targets", "clamp_cycles", 0), "targets.clamp_cycles"),
        (("targets", "clamp_cycles", 1.5), "targets.clamp_cycles"),
        (("gains", "stiffness", 59.9), "gains.stiffness: at least that of the stand"),
        (("gains", "damping", 4.9), "gains.damping: at least that of the stand"),
        (("gains", "ramp", -0.1), "gains.ramp"),
        (("damping", 0.0), "damping: above 0, up to gains.damping"),
        (("damping", 6.1), "damping: above 0, up to gains.damping"),
        (("state", "max_age", 0.0), "state.max_age"),
        (("state", "max_gap", -1.0), "state.max_gap"),
        (("state", "future", -0.001), "state.future"),
        (("state", "clock_step", 0.0), "state.clock_step"),
        (("state", "frozen", 0.0), "state.frozen"),
        (("state", "frozen", ...), "state.frozen: asked for, not found"),
        (("state", "tilt", "limit", 0.0), "state.tilt.limit"),
        (("state", "tilt", "limit", 3.2), "state.tilt.limit"),
        (("state", "tilt", "duration", -0.1), "state.tilt.duration"),
        (("state", "joint_vel", "limit", 0.0), "state.joint_vel.limit: above 0"),
        (("state", "joint_pos", "limit", -0.1), "state.joint_pos.limit: not below 0"),
        (("command", "ticks", 1.0), "command.ticks"),
        (("command", "max_age", 0.0), "command.max_age"),
        (("command", "grace", -0.1), "command.grace"),
        (("stand", "speed", 0.0), "stand.speed"),
        (("stand", "tolerance", 0.0), "stand.tolerance"),
        (("settle", "min_time", 0.0), "settle.min_time"),
        (("sit", "speed", "fast"), "sit.speed"),
        (("targets", "torque", {"*_hip_joint": 1.0}), "FR_thigh_joint matches 0 patterns"),
        (("targets", "torque", {"*": 1.0, "FR_hip_joint": 1.0}), "FR_hip_joint matches 2 patterns"),
        (("targets", "torque", {"*": 1.0, "*_elbow_joint": 1.0}), "*_elbow_joint matches no joint"),
        (("landings", "tilt", ...), "unknown: none; missing: tilt"),
        (("landings", "heat", {}), "unknown: heat; missing: none"),
        (("landings", "tilt", "stand", ...), "all modes of tilt; found unknown: none; missing: stand"),
        (("landings", "tilt", "idle", "damping"), "unknown: idle"),
        (
            ("landings", "policy", "active", "jump"),
            "policy in active; found 'jump'; valid: damping, sit, hold",
        ),
        (("landings", "policy", "active", "none"), "found 'none'; valid: damping, sit, hold"),
        (("landings", "policy", "damping", "hold"), "landing of policy in damping; found 'hold'; valid: damping"),
        (("landings", "policy", "landing", "sit"), "landing of policy in landing; found 'sit'; valid: damping"),
        (("landings", "policy", "disarmed", "damping"), "landing of policy in disarmed; found 'damping'; valid: none"),
        (("landings", "tilt", "active", "sit"), "landing of tilt in active; found 'sit'; valid: damping"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(change: tuple[Any, ...], says: str, tmp_path: Path) -> None:
    assert says in refusal(changed(*change), tmp_path)


PER_JOINT = (
    *(("targets", key) for key in ("beyond", "soft", "rate", "velocity", "torque")),
    ("gains", "stiffness"),
    ("gains", "damping"),
    ("state", "joint_vel", "limit"),
    ("state", "joint_pos", "limit"),
    ("damping",),
)


@pytest.mark.parametrize("path", PER_JOINT)
def test_a_pattern_that_fits_no_joint_is_named_with_its_key(path: tuple[str, ...], tmp_path: Path) -> None:
    message = refusal(changed(*path, {"*_elbow": 1.0}), tmp_path)
    assert f"broken.yaml: {'.'.join(path)}; found FR_hip_joint matches 0 patterns, FR_thigh_joint" in message
    assert "*_elbow matches no joint; valid: patterns of which exactly one matches each of FR_hip_joint, FR" in message


def test_every_fault_has_its_line(tmp_path: Path) -> None:
    data = changed("targets", "torque", 50.0)
    data["targets"]["rate"] = 0.0
    lines = refusal(data, tmp_path).splitlines()
    assert len(lines) == 24
    assert all(line.startswith(f"{tmp_path}/broken.yaml: targets.") for line in lines)


def test_faults_of_landings_come_together(tmp_path: Path) -> None:
    data = changed("landings", "tilt", "active", "sit")
    data["landings"]["clock"]["stand"] = "hold"
    lines = refusal(data, tmp_path).splitlines()
    assert [line.split("; ")[0] for line in lines] == [
        f"{tmp_path}/broken.yaml: landings: landing of clock in stand",
        f"{tmp_path}/broken.yaml: landings: landing of tilt in active",
    ]


def test_missing_and_unknown_landings_are_listed(tmp_path: Path) -> None:
    data = changed("landings", "tilt", ...)
    del data["landings"]["clock"]
    data["landings"] |= {"heat": {}, "rain": {}}
    message = refusal(data, tmp_path)
    assert "landings: all trips; found unknown: heat, rain; missing: clock, tilt; valid: battery, clamping" in message


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("trip", sorted(TRIPS))
@pytest.mark.parametrize("landing", ["damping", "sit", "hold", "none"])
def test_which_landing_a_file_may_state(trip: str, mode: Mode, landing: str) -> None:
    """Only trust in state, tilt and motors allows a stiff landing, and only of a robot that is stiff already."""
    table = {name: {m.value: valid_landings(name, m)[0] for m in Mode} for name in TRIPS}
    table[trip][mode.value] = landing
    free = trip in kit.SOFT_TRIPS and mode in (Mode.STAND, Mode.ACTIVE)
    allowed = landing == "none" if mode is Mode.DISARMED else landing == "damping" or (free and landing != "none")
    if allowed:
        assert check_landings(table, "file")[trip, mode] == landing
    else:
        with pytest.raises(SchemaError, match=rf"file: landings: landing of {trip} in {mode.value}"):
            check_landings(table, "file")


def test_a_copy_of_the_shipped_file_loads(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(copy.deepcopy(changed("targets", "beyond", 0.0))))
    assert set(load_safety(file, kit.go2()).target_beyond) == {0.0}


def test_without_a_name_a_file_is_called_safety() -> None:
    config = dataclasses.replace(load(SafetyConfig, kit.GO2_FILE), robot="g1")
    with pytest.raises(SchemaError, match=r"^safety: robot: the file of the robot in use; found g1; valid: go2$"):
        fit(config, kit.go2())


def test_a_file_without_health_has_no_limits_of_it(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(changed("health", ...)))
    assert load_safety(file, kit.go2()).health is None


def test_a_pattern_of_health_is_named_with_its_key(tmp_path: Path) -> None:
    message = refusal(changed("health", "motor_temperature", "limit", {"*_elbow": 1.0}), tmp_path)
    assert f"{tmp_path}/broken.yaml: health.motor_temperature.limit; found FR_hip_joint matches 0" in message


# key, value, what is asked, what is found, what is valid: each line of the file's faults as it is shown.
FAULTS: tuple[tuple[tuple[str, ...], float, str, str, str], ...] = (
    (("targets", "torque"), 0.0, "targets.torque: above 0, up to the robot's peak [N m]", "0", "2.22507e-308 to 23.7"),
    (("targets", "beyond"), -0.5, "targets.beyond: not below 0 [rad]", "-0.5", "0 to inf"),
    (("targets", "soft"), 0.0, "targets.soft: above 0 [rad]", "0", "2.22507e-308 to inf"),
    (("targets", "rate"), 0.0, "targets.rate: above 0 [rad/s]", "0", "2.22507e-308 to inf"),
    (("targets", "velocity"), 0.0, "targets.velocity: above 0 [rad/s]", "0", "2.22507e-308 to inf"),
    (("gains", "stiffness"), 50.0, "gains.stiffness: at least that of the stand [N m/rad]", "50", "60 to inf"),
    (("gains", "damping"), 4.0, "gains.damping: at least that of the stand [N m s/rad]", "4", "5 to inf"),
    (("damping",), 7.0, "damping: above 0, up to gains.damping [N m s/rad]", "7", "2.22507e-308 to 6"),
    (("state", "joint_vel", "limit"), 0.0, "state.joint_vel.limit: above 0 [rad/s]", "0", "2.22507e-308 to inf"),
    (("state", "joint_pos", "limit"), -0.5, "state.joint_pos.limit: not below 0 [rad]", "-0.5", "0 to inf"),
)


@pytest.mark.parametrize(("path", "value", "asked", "found", "valid"), FAULTS)
def test_a_fault_is_one_whole_line(
    path: tuple[str, ...], value: float, asked: str, found: str, valid: str, tmp_path: Path
) -> None:
    lines = refusal(changed(*path, value), tmp_path).splitlines()
    assert lines[0] == f"{tmp_path}/broken.yaml: {asked}: FR_hip_joint; found {found}; valid: {valid}"


def test_a_ceiling_below_the_limit_is_one_whole_line(tmp_path: Path) -> None:
    assert refusal(changed("state", "tilt", "ceiling", 0.9), tmp_path) == (
        f"{tmp_path}/broken.yaml: state.tilt.ceiling: not below the limit [rad]; found 0.9; valid: 1 or more"
    )
