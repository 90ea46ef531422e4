"""Parts of the Unitree driver that need no wire: remote, interface, robot file, SDK."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import struct
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from helpers.safety import go2

from robot_policies.exceptions import RobotError, SchemaError
from robot_policies.nodes.joystick import BUTTONS as PAD_BUTTONS
from robot_policies.robots import unitree
from robot_policies.robots.unitree_wire import interface, sdk
from robot_policies.robots.unitree_wire.codec import STATE
from robot_policies.robots.unitree_wire.hardware import read_hardware
from robot_policies.robots.unitree_wire.readings import health, kind_fault, robot_state
from robot_policies.robots.unitree_wire.remote import BUTTONS, remote_state

# Remote: byte and bit of each button, restated from unitree_sdk2's union of the two bytes.
BITS = {
    "right_shoulder": (2, 0), "left_shoulder": (2, 1), "start": (2, 2), "back": (2, 3), "right_trigger": (2, 4),
    "left_trigger": (2, 5), "misc": (2, 6), "paddle1": (2, 7), "south": (3, 0), "east": (3, 1), "west": (3, 2),
    "north": (3, 3), "up": (3, 4), "right": (3, 5), "down": (3, 6), "left": (3, 7),
}  # fmt: skip


def remote(lx: float = 0.0, rx: float = 0.0, ry: float = 0.0, ly: float = 0.0, **bytes_: int) -> bytes:
    data = bytearray(40)
    data[0:2] = b"\x55\x51"
    for place, value in ((4, lx), (8, rx), (12, ry), (20, ly)):
        struct.pack_into("<f", data, place, value)
    for name, value in bytes_.items():
        data[int(name[1:])] = value
    return bytes(data)


@pytest.mark.parametrize("button", BITS)
def test_each_button_of_the_remote(button: str) -> None:
    byte, bit = BITS[button]
    state = remote_state(remote(**{f"b{byte}": 1 << bit}))
    assert state is not None
    assert state.pressed == {button}
    assert state.axes[4:] == (float(button == "left_trigger"), float(button == "right_trigger"))


def test_names_of_the_remote_are_those_of_a_pad() -> None:
    assert set(BITS) == set(BUTTONS)
    assert set(BUTTONS) - {"left_trigger", "right_trigger"} <= set(PAD_BUTTONS)


def test_sticks_are_positive_to_the_left_and_up() -> None:
    state = remote_state(remote(lx=0.25, rx=-0.5, ry=0.75, ly=-1.0))
    assert state is not None
    assert state.axes == (-0.25, -1.0, 0.5, 0.75, 0.0, 0.0)


def test_bad_bytes_of_the_remote() -> None:
    assert remote_state(bytes(40)) is None  # not connected
    assert remote_state(b"\1" * 39) is None
    state = remote_state(remote(lx=float("nan"), rx=float("inf"), ry=7.0))
    assert state is not None
    assert state.axes[:4] == (0.0, 0.0, 0.0, 1.0)


def test_the_interface_must_be_named_and_be_there() -> None:
    for name in ("", "eth77"):
        with pytest.raises(RobotError) as error:
            interface.check_interface(name)
        assert str(error.value).startswith("interface: the network interface that the robot is on (interface:=NAME)")
        assert "lo (127.0.0.1)" in str(error.value)
        assert "\n" not in str(error.value)
    interface.check_interface("lo")


@pytest.mark.parametrize(("address", "flags", "said"), [("", 0x41, "an IPv4 address"), ("10.0.0.1", 0x1, "no link")])
def test_an_interface_without_address_or_cable(
    monkeypatch: pytest.MonkeyPatch, address: str, flags: int, said: str
) -> None:
    monkeypatch.setattr(interface, "interfaces", lambda: {"lo": "127.0.0.1", "eth0": address})
    monkeypatch.setattr(interface, "_flags", lambda _: flags)
    with pytest.raises(RobotError, match=said):
        interface.check_interface("eth0")


def test_the_configuration_names_one_interface_and_says_multicast() -> None:
    tree = ElementTree.fromstring(interface.configuration("eth0", True, ("10.0.0.7", 'a"<')))
    assert [node.get("name") for node in tree.iter("NetworkInterface")] == ["eth0"]
    assert [node.text for node in tree.iter("AllowMulticast")] == ["true"]
    assert [node.get("address") for node in tree.iter("Peer")] == ["10.0.0.7", 'a"<']
    quiet = ElementTree.fromstring(interface.configuration("lo", False, ()))
    assert [node.text for node in quiet.iter("AllowMulticast")] == ["false"]


@pytest.mark.parametrize("found", [None, "0.10.2"])
def test_a_missing_or_other_sdk_is_one_line_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, found: str | None
) -> None:
    def version(name: str) -> str:
        if found is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return found

    monkeypatch.setattr(sdk, "version", version)
    with pytest.raises(RobotError) as error:
        unitree.create(go2(), {"interface": "lo"})
    assert str(error.value) == (
        f"backend unitree: the Python package cyclonedds 11.0.1; found {found or 'not installed'}; valid: "
        "pip install --no-deps cyclonedds==11.0.1 unitree-sdk2py-dimos==1.0.3"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"interfaces": "lo"}, "interfaces: unknown key"),
        ({"interface": "lo", "armed": "yes"}, "armed: Input should be a valid boolean"),
        ({"interface": "lo", "domain": 500}, "domain: Input should be less than or equal to 230"),
        ({"interface": "lo", "multicast": "maybe"}, "multicast: "),
        ({"interface": "lo", "clock": "lockstep"}, "clock: that of a real robot; found lockstep; valid: real"),
        (
            {"interface": "lo", "rate": 200.0},
            "rate: that of the robot, or a whole part of it; found 200 Hz; valid: 500",
        ),
        ({}, "interface: the network interface that the robot is on"),
    ],
)
def test_wrong_options_are_told_before_anything_is_opened(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], said: str
) -> None:
    monkeypatch.setattr(unitree, "check_sdk", lambda: None)
    with pytest.raises((RobotError, SchemaError)) as error:
        unitree.check_options(go2(), options)
    assert said in str(error.value)
    assert unitree.check_options(go2(), {"interface": "lo", "rate": 250.0}).armed is False


def with_hardware(**changes: Any) -> Any:
    section = {**go2().hardware["unitree"], **changes}
    return dataclasses.replace(go2(), hardware={"unitree": section})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"motors": {"FR_hip_joint": 0}}, "motors: each name once"),
        ({"motors": dict.fromkeys(go2().joint_names, 3)}, "motors: a place of its own for each"),
        ({"motors": {name: 9 + k for k, name in enumerate(go2().joint_names)}}, "valid: 0 to 19, once each"),
        ({"feet": {"FR_foot": 0}}, "feet: each name once"),
        ({"rate": 0.0}, "rate: Input should be greater than 0"),
        ({"colour": 1}, "colour: unknown key"),
    ],
)
def test_a_wrong_section_of_the_robot_file(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SchemaError) as error:
        read_hardware(with_hardware(**changes))
    assert "hardware.unitree" in str(error.value)
    assert said in str(error.value)


def test_a_robot_without_the_section() -> None:
    with pytest.raises(SchemaError, match="robot go2: hardware.unitree: a section of the robot file; found no section"):
        read_hardware(dataclasses.replace(go2(), hardware={}))


def test_motors_and_feet_are_mapped_by_name() -> None:
    """With places in reverse, every value still reaches the joint of its name."""
    names, feet = go2().joint_names, go2().feet
    spec = with_hardware(
        motors={name: 19 - k for k, name in enumerate(names)}, feet={name: 3 - k for k, name in enumerate(feet)}
    )
    places, image = read_hardware(spec), STATE.new()
    for k in range(12):
        motor = image["motor_state"][19 - k]
        motor["q"], motor["dq"], motor["tau_est"], motor["temperature"], motor["lost"] = k, -k, 2 * k, 30 + k, 100 + k
        motor["reserve"] = [200 + k, 600]
    image["foot_force"] = [4, 3, 2, 1]
    image["imu_state"]["quaternion"] = [0.5, -0.5, 0.5, -0.5]
    image["imu_state"]["gyroscope"], image["imu_state"]["accelerometer"] = [1, 2, 3], [4, 5, 6]
    state = robot_state(image, 7, places)
    assert state.stamp_ns == 7
    np.testing.assert_array_equal(state.joint_pos, np.arange(12))
    np.testing.assert_array_equal(state.joint_vel, -np.arange(12))
    np.testing.assert_array_equal(state.joint_effort, 2 * np.arange(12))
    np.testing.assert_array_equal(state.foot_force, [1, 2, 3, 4])
    np.testing.assert_array_equal(state.base_quat_wxyz, [0.5, -0.5, 0.5, -0.5])
    np.testing.assert_array_equal(state.base_ang_vel, [1, 2, 3])
    np.testing.assert_array_equal(state.base_lin_acc, [4, 5, 6])
    told = health(image, places, "nobody")
    assert told.motor_temperature is not None
    assert told.motor_lost is not None
    np.testing.assert_array_equal(told.motor_temperature, 30 + np.arange(12))
    np.testing.assert_array_equal(told.motor_lost, 100 + np.arange(12))
    assert told.rival == "nobody"
    assert told.motor_error is not None
    np.testing.assert_array_equal(told.motor_error, 200 + np.arange(12))


def test_a_state_owns_its_numbers() -> None:
    places, image = read_hardware(go2()), STATE.new()
    state = robot_state(image, 0, places)
    image["motor_state"]["q"] = 9.0
    assert not state.joint_pos.any()
    with pytest.raises(ValueError, match="read-only"):
        state.joint_pos[0] = 1.0


def test_battery_and_temperatures_that_nobody_tells_are_none() -> None:
    places, image = read_hardware(go2()), STATE.new()
    told = health(image, places, "")
    assert (told.motor_temperature, told.battery, told.remote) == (None, None, None)
    image["power_v"], image["bms_state"]["soc"], image["bms_state"]["current"] = 29.5, 83, -2500
    image["bms_state"]["bq_ntc"], image["bms_state"]["mcu_ntc"] = [31, 32], [40, 33]
    image["bms_state"]["cell_vol"][:8] = 3700
    battery = health(image, places, "").battery
    assert battery is not None
    assert (battery.charge, battery.voltage, battery.current, battery.temperature) == (0.83, 29.5, -2.5, 40.0)
    assert battery.cells == (3.7,) * 8


def test_another_robot_is_told_by_its_motors_or_its_joints() -> None:
    spec, places, image = go2(), read_hardware(go2()), STATE.new()
    image["motor_state"]["q"][:12] = spec.poses["sit"]
    assert kind_fault(image, robot_state(image, 0, places), spec, places) is None
    image["motor_state"]["q"][14] = 0.1
    fault = kind_fault(image, robot_state(image, 0, places), spec, places)
    assert fault is not None
    assert fault.startswith("a go2, of 12 motors; found a robot with motors [14] too; valid: ")
    image["motor_state"]["q"][14] = 0.0
    image["motor_state"]["q"][:12] = 0.0  # a calf of a Go2 cannot be straight
    fault = kind_fault(image, robot_state(image, 0, places), spec, places)
    assert fault is not None
    assert "FR_calf_joint 0.00 rad" in fault
