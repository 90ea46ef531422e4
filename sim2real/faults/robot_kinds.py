"""Faults of the robot: its states, sensors, clock and body; and on the wire its motors and its other masters."""

from __future__ import annotations

from typing import Any

from sim2real.faults.kind import DEGRADE, LAND, TOLERATE, Inject, Kind, everywhere

SIM, WIRE = ("mujoco",), ("wire",)
CALF = 2  # of the first leg
OUT = 0.6  # [s] that a robot is away; the robot node gives one up after 1 s


def _robot(verb: str, **numbers: Any) -> Inject:
    return lambda scene: scene.ask_robot(verb, **numbers)


def _fault(name: str, **numbers: Any) -> Inject:
    return _robot("fault", name=name, **numbers)


def _kind(name: str, expected: str, why: str, inject: Inject, **more: Any) -> Kind:
    return Kind(name, everywhere(expected), why, inject, **more)


STATES = (
    _kind("state_lost", LAND, "without a state nothing is known", _fault("drop", seconds=OUT), age="state_gap"),
    _kind("state_few_lost", TOLERATE, "three states in a row: 6 to 15 ms of 100 ms", _fault("drop", count=3)),
    _kind("state_late", LAND, "0.3 s late: as if there were none", _fault("delay", delay=0.3), age="state_gap"),
    _kind("state_frozen", LAND, "the same state again is no new one", _fault("freeze", seconds=OUT), age="state_gap"),
    _kind("state_values_frozen", LAND, "old values under new ticks: sensors of a body never stand still",
          _fault("frozen_values"), age="state_frozen"),
    _kind("state_nan", LAND, "a position that is no number", _fault("nan", motor=4)),
    _kind("imu_nan", LAND, "an attitude that is no number", _fault("nan_imu")),
    _kind("state_short", LAND, "eleven positions for twelve joints", _fault("short"), backends=SIM),
    _kind("robot_unreadable", LAND, "the driver says that it cannot read",
          _fault("unreadable", seconds=OUT), backends=SIM),
    _kind(
        "clock_forward",
        LAND,
        "the robot's clock jumps by 0.5 s: no age is true",
        _fault("clock_jump", milliseconds=500),
    ),
    _kind("clock_back", LAND, "the same, backwards", _fault("clock_jump", milliseconds=-500), backends=SIM),
    _kind("encoder_slips", LAND, "a calf 3 rad from where it was",
          _fault("joint_jump", motor=CALF, radians=-3.0), age="joint_pos", allows=("joint_pos", "joint_vel")),
    _kind("joint_speed_wrong", LAND, "80 rad/s measured, nothing turns so fast",
          _fault("joint_speed", motor=CALF, speed=80.0), backends=SIM, age="joint_vel"),
    _kind("joint_speed_spike", TOLERATE, "one such value is noise",
          _fault("joint_speed", motor=CALF, speed=80.0, count=1), backends=SIM),
)  # fmt: skip
BODY = (
    _kind("tilt", LAND, "over 1 rad it is falling", _robot("tilt", roll=1.4),
          age="tilt", onset="tilt", allows=("tilt", "joint_vel", "joint_pos")),
    _kind("pushed_over", LAND, "a push that no legs can answer", _robot("push", velocity=[0.0, 4.0, 1.5]),
          age="tilt", onset="tilt", allows=("tilt", "joint_vel", "joint_pos"), seconds=5.0),
    _kind("pushed_a_little", TOLERATE, "0.3 m/s: every policy and stand here takes that",
          _robot("push", velocity=[0.0, 0.3, 0.0])),
    Kind("joint_at_limit", {"stand": LAND, "active": DEGRADE},
         "what holds a leg has its target clamped, and trips in a stand; a walk goes on with three, or leans and lands",
         _robot("hold_joint", motor=CALF, limit="lower"), age="clamping", allows=("joint_pos", "tilt", "joint_vel"),
         seconds=5.0),
)  # fmt: skip
ON_THE_WIRE = (
    _kind("ticks_back", LAND, "the robot's ticks jump back by 0.5 s: none of them is newer for that long",
          _fault("clock_jump", milliseconds=-500), backends=WIRE, age="state_gap"),
    _kind("state_doubled", TOLERATE, "each state twice: the second is no new one", _fault("duplicate"), backends=WIRE),
    _kind("state_one_doubled", TOLERATE, "a doubled message", _fault("duplicate", count=1), backends=WIRE),
    _kind("state_reordered", TOLERATE, "pairs change places: the older of the two is dropped",
          _fault("reorder"), backends=WIRE),
    _kind("state_bad_crc", LAND, "states with a wrong checksum are none", _fault("bad_crc", seconds=OUT),
          backends=WIRE, age="state_gap"),
    _kind("state_one_bad_crc", TOLERATE, "one such state is a lost one", _fault("bad_crc", count=1), backends=WIRE),
    _kind("state_corrupt", LAND, "a byte inverted in each: the checksum tells", _fault("corrupt", seconds=OUT),
          backends=WIRE, age="state_gap"),
    _kind("state_torn", LAND, "half a state and half another: the checksum tells", _fault("torn", seconds=OUT),
          backends=WIRE, age="state_gap"),
    _kind("network_mute", LAND, "nothing in, nothing out", _fault("mute", seconds=OUT), backends=WIRE, age="state_gap"),
    _kind("motor_hot", LAND, "over 85 deg C", _fault("temperature", motor=4, celsius=110),
          backends=WIRE, age="motor_temperature", seconds=5.0),
    _kind("motor_packets_lost", LAND, "1000 packets lost on the way to a motor", _fault("lost", motor=4, packets=1000),
          backends=WIRE),
    _kind("motor_error", LAND, "a motor tells an error code", _fault("motor_error", motor=4, code=3),
          backends=WIRE, age="motor_error"),
    _kind("battery_empty", LAND, "3 % left", _fault("battery", percent=3), backends=WIRE, age="battery", seconds=10.0),
    _kind("rival_controller", LAND, "the built-in controller is selected again, and commands a second later",
          _robot("mode", name="mcf"), backends=WIRE, allows=("joint_vel", "joint_pos"), onset="rival", seconds=3.0,
          last=True),
)  # fmt: skip
KINDS = (*STATES, *BODY, *ON_THE_WIRE)
