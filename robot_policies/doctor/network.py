"""The network interface that leads to the robot, and whether multicast works on it."""

from __future__ import annotations

import fcntl
import secrets
import socket
import struct
from pathlib import Path

from robot_policies.doctor.finding import Finding
from robot_policies.robots.unitree_wire.interface import check_interface, interfaces

GROUP = "239.255.0.250"  # of this machine's own probe; packets have a life of 0 and do not leave it
SIOCGIFFLAGS, MULTICAST = 0x8913, 0x1000  # linux/sockios.h, linux/if.h


def interface(name: str) -> Finding:
    """Whether there is such an interface, with an address and a link. Raises ``RobotError`` where not."""
    check_interface(name)
    address = interfaces()[name]
    told = Path("/sys/class/net") / name
    speed = _number(told / "speed")
    found = f"{name} has {address}" + (f", {speed} Mbit/s" if speed > 0 else "")
    if (told / "wireless").exists():
        return Finding("interface", "WARN", f"{found}, wireless", "use a cable: Wi-Fi holds packets back for 100 ms")
    if 0 < speed < 100:
        return Finding("interface", "WARN", found, "another cable or port: a robot has 100 Mbit/s at least")
    return Finding("interface", "OK", found)


def unnamed() -> Finding:
    """No interface was named: say which there are."""
    listed = ", ".join(f"{name} ({address or 'no IPv4 address'})" for name, address in interfaces().items())
    return Finding("interface", "WARN", f"none named; there are {listed}", "--interface NAME, for a robot on a cable")


def multicast(name: str) -> Finding:
    """Whether a datagram to a group comes back on the interface. Raises ``RobotError`` for no such interface."""
    check_interface(name)
    address = interfaces()[name]
    if not _flags(name) & MULTICAST:
        if name == "lo":
            return Finding("multicast", "OK", "not on lo, where drivers look for participants by their ports")
        return Finding("multicast", "FAIL", f"switched off on {name}", f"ip link set {name} multicast on")
    if _echo(address):
        return Finding("multicast", "OK", f"a datagram to {GROUP} comes back on {name}")
    todo = "firewall: allow UDP to 239.0.0.0/8; or name the robot with peers:=ADDRESS"
    return Finding("multicast", "FAIL", f"a datagram to {GROUP} does not come back on {name}", todo)


def _echo(address: str) -> bool:
    said = secrets.token_bytes(16)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mouth,
    ):
        ear.bind(("", 0))
        ear.settimeout(1.0)
        membership = struct.pack("4s4s", socket.inet_aton(GROUP), socket.inet_aton(address))
        mouth.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
        mouth.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        mouth.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        try:
            ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
            mouth.sendto(said, (GROUP, ear.getsockname()[1]))
            while ear.recv(64) != said:
                continue
        except OSError:  # refused, or nothing came in time
            return False
    return True


def _flags(name: str) -> int:
    """Return the flags of an interface, from the kernel: /sys may show those of another network namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        answer = fcntl.ioctl(asked, SIOCGIFFLAGS, struct.pack("256s", name.encode()[:15]))
    return int(struct.unpack_from("<H", answer, 16)[0])


def _number(file: Path) -> int:
    try:
        return int(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0
