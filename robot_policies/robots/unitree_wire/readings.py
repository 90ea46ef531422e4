"""From the image of a LowState to values of the flow, in the robot's joint order."""

from __future__ import annotations

from typing import Any

import numpy as np

from robot_policies.exceptions import expected
from robot_policies.robot_spec import RobotSpec
from robot_policies.robots.unitree_wire.codec import Image
from robot_policies.robots.unitree_wire.hardware import Places
from robot_policies.robots.unitree_wire.remote import remote_state
from robot_policies.types import Battery, RobotHealth, RobotState, owned

ERROR = 0  # place of a motor's error code in its `reserve`, where recordings of a Go2 show 0: an assumption
FAR = 0.5  # [rad] beyond its limits that no joint of the right robot is at


def robot_state(image: Image, stamp_ns: int, places: Places) -> RobotState:
    """Return the state. The IMU's quaternion is w, x, y, z and rotates base to world; its axes are the base's."""
    motors, imu, index = image["motor_state"], image["imu_state"], places.motors
    return RobotState(
        stamp_ns=stamp_ns,
        joint_pos=owned(motors["q"][index]),
        joint_vel=owned(motors["dq"][index]),
        joint_effort=owned(motors["tau_est"][index]),
        base_quat_wxyz=owned(imu["quaternion"]),
        base_ang_vel=owned(imu["gyroscope"]),
        base_lin_acc=owned(imu["accelerometer"]),
        foot_force=owned(image["foot_force"][places.feet] * places.hardware.foot_force),
    )


def health(image: Image, places: Places, rival: str) -> RobotHealth:
    """Return temperatures, lost packets, battery and remote. All zeros is how a robot says that it does not know."""
    motors, index = image["motor_state"], places.motors
    temperature = motors["temperature"][index]
    return RobotHealth(
        motor_temperature=owned(temperature) if temperature.any() else None,
        motor_lost=owned(motors["lost"][index]),
        battery=_battery(image),
        remote=remote_state(image["wireless_remote"].tobytes()),
        rival=rival,
        motor_error=owned(motors["reserve"][index, ERROR]),
    )


def readings(image: Image, places: Places) -> dict[str, Any]:
    """Return what else a LowState says, for a person to read."""
    motors, battery, index = image["motor_state"], image["bms_state"], places.motors
    return {
        "motor_temperature_C": motors["temperature"][index].tolist(),
        "motor_lost": motors["lost"][index].tolist(),
        "motor_modes": motors["mode"][index].tolist(),
        "motor_errors": motors["reserve"][index, ERROR].tolist(),
        "imu_temperature_C": int(image["imu_state"]["temperature"]),
        "board_temperature_C": [int(image["temperature_ntc1"]), int(image["temperature_ntc2"])],
        "battery_charge": int(battery["soc"]) / 100.0,
        "battery_status": int(battery["status"]),
        "battery_cycles": int(battery["cycle"]),
        "bit_flag": int(image["bit_flag"]),
        "power_V": round(float(image["power_v"]), 2),
        "power_A": round(float(image["power_a"]), 2),
    }


def kind_fault(image: Image, state: RobotState, spec: RobotSpec, places: Places) -> str | None:
    """Return why the first state is not one of ``spec``, or None: other motors, or joints where it has none."""
    others = image["motor_state"][places.others]
    if others["q"].any() or others["temperature"].any():
        live = places.others[(others["q"] != 0) | (others["temperature"] != 0)]
        asked = f"a {spec.name}, of {len(places.motors)} motors"
        return expected(asked, f"a robot with motors {live.tolist()} too", "the robot file of the robot that is there")
    beyond = np.maximum(spec.joint_lower - state.joint_pos, state.joint_pos - spec.joint_upper)
    if (beyond > FAR).any():
        names = ", ".join(f"{spec.joint_names[i]} {state.joint_pos[i]:.2f} rad" for i in np.flatnonzero(beyond > FAR))
        return expected(
            f"a {spec.name}: joints where it can have them", names, "the right robot file; a calibrated robot"
        )
    return None


def _battery(image: Image) -> Battery | None:
    told, voltage = image["bms_state"], float(image["power_v"])
    if not told["soc"] and not voltage:
        return None
    warmest = max(*told["bq_ntc"].tolist(), *told["mcu_ntc"].tolist())
    cells = tuple(cell / 1000.0 for cell in told["cell_vol"].tolist() if cell)
    return Battery(int(told["soc"]) / 100.0, voltage, int(told["current"]) / 1000.0, float(warmest), cells)
