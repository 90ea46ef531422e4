"""A recording as a source of the page: what was said on the topics is heard again, at any time and speed.

The page's own ears are used: they subscribe here as they do at a node, and their clock is the recording's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node

from robot_policies.exceptions import RecordingError, expected
from robot_policies.nodes.velocity_source import VelocitySource
from robot_policies.nodes.viewer_bag import JOINTS, NS, Places, TopicBag, newest_before, sampled
from robot_policies.nodes.viewer_facts import Facts
from robot_policies.nodes.viewer_inputs import SENT, ViewerInputs
from robot_policies.nodes.viewer_player import PlayPressed, Sought, SpeedChosen, Stepped
from robot_policies.nodes.viewer_plots import RATE, SPAN

PICTURE = 0.04  # [s], as the live page's default
LONGEST = 0.25  # [s] of this machine's time that a step may take: one that was held up does not jump
BEFORE = SPAN + 0.5  # [s] that is heard again to show a moment: the plots, and rates over 3 s of reports
MODE, COMMANDING, DIAGNOSTICS, TRUTH = "robot_mode", "commanding_policy", "/diagnostics", "ground_truth/odom"
KEPT = ("robot_description", "ground")  # what is said once
EVERY = ("cmd_vel", COMMANDING, DIAGNOSTICS)  # heard one by one: rates and lists are made of them


class Playback:
    """Hears a recording as ``ViewerNode`` hears a robot.

    Attributes:
        position: the moment that is shown [s] from the beginning.
        playing, speed: whether it goes on, and how fast.
        note: what cannot be shown.
    """

    period = PICTURE

    def __init__(self, bag: TopicBag) -> None:
        """Show the beginning of ``bag``."""
        self.bag, self.note = bag, "; ".join(bag.missing)
        self.position, self.speed, self.playing = 0.0, 1.0, True
        self._ears: dict[str, Callable[[Any], None]] = {}
        self._every, self._kept = ({self.topic(name) for name in names} for names in (EVERY, KEPT))
        self._told: dict[str, int] = {}  # of what is said once: which message was heard
        self._heard_at = 0.0
        self._then: float | None = None
        node = cast(Node, self)
        self.inputs = ViewerInputs(node, self._depth_topic(), self.say, self.clock)
        self.facts = Facts(bag.prefix, self.clock)
        self.create_subscription(DiagnosticArray, DIAGNOSTICS, self.facts.take, None)
        stamped = bag.kinds.get(self.topic("cmd_vel")) != "geometry_msgs/msg/Twist"
        self.velocity = VelocitySource(node, stamped, clock=self.clock)
        self._start = self._first_place()
        self.seek(0.0)

    def topic(self, name: str) -> str:
        """Return the full name of a topic of the robot."""
        return name if name.startswith("/") else self.bag.prefix + name

    def create_subscription(self, kind: Any, topic: str, callback: Callable[[Any], None], qos: Any) -> None:
        """Give ``callback`` what was recorded of a topic, where it has the type that is expected; as a node's."""
        known = f"{kind.__module__.partition('.')[0]}/msg/{kind.__name__}"
        recorded = self.bag.kinds.get(self.topic(topic), known)
        if recorded == known:
            self._ears[self.topic(topic)] = callback
        else:
            self.say(expected(f"{topic}: a type that can be shown", recorded, known))

    def create_publisher(self, kind: Any, topic: str, qos: Any) -> None:
        """Make nothing: nobody is told anything of a recording. As a node's."""

    def get_logger(self) -> Playback:
        """Return what takes errors; as a node's."""
        return self

    def error(self, text: str) -> None:
        """Show ``text``."""
        self.say(text)

    def say(self, text: str) -> None:
        """Show ``text`` on the page until something else is said."""
        self.note = text

    def clock(self) -> float:
        """Return the moment of the recording that is heard now [s]."""
        return self._heard_at

    def now_ns(self) -> int:
        """Return that moment on the recording's clock [ns]."""
        return self.bag.begin_ns + round(self._heard_at * NS)

    def played(self) -> str:
        """Return where this is."""
        state = f"{self.speed:g} x" if self.playing else "paused"
        return f"recorded, {self.position:.2f} of {self.bag.length:.2f} s, {state}"

    def serve(self, events: Iterable[object], now: float) -> None:
        """Do what browsers ask for, and go on playing while somebody looks."""
        sought: float | None = None  # only the last: a slider that is dragged says many
        for event in events:
            if isinstance(event, Sought):
                sought = event.position
            elif isinstance(event, Stepped):
                self.playing, sought = False, (self.position if sought is None else sought) + event.by
            elif isinstance(event, SpeedChosen):
                self.speed = event.speed
            elif isinstance(event, PlayPressed):
                self.playing = not self.playing
                sought = 0.0 if self.playing and self.position >= self.bag.length else sought
        if sought is not None:
            self.seek(sought)
        passed = 0.0 if self._then is None else min(now - self._then, LONGEST)
        self._then = now
        if self.playing and self.inputs.watched and passed > 0.0:
            self.go_on(passed * self.speed)

    def seek(self, position: float) -> None:
        """Show the moment ``position`` [s]: all that the page shows of it is heard anew."""
        self.position = min(max(position, 0.0), self.bag.length)
        for ear in (self.inputs, self.facts, self.velocity):
            ear.forget()
        self.inputs.start = self._start
        end = self.bag.at(self.position)
        watched, self.inputs.watched = self.inputs.watched, True  # the plots' history is kept only then
        begin = self.bag.at(self.position - BEFORE)
        self._hear(self._said_before(begin))
        self._hear(self._chosen(begin, end))
        self.inputs.watched = watched
        self._heard_at = self.position

    def go_on(self, seconds: float) -> None:
        """Hear the next ``seconds`` of the recording; at its end it pauses."""
        begin, self.position = self.bag.at(self.position), min(self.position + seconds, self.bag.length)
        self._hear(self._chosen(begin, self.bag.at(self.position)))
        self._heard_at = self.position
        self.playing = self.position < self.bag.length

    def _said_before(self, end: int) -> Places:
        """Return the places of what is said once or at a change, among the first ``end`` messages."""
        last = [self.bag.places(self.topic(name), 0, end)[-1:] for name in (*KEPT, MODE)]
        return np.sort(np.concatenate([*last, self.bag.places(self.topic(COMMANDING), 0, end)]))

    def _chosen(self, begin: int, end: int) -> Places:
        """Return the messages from ``begin`` on and before ``end`` that make a difference to the page, in order."""
        joints = sampled(self.bag.places(self.topic(JOINTS), begin, end), self.bag.times, 1.0 / RATE)
        sent = self.bag.places(self.topic(SENT), begin, end)
        parts = [joints, newest_before(sent, [*joints.tolist(), end])]
        for topic in self._ears.keys() - {self.topic(JOINTS), self.topic(SENT)}:
            places = self.bag.places(topic, begin, end)
            parts.append(places if topic in self._every else places[-1:])
        return np.unique(np.concatenate(parts))

    def _hear(self, places: Places) -> None:
        for place in places.tolist():
            topic = self.bag.name(place)
            if topic in self._told and self._told[topic] == place:
                continue
            self._heard_at = float(self.bag.times[place])
            try:
                message = self.bag.message(place)
            except RecordingError as error:
                self.say(str(error))
                continue
            if topic in self._kept:
                self._told[topic] = place
            self._ears[topic](message)

    def _depth_topic(self) -> str:
        """Return the topic of the first camera, without the namespace."""
        known = sorted(topic for topic in self.bag.kinds if topic.endswith("depth/image_rect"))
        return known[0] if known else "depth/image_rect"

    def _first_place(self) -> tuple[float, float] | None:
        """Return where the robot was first seen [m]."""
        for place in self.bag.places(self.topic(TRUTH), 0, self.bag.at(self.bag.length)).tolist():
            try:
                position = self.bag.message(place).pose.pose.position
            except (RecordingError, AttributeError):  # damaged, or of another type
                continue
            return position.x, position.y
        return None
