"""The robots that a peer can be, and what each needs."""

from __future__ import annotations

from dataclasses import dataclass

from robot_policies.exceptions import RobotError
from robot_policies.robot_spec import RobotSpec, load_robot_spec
from sim2real.firmware.peer import Link


@dataclass(frozen=True)
class Kind:
    """One robot."""

    body: str  # robot file of its body
    mode: str  # built-in controller at power-on
    impossible: tuple[str, ...] = ()  # faults that its wire cannot carry


# There is no model of a Go1 here: its body is a Go2's, which has the same joints in the same order and weighs more.
# Its controllers are chosen with the remote and not over the wire, so it starts as L1+L2+start leaves it: low level.
ROBOTS = {"go2": Kind("go2", "mcf", ("short",)), "go1": Kind("go2", "released")}


def robot_spec(name: str) -> RobotSpec:
    """Return the body of a robot of ``ROBOTS``."""
    return load_robot_spec(ROBOTS[name].body)


def robot_link(name: str, interface: str, domain: int, port: int) -> Link:
    """Open the wire of a robot of ``ROBOTS``. Raises RobotError: an interface, domain or port, or a missing SDK."""
    if name == "go1":
        from sim2real.firmware.go1 import Go1Link

        return Go1Link(interface, port)
    try:
        from sim2real.firmware.go2 import Go2Link
    except ImportError as error:
        valid = "pip install cyclonedds==11.0.1 unitree-sdk2py-dimos==1.0.3"
        raise RobotError(f"the Go2's SDK; found {error}; valid: {valid}") from error
    return Go2Link(interface, domain)
