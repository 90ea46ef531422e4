"""Cyclone DDS as the driver uses it: one participant on one interface, and records as plain bytes.

Everything here is called from the driver's one thread; Cyclone receives in threads of its own, outside of Python.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cyclonedds.builtin import BuiltinDataReader, BuiltinTopicDcpsParticipant, BuiltinTopicDcpsPublication
from cyclonedds.core import DDSException, InstanceState, ReadCondition, SampleState, ViewState, WaitSet
from cyclonedds.domain import Domain, DomainParticipant
from cyclonedds.pub import DataWriter
from cyclonedds.qos import Policy, Qos
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic

from robot_policies.exceptions import RobotError, expected
from robot_policies.robots.unitree_wire.interface import LOOPBACK, check_interface, configuration
from robot_policies.robots.unitree_wire.types_as_0_10 import describe_as_0_10

BLOCK_NS = 2_000_000  # [ns], the most that a write may wait for a reader that does not confirm: one period at 500 Hz
ANY = ViewState.Any | InstanceState.Any
DESCRIBED = 500  # writers or participants that are read of the discovery at once


class Payload:
    """A sample as its bytes. Stands in the place of a class of the IDL, so that nobody takes the sample apart."""

    __slots__ = ("data", "sample_info")

    def __init__(self, data: bytes) -> None:
        """Take the bytes, header included."""
        self.data = data

    def serialize(self, *_: Any, **__: Any) -> bytes:
        """Return the bytes."""
        return self.data

    @classmethod
    def deserialize(cls, data: bytes, *_: Any, **__: Any) -> Payload:
        """Return a sample of what came, whatever it is."""
        return cls(bytes(data))

    deserialize_key = deserialize


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes a topic, as far as the discovery tells."""

    topic: str
    kind: str  # the type's name
    address: str  # "" where it does not say, this process included
    process: str
    host: str
    name: str  # of its participant

    def __str__(self) -> str:
        """Return what a person can find it by."""
        parts = (self.address, self.host, self.process, self.name)
        return " ".join(part for part in parts if part) or "a writer that says nothing of itself"


class Reader:
    """Newest samples of one topic. Best effort, which matches every writer; what is lost comes again."""

    def __init__(self, participant: DomainParticipant, topic: Topic, foreign: bool, depth: int) -> None:
        """Subscribe; ``foreign`` leaves out what this process writes."""
        policies = [Policy.Reliability.BestEffort, Policy.History.KeepLast(depth)]
        if foreign:
            policies.append(Policy.IgnoreLocal.Participant)
        self._reader = DataReader(participant, topic, Qos(*policies))
        condition = ReadCondition(self._reader, ANY | SampleState.NotRead)
        self._waitset = WaitSet(participant)
        self._waitset.attach(condition)

    def wait(self, timeout_ns: int) -> bool:
        """Wait until there is something new; return whether there is."""
        return bool(self._waitset.wait(max(timeout_ns, 0)))

    def take(self) -> list[Any]:
        """Return what is new, oldest first, without waiting."""
        try:
            samples = self._reader.take(16)
        except DDSException as error:
            raise RobotError(f"DDS: reading {self._reader.topic.name}: {error.msg}") from error
        return [sample for sample in samples if sample.sample_info.valid_data]

    def matched(self) -> set[int]:
        """Return the handles of the writers that match."""
        return set(self._reader.get_matched_publications())

    def publication(self, handle: int) -> Any:
        """Return what discovery says of a writer, or None if it has gone."""
        return self._reader.get_matched_publication_data(handle)


class Link:
    """One participant in one domain."""

    def __init__(self, interface: str, domain: int, multicast: str, peers: tuple[str, ...]) -> None:
        """Join ``domain`` through ``interface``; ``multicast`` on, off or auto (but on the loopback).

        Raises:
            RobotError: no such interface, or this process has a domain of that number already.
        """
        check_interface(interface)
        describe_as_0_10()
        self.where = f"domain {domain} through {interface}"
        by_multicast = interface != LOOPBACK if multicast == "auto" else multicast == "on"
        asked = ("127.0.0.1", *peers) if interface == LOOPBACK else peers
        try:
            self._domain = Domain(domain, configuration(interface, by_multicast, asked))
            self._participant = DomainParticipant(domain, qos=Qos(Policy.EntityName("robot_policies")))
        except DDSException as error:
            asked_for = f"DDS domain {domain} on {interface}"
            valid = "a number from 0 to 230 that this process has not opened"
            raise RobotError(expected(asked_for, error.msg, valid)) from error
        self._topics: dict[str, Topic] = {}
        self._participants = BuiltinDataReader(self._participant, BuiltinTopicDcpsParticipant)
        self._known: dict[Any, dict[str, str]] = {}

    def reader(self, topic: str, kind: type, foreign: bool = False, depth: int = 1, raw: bool = True) -> Reader:
        """Subscribe to ``topic`` of the IDL class ``kind``; ``raw`` samples are ``Payload``."""
        return Reader(self._participant, self._topic(topic, kind, raw), foreign, depth)

    def writer(self, topic: str, kind: type, raw: bool = True) -> DataWriter:
        """Offer ``topic``, reliable and of depth 1."""
        qos = Qos(Policy.Reliability.Reliable(BLOCK_NS), Policy.History.KeepLast(1))
        return DataWriter(self._participant, self._topic(topic, kind, raw), qos)

    def is_own(self, publication: Any) -> bool:
        """Return whether a publication is of this process."""
        return bool(publication.participant_key == self._participant.guid)

    def describe(self, publication: Any) -> Writer:
        """Return who is behind a publication that the discovery gave."""
        for participant in self._participants.take(DESCRIBED):
            self._known[participant.key] = _properties(participant.qos)
        about = self._known.get(publication.participant_key, {})
        return Writer(
            topic=publication.topic_name,
            kind=publication.type_name,
            address=_address(about.get("__NetworkAddresses", "")),
            process=about.get("__ProcessName", ""),
            host=about.get("__Hostname", ""),
            name=about.get("name", ""),
        )

    def writers(self) -> tuple[Writer, ...]:
        """Return all writers of the domain that are not of this process. Slow: for what is said to a person."""
        reader = BuiltinDataReader(self._participant, BuiltinTopicDcpsPublication)
        return tuple(self.describe(sample) for sample in reader.read(DESCRIBED) if not self.is_own(sample))

    def close(self) -> None:
        """Leave the domain."""
        self._topics.clear()
        del self._participants, self._participant, self._domain

    def _topic(self, name: str, kind: type, raw: bool) -> Topic:
        if name not in self._topics:
            topic = Topic(self._participant, name, kind)  # advertised as the IDL's type ...
            if raw:
                topic.data_type = Payload  # ... and handed over as bytes
            self._topics[name] = topic
        return self._topics[name]


def _properties(qos: Any) -> dict[str, str]:
    """Return the properties and the name of a participant."""
    about = {policy.key: str(policy.value) for policy in qos if hasattr(policy, "key")}
    for policy in qos:
        if isinstance(policy, Policy.EntityName):
            about["name"] = str(policy.name)
    return about


def _address(text: str) -> str:
    """Return the address in such as ``udp/192.168.123.161:7411@2``."""
    return text.split(",")[0].rpartition("/")[2].partition(":")[0]
