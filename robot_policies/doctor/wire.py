"""A Unitree robot on its own wire, listened to and asked who controls it; nothing is sent to the motors."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from robot_policies.doctor.finding import Finding, child
from robot_policies.exceptions import RobotPoliciesError
from robot_policies.robot_spec import load_robot_spec
from robot_policies.robots.unitree_wire.hardware import read_hardware
from robot_policies.robots.unitree_wire.sdk import check_sdk

LIMIT = 15.0  # [s] for the process that listens
LISTEN = 3.0  # [s]; a participant is found within one
MODULE = "robot_policies.doctor.wire"


def robot(interface: str, domain: int, name: str) -> Finding:
    """Whether the robot tells its state, who controls it, and who else writes commands."""
    check_sdk()
    told = child(MODULE, interface, str(domain), name, limit=LIMIT)
    if not told["states"]:
        todo = "switch it on; its cable in this interface; an address in its network"
        return Finding("robot", "FAIL", f"no state through {interface}; there: {told['others'] or 'nobody'}", todo)
    found = (
        f"{told['states'] / LISTEN:.0f} states a second, battery {told['charge']} %, controlled by {told['control']}"
    )
    if told["rivals"]:
        return Finding("robot", "FAIL", f"{found}; other writers of commands: {told['rivals']}", "end them")
    if told["foreign"]:
        return Finding(
            "robot", "WARN", f"{found}; {told['foreign']} commands of others", "lay it down; armed:=true releases it"
        )
    return Finding("robot", "OK", found)


def listen(interface: str, domain: int, name: str) -> dict[str, Any]:
    """Return what comes from the robot in ``LISTEN`` seconds. Raises ``RobotPoliciesError``."""
    from unitree_sdk2py.idl.unitree_go.msg.dds_ import LowCmd_, LowState_

    from robot_policies.robots.unitree_wire import control
    from robot_policies.robots.unitree_wire.codec import STATE
    from robot_policies.robots.unitree_wire.dds import Link
    from robot_policies.robots.unitree_wire.rivals import Rivals

    allowed = read_hardware(load_robot_spec(name)).hardware.allowed_writers
    link = Link(interface, domain, "auto", ())
    states = link.reader("rt/lowstate", LowState_)
    rivals = Rivals(link, link.reader("rt/lowcmd", LowCmd_, foreign=True), allowed)
    switcher = control.Service(link, control.SWITCHER)
    count, image, answer, asked = 0, None, None, _asked(switcher)
    begun = time.monotonic()
    while time.monotonic() < begun + LISTEN:
        states.wait(20_000_000)
        for sample in states.take():
            count, image = count + 1, STATE.decode(sample.data)
        rivals.poll(time.monotonic_ns())
        answer = next(asked) if answer is None and time.monotonic() > begun + 1.0 else answer
    others = ", ".join(sorted({str(writer) for writer in link.writers()}))
    stray = rivals.rival if "allowed_writers" in rivals.rival else ""
    link.close()
    charge = None if image is None else int(image["bms_state"]["soc"])
    return {"states": count, "charge": charge, "control": _control(answer), "foreign": rivals.messages,
            "rivals": stray, "others": others}  # fmt: skip


def _asked(switcher: Any) -> Any:
    """Yield None until the robot has said who controls it, then its answer; ask again where none comes."""
    from robot_policies.robots.unitree_wire.control import CHECK_MODE

    while True:
        answer = yield from switcher.call(CHECK_MODE, time.monotonic_ns)
        yield answer


def _control(answer: Any) -> str:
    if answer is None or answer[0] != 0:
        return "nobody knows whom (its motion switcher does not answer)"
    name = json.loads(answer[1]).get("name", "")
    return f"its built-in controller {name!r}" if name else "nobody: the built-in controller is released"


if __name__ == "__main__":
    try:
        sys.stdout.write(json.dumps(listen(sys.argv[1], int(sys.argv[2]), sys.argv[3])) + "\n")
    except RobotPoliciesError as error:
        sys.exit(str(error))
