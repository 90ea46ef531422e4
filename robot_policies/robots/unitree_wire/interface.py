"""The network interface that a robot is on, named by the user and checked before anything is opened."""

from __future__ import annotations

import fcntl
import socket
import struct
from xml.sax.saxutils import quoteattr

from robot_policies.exceptions import RobotError, expected

LOOPBACK = "lo"
SIOCGIFFLAGS, SIOCGIFADDR = 0x8913, 0x8915  # linux/sockios.h
UP, RUNNING = 0x1, 0x40  # linux/if.h
PARTICIPANTS = 20  # on one machine without multicast, each of which is asked for on its own port


def interfaces() -> dict[str, str]:
    """Return the IPv4 address of each interface of this machine, "" where it has none."""
    return {name: _address(name) for _, name in socket.if_nameindex()}


def check_interface(name: str) -> None:
    """Raise ``RobotError`` where ``name`` is no interface, has no IPv4 address, or is not connected; lists them all."""
    known = interfaces()
    valid = ", ".join(f"{key} ({address or 'no IPv4 address'})" for key, address in known.items())
    if name not in known:
        found = "none given" if not name else f"no {name!r} on this machine"
        raise RobotError(
            expected("interface: the network interface that the robot is on (interface:=NAME)", found, valid)
        )
    if not known[name]:
        todo = "an address in the robot's network (a Go2: 192.168.123.x/24, not .161), such as: ip addr add"
        raise RobotError(expected(f"interface {name}: an IPv4 address", "none", f"{todo}; there are {valid}"))
    if _flags(name) & (UP | RUNNING) != UP | RUNNING:
        raise RobotError(expected(f"interface {name}: connected", "no link", "a cable to a robot that is switched on"))


def configuration(interface: str, multicast: bool, peers: tuple[str, ...]) -> str:
    """Return Cyclone's configuration of a domain that uses this interface and no other.

    Args:
        interface: its name.
        multicast: whether participants are found by multicast. On the loopback interface they are not.
        peers: addresses that are asked besides; without multicast the only ones.
    """
    asked = "".join(f"<Peer address={quoteattr(peer)}/>" for peer in peers)
    return (
        '<CycloneDDS><Domain Id="any"><General><Interfaces>'
        f"<NetworkInterface name={quoteattr(interface)}/></Interfaces>"
        f"<AllowMulticast>{str(multicast).lower()}</AllowMulticast></General>"
        "<Discovery><ParticipantIndex>auto</ParticipantIndex>"
        f"<MaxAutoParticipantIndex>{PARTICIPANTS}</MaxAutoParticipantIndex>"
        f"<Peers>{asked}</Peers></Discovery></Domain></CycloneDDS>"
    )


def _ask(name: str, request: int) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        return fcntl.ioctl(any_socket, request, struct.pack("256s", name.encode()[:15]))


def _address(name: str) -> str:
    try:
        return socket.inet_ntoa(_ask(name, SIOCGIFADDR)[20:24])
    except OSError:
        return ""


def _flags(name: str) -> int:
    return int(struct.unpack_from("<H", _ask(name, SIOCGIFFLAGS), 16)[0])
