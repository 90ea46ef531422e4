"""The Go2's end of the DDS network: topics as the robot has them, with records as bytes.

Needs ``cyclonedds`` and ``unitree_sdk2py`` (the distribution ``unitree-sdk2py-dimos``) for the types.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import quoteattr

from cyclonedds.core import DDSException
from cyclonedds.domain import Domain, DomainParticipant
from cyclonedds.idl import _xt_builder as builder
from cyclonedds.idl import types as primitives
from cyclonedds.idl._typesupport.DDS import XTypes
from cyclonedds.pub import DataWriter
from cyclonedds.qos import Policy, Qos
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from unitree_sdk2py.idl.unitree_api.msg.dds_ import Request_, Response_, ResponseHeader_, ResponseStatus_
from unitree_sdk2py.idl.unitree_go.msg.dds_ import LowCmd_, LowState_

from robot_policies.exceptions import RobotError, expected

LOOPBACK = "lo"
KEPT = 32  # commands between two ticks that are still all seen
_SECOND_NS = 1_000_000_000


def domain_xml(interface: str) -> str:
    """Return Cyclone's configuration: this interface only; on loopback without multicast, which nothing leaves."""
    quiet = (
        "<AllowMulticast>false</AllowMulticast></General><Discovery><ParticipantIndex>auto</ParticipantIndex>"
        '<MaxAutoParticipantIndex>60</MaxAutoParticipantIndex><Peers><Peer address="127.0.0.1"/></Peers></Discovery>'
    )
    return (
        '<CycloneDDS><Domain Id="any"><General><Interfaces>'
        f"<NetworkInterface name={quoteattr(interface)}/></Interfaces>"
        f"{quiet if interface == LOOPBACK else '</General>'}</Domain></CycloneDDS>"
    )


def use_robot_type_ids() -> None:
    """Describe octets as Cyclone 0.10.2 does, which is what the robot runs; before the first topic is made.

    Cyclone 11 describes them in another way, so that type hashes differ and 0.10.2 dies of the look-up that follows.
    """
    if getattr(builder.XTBuilder, "of_robot", False):
        return
    kinds = ((primitives.uint8, XTypes.TK_BYTE), (primitives.int8, XTypes.TK_CHAR8))
    original = builder.XTBuilder.__dict__["_xt_type_identifier"].__func__

    def identifier(cls: Any, name: str, entity: Any, minimal: bool) -> Any:
        for octet, kind in kinds:
            if entity is octet:
                return XTypes.TypeIdentifier(discriminator=kind, value=None)
        return original(cls, name, entity, minimal)

    builder.XTBuilder._xt_type_identifier = classmethod(identifier)
    builder.XTBuilder.of_robot = True


@dataclass
class Packet:
    """A sample that is its own bytes, in the place of an IDL class."""

    data: bytes
    sample_info: Any = None

    def serialize(self, *_: Any, **__: Any) -> bytes:
        """Return the bytes."""
        return self.data

    @classmethod
    def deserialize(cls, data: bytes, *_: Any, **__: Any) -> Packet:
        """Take the bytes, whatever they are."""
        return cls(bytes(data))

    deserialize_key = deserialize


class Wire:
    """Participant, topics and services of one robot."""

    def __init__(self, interface: str, domain: int) -> None:
        """Join ``domain`` on ``interface``. Raises RobotError where that is not possible."""
        names = [name for _, name in socket.if_nameindex()]
        if interface not in names:
            raise RobotError(expected("interface", interface, names))
        use_robot_type_ids()
        try:
            self._domain = Domain(domain, domain_xml(interface))
            self._participant = DomainParticipant(domain)
        except DDSException as error:
            raise RobotError(
                expected(f"DDS domain {domain} on {interface}", str(error), "0 to 230, not in use")
            ) from error
        newest = Qos(Policy.Reliability.Reliable(_SECOND_NS // 10), Policy.History.KeepLast(1))
        foreign = Qos(Policy.Reliability.BestEffort, Policy.History.KeepLast(KEPT), Policy.IgnoreLocal.Participant)
        self._newest = newest
        self._states = DataWriter(self._participant, self._bytes("rt/lowstate", LowState_), newest)
        self._commands = self._bytes("rt/lowcmd", LowCmd_)
        self._heard = DataReader(self._participant, self._commands, foreign)
        self._own: Any = None

    def _bytes(self, name: str, kind: Any) -> Any:
        """Return a topic that is registered as ``kind`` and whose samples are bytes."""
        topic = Topic(self._participant, name, kind)
        topic.data_type = Packet
        return topic

    def write_state(self, data: bytes) -> None:
        """Send a LowState."""
        self._states.write(Packet(data))

    def take_commands(self) -> list[tuple[bytes, int]]:
        """Return the LowCmds that others have sent since the last call, each with a number of its writer."""
        taken = self._heard.take(KEPT)
        return [(packet.data, packet.sample_info.publication_handle) for packet in taken if isinstance(packet, Packet)]

    def write_own_command(self, data: bytes | None) -> None:
        """Send the built-in controller's LowCmd; None takes its writer off the network."""
        if data is None:
            self._own = None
            return
        if self._own is None:
            self._own = DataWriter(self._participant, self._commands, self._newest)
        self._own.write(Packet(data))

    def service(self, name: str) -> Service:
        """Return the robot's end of a service."""
        return Service(self._participant, name)


class Service:
    """Requests in, responses out, as ``unitree_sdk2py.rpc`` names its topics."""

    def __init__(self, participant: Any, name: str) -> None:
        """Offer ``name``."""
        many = Qos(Policy.Reliability.Reliable(_SECOND_NS), Policy.History.KeepLast(16))
        self._requests = DataReader(participant, Topic(participant, f"rt/api/{name}/request", Request_), many)
        self._responses = DataWriter(participant, Topic(participant, f"rt/api/{name}/response", Response_), many)

    def take(self) -> list[Any]:
        """Return the requests that have come."""
        return [request for request in self._requests.take(16) if isinstance(request, Request_)]

    def answer(self, request: Any, code: int, data: str) -> None:
        """Answer a request, unless it asks for none."""
        if not request.header.policy.noreply:
            header = ResponseHeader_(request.header.identity, ResponseStatus_(code))
            self._responses.write(Response_(header, data, []))
