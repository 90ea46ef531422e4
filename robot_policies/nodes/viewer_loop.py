"""What the viewer does over and over: carries presses to the robot; samples, draws and tells, where anybody looks."""

from __future__ import annotations

import math

from robot_policies.nodes.viewer_inputs import DEPTH, FRESH
from robot_policies.nodes.viewer_page import Page
from robot_policies.nodes.viewer_report import events, numbers
from robot_policies.nodes.viewer_source import Source
from robot_policies.nodes.viewer_text import Status, Velocity3
from robot_policies.nodes.viewer_urdf import Urdf
from robot_policies.robots.robot import GroundShape

LONGEST = 0.05  # [s] between looks at what was pressed
WORDS_PERIOD = 0.2  # [s] between changes of mode, velocities and notes
MORE_PERIOD = 0.5  # [s] between changes of the tables: nodes tell twice a second
PLOT_PERIOD = 0.1  # [s]
DEPTH_PERIOD = 0.1  # [s]


class Loop:
    """One viewer and its page."""

    def __init__(self, node: Source, page: Page) -> None:
        self._node, self._page = node, page
        self._robot: Urdf | None = None
        self._ground: GroundShape | None = None
        self._joints: tuple[str, ...] = ()
        self._due: dict[str, float] = {}
        self._depth_ns = -1

    def period(self) -> float:
        """Return the time [s] from one ``step`` to the next."""
        return min(self._node.period, LONGEST)

    def step(self, now: float) -> None:
        """Do what is due at ``now`` (monotonic [s])."""
        node, page = self._node, self._page
        node.serve(page.events(), now)
        self._show_world()
        node.inputs.watched = page.watched()
        if not node.inputs.watched:
            return
        if self._robot is not None and self._is_due("picture", now, node.period):
            page.pose(node.inputs.joints(), *node.inputs.base())
        if self._is_due("words", now, WORDS_PERIOD):
            page.tell(self._status())
        if self._is_due("more", now, MORE_PERIOD):
            page.tell_more(numbers(node), events(node))
        if self._is_due("plot", now, PLOT_PERIOD):
            page.plot(node.inputs.history)
        if self._is_due("depth", now, DEPTH_PERIOD):
            self._show_depth()

    def _show_world(self) -> None:
        """Show a robot or a ground that is new."""
        inputs, page = self._node.inputs, self._page
        if inputs.urdf is not None and inputs.urdf is not self._robot:
            self._robot = inputs.urdf
            page.show_robot(inputs.urdf)
        if inputs.history.names != self._joints:
            self._joints = inputs.history.names
            page.offer_joints(self._joints)
        if inputs.ground is not None and inputs.ground is not self._ground:
            self._ground = inputs.ground
            page.show_ground(inputs.ground)

    def _show_depth(self) -> None:
        image = self._node.inputs.depth()
        if self._depth_ns >= 0 and self._node.inputs.fresh(DEPTH) is None:
            self._depth_ns = -1
            self._page.show_no_depth()
        if image is not None and image[0] != self._depth_ns:
            self._depth_ns = image[0]
            self._page.show_depth(image[1], self._node.inputs.age(DEPTH, self._node.now_ns()))

    def _status(self) -> Status:
        node, told = self._node, self._node.facts.policy
        return Status(
            robot=str(node.facts.robot.get("hardware_id") or (self._robot.name if self._robot else "")),
            mode=node.inputs.mode,
            asked=self._asked(),
            measured=node.inputs.velocity(),
            distance=node.inputs.distance(),
            time_factor=node.inputs.time_factor(node.clock()),
            # The robot node says its mode and, behind a colon and a space, the trips that are latched.
            why=str(node.facts.robot.get("message", "")).partition(": ")[2],
            note=node.note,
            policy=str(told.get("policy", "")),
            policies=tuple(str(name) for name in told.get("policies", ())),
            commanding=node.inputs.commanding,
            wanted=str(told.get("wanted", "")),
            why_not=str(told.get("why", "")),
            played=node.played(),
        )

    def _asked(self) -> Velocity3 | None:
        newest = self._node.velocity.newest
        return newest[1] if newest is not None and self._node.clock() - newest[0] < FRESH else None

    def _is_due(self, what: str, now: float, period: float) -> bool:
        if now < self._due.get(what, -math.inf):
            return False
        self._due[what] = max(self._due.get(what, now) + period, now)
        return True
