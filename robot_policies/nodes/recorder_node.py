"""The recorder: every topic of the run as raw serialized messages in an MCAP bag that ROS tools read.

A process of its own, so that nothing of it can be in the way of a control loop. It listens to the topics that it knows
before anybody offers them, looks for others all the time, and listens to each as its publishers offer it.
``metadata.yaml`` is written at the end; a recorder that was killed leaves the bag without it (``ros2 bag reindex``
makes one).
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSDurabilityPolicy, QoSProfile, QoSReliabilityPolicy

from robot_policies.control.recording.bag import BagWriter, ChannelKind
from robot_policies.control.recording.folder import keep_facts
from robot_policies.exceptions import ResourceError, RobotPoliciesError, expected
from robot_policies.nodes.bag_metadata import metadata, offered
from robot_policies.nodes.diagnostics import OK, WARN, Diagnostics
from robot_policies.nodes.known_topics import KNOWN
from robot_policies.nodes.message_definitions import definition
from robot_policies.nodes.runtime import Spinner, Stop, refuse_unknown_parameters, run

LOOK_S = 0.1  # [s] between two looks for new topics
TELL_S = 0.5  # [s] between two diagnostics
DEPTH = 200  # messages of a topic that may wait
GLOBAL = ("/clock", "/diagnostics", "/tf", "/tf_static", "/rosout")
BAG = "topics"


class RecorderNode(Node):
    """Writes all topics below its namespace, and those that are everybody's."""

    def __init__(self, **options: Any) -> None:
        """Take the parameters, keep what the run is made of, and begin the bag. Raises ``RobotPoliciesError``."""
        super().__init__("recorder_node", **options)
        for name in ("record", "robot", "safety", "policy", "companion"):
            self.declare_parameter(name, "")
        refuse_unknown_parameters(self)
        self.folder = Path(self._text("record"))
        if not self._text("record"):
            raise ResourceError(expected("parameter record", "nothing", "the folder to record into"))
        self._bag = BagWriter(self.folder / f"{BAG}_0.mcap", "ros2", compressed=True, warn=self.get_logger().warning)
        self._channels: dict[str, tuple[ChannelKind, dict[str, Any]]] = {}
        self._guessed: dict[str, tuple[tuple[str, bool, bool], Any]] = {}  # how it listens to what nobody offers yet
        self._counts: dict[str, int] = {}
        self._skipped: dict[str, str] = {}
        self._first_ns = self._last_ns = time.time_ns()
        self._listen_early()
        self._keep_facts()
        self._diagnostics = Diagnostics(self, "")
        self._next_told = 0.0

    def look(self) -> None:
        """Listen to topics that are new."""
        for topic, _ in self.get_topic_names_and_types():
            settled = self._channels.keys() - self._guessed.keys() | self._skipped.keys()
            if topic not in settled and self._wanted(topic):
                self._listen(topic)
        if time.monotonic() >= self._next_told:
            self._next_told = time.monotonic() + TELL_S
            self._tell()

    def _tell(self) -> None:
        """Say on /diagnostics how the recording does."""
        bag = self._bag
        values = {"messages_recorded": bag.written, "messages_dropped": bag.dropped, "recording_error": bag.error}
        values |= {"not_recorded": self._skipped, "folder": str(self.folder)}
        level, message = (WARN, bag.error) if bag.error else (WARN if bag.dropped else OK, "recording")
        self._diagnostics.publish(time.time_ns(), level, message, values)

    def _listen_early(self) -> None:
        """Listen to what is known before it is offered: its first messages come sooner than a look."""
        for name, offer in KNOWN.items():
            topic = self.resolve_topic_name(name)
            self._guessed[topic] = (offer, self._subscribe(topic, *offer))

    def _wanted(self, topic: str) -> bool:
        space = self.get_namespace().rstrip("/") + "/"
        return topic.startswith(space) or topic in GLOBAL

    def _listen(self, topic: str) -> None:
        """Listen to ``topic`` as its publishers offer it; to nobody there is nothing to listen."""
        publishers = self.get_publishers_info_by_topic(topic)
        if not publishers:
            return
        guess, subscription = self._guessed.pop(topic, (None, None))
        # A topic has one type in a process: one that was guessed cannot be another any more.
        kinds = sorted({publisher.topic_type for publisher in publishers} | ({guess[0]} if guess else set()))
        offer = (kinds[0], *_common(publishers))
        if len(kinds) == 1 and guess == offer:
            return
        if subscription is not None:
            self.destroy_subscription(subscription)
        if len(kinds) == 1 and self._subscribe(topic, *offer) is not None:
            return
        self._channels.pop(topic, None)
        self._skipped[topic] = f"type {kinds[0]} is not installed" if len(kinds) == 1 else f"types {', '.join(kinds)}"
        self.get_logger().warning(f"not recorded: {topic}: {self._skipped[topic]}")

    def _subscribe(self, topic: str, kind: str, reliable: bool, latched: bool) -> Any:
        """Record ``topic`` from now on; return the subscription, None where its type is not installed."""
        cls = _message_class(kind)
        if cls is None:
            return None
        profile = QoSProfile(
            depth=DEPTH,
            reliability=QoSReliabilityPolicy.RELIABLE if reliable else QoSReliabilityPolicy.BEST_EFFORT,
            durability=QoSDurabilityPolicy.TRANSIENT_LOCAL if latched else QoSDurabilityPolicy.VOLATILE,
        )
        qos = offered(reliable, latched)
        text = definition(kind).encode()
        extra = (("offered_qos_profiles", qos),)
        channel = ChannelKind(topic, kind, "ros2msg" if text else "", text, "cdr", extra)
        self._channels[topic] = (channel, {"type": kind, "qos": qos})
        self._counts.setdefault(topic, 0)
        return self.create_subscription(cls, topic, self._taker(channel), profile, raw=True)

    def _taker(self, channel: ChannelKind) -> Callable[[bytes], None]:
        topic, counts, bag = channel.topic, self._counts, self._bag

        def take(data: bytes) -> None:
            now_ns = time.time_ns()
            counts[topic] += 1
            bag.add(channel, counts[topic], now_ns, bytes(data))
            self._last_ns = now_ns

        return take

    def close(self) -> None:
        """End the bag and write its metadata."""
        self._bag.close()
        if not self._bag.error:
            offered_ones = {name: facts for name, (_, facts) in self._channels.items() if name not in self._guessed}
            topics = {name: {**facts, "count": self._counts[name]} for name, facts in offered_ones.items()}
            text = metadata(self._bag.path.name, self._first_ns, self._last_ns, topics)
            try:
                (self.folder / "metadata.yaml").write_text(text, encoding="utf-8")
            except OSError as error:
                self.get_logger().warning(f"no metadata.yaml: {error.strerror}")
        self.destroy_node()

    def _keep_facts(self) -> None:
        """Keep what the run is made of; without it the topics are recorded all the same."""
        robot, policies = self._text("robot"), (self._text("policy"), self._text("companion"))
        try:
            bundles = tuple(name for name in policies if name)
            keep_facts(self.folder, robot, self._text("safety"), bundles)
        except RobotPoliciesError as error:
            self.get_logger().warning(str(error))

    def _text(self, name: str) -> str:
        return str(self.get_parameter(name).value)


def _message_class(kind: str) -> Any:
    """Return the class of a message type, None where its package is not installed."""
    package, _, name = kind.split("/")
    try:
        return getattr(importlib.import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError):
        return None


def _common(publishers: Sequence[Any]) -> tuple[bool, bool]:
    """Return whether all publishers are reliable, and whether all keep their last message for who comes later."""
    profiles = [publisher.qos_profile for publisher in publishers]
    reliable = all(profile.reliability == QoSReliabilityPolicy.RELIABLE for profile in profiles)
    return reliable, all(profile.durability == QoSDurabilityPolicy.TRANSIENT_LOCAL for profile in profiles)


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; exit code 2 where nothing can be recorded, said in one line."""

    def body(stop: Stop) -> None:
        node = RecorderNode()
        spinner = Spinner(node)
        try:
            while not stop.requested:
                node.look()
                spinner.spin_for(LOOK_S)
            spinner.spin_for(0.0)
        finally:
            node.close()

    return run(body, args)


if __name__ == "__main__":
    sys.exit(main())
