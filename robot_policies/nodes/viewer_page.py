"""The viewer's page: served by viser at one address, told what to show, asked what was pressed. No ROS here."""

from __future__ import annotations

import contextlib
import io
import queue
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from robot_policies.exceptions import ResourceError, expected
from robot_policies.nodes.viewer_charts import Charts
from robot_policies.nodes.viewer_controls import Released
from robot_policies.nodes.viewer_depth import coloured
from robot_policies.nodes.viewer_plots import JointHistory
from robot_policies.nodes.viewer_scene import Scene
from robot_policies.nodes.viewer_text import (
    Event,
    Numbers,
    Status,
    depth_html,
    history_html,
    numbers_html,
    status_html,
)
from robot_policies.nodes.viewer_urdf import Urdf
from robot_policies.robots.robot import GroundShape
from robot_policies.types import Array, DepthImage

CONTROL_WIDTH, SENSE_WIDTH = 330.0, 350.0  # [px]
# A depth image has few pixels; each is a fact.
PIXELS = "<style>img{width:100%;image-rendering:pixelated}</style>"
NO_DEPTH = "<div style='padding:2px 12px;font-size:12.5px;opacity:.62'>no image comes (--camera)</div>"
EMPTY = Status("", "no robot node", None, None, None, None)


class PageUnavailable(ResourceError):
    """The page cannot be served: viser is not there, or the port is another's."""


def free_port(host: str, port: int) -> None:
    """Raise ``PageUnavailable`` where ``port`` cannot be served on ``host``."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        # As the server itself asks for it: a port that was just given back counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            found = " ".join(str(error).split())
            raise PageUnavailable(
                expected(f"viewer: {host}:{port}", found, "another port, or viewer:=false")
            ) from error


def first_free(host: str, port: int, tries: int) -> int:
    """Return the first port from ``port`` on that can be served; ``PageUnavailable`` says why that one cannot."""
    errors = []
    for candidate in range(port, port + tries):
        try:
            free_port(host, candidate)
        except PageUnavailable as error:
            errors.append(error)
        else:
            return candidate
    raise errors[0]


# Puts what a person can ask for at the present place of the page (``gui``), and what they do into ``put``.
AddControls = Callable[[Any, Callable[[object], None]], object]


class Page:
    """One page, served from threads of viser's own; what browsers do is read with ``events``."""

    def __init__(self, host: str, port: int, controls: AddControls, depth_range: tuple[float, float]) -> None:
        """Serve at ``http://host:port``. Raises ``PageUnavailable``.

        Args:
            host: address to listen on.
            port: exactly this one.
            controls: adds the buttons.
            depth_range: distances [m] at the ends of the depth image's scale.
        """
        free_port(host, port)
        try:
            import viser
        except ImportError as error:
            raise PageUnavailable(expected("viewer: the package viser", error, "pip install viser")) from error
        with contextlib.redirect_stdout(io.StringIO()):  # its banner; the node says where the page is in one line
            self._server = viser.ViserServer(host=host, port=port, label="robot_policies", verbose=False)
        if self._server.get_port() != port:  # viser takes the next free one instead of saying so
            self._server.stop()
            raise PageUnavailable(expected(f"viewer: {host}:{port}", "taken", "another port, or viewer:=false"))
        self.address = f"http://{host}:{port}"
        self._depth_range = depth_range
        self._events: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._scene = Scene(self._server)
        self._build(controls)
        self._server.on_client_disconnect(self._gone)
        self._server.flush()

    def watched(self) -> bool:
        """Return whether anybody looks; nothing has to be sent otherwise."""
        return bool(self._server.get_clients())

    def events(self) -> list[object]:
        """Return what browsers did since the last call, in their order."""
        events = []
        with contextlib.suppress(queue.Empty):
            while True:
                events.append(self._events.get_nowait())
        return events

    def show_robot(self, urdf: Urdf) -> None:
        """Draw a robot, instead of the one before."""
        self._scene.show_robot(urdf)

    def offer_joints(self, names: Sequence[str]) -> None:
        """Offer plots of these joints."""
        self._charts.offer(names)

    def show_ground(self, ground: GroundShape) -> None:
        """Draw what the robot stands on."""
        self._scene.show_ground(ground)

    def pose(self, joint_pos: Mapping[str, float], position: Array, quat: Array) -> None:
        """Move the robot: joints [rad] by name, base position [m] and quat_wxyz in the world."""
        with self._server.atomic():
            self._scene.pose(joint_pos, position, quat, self._follow.value)

    def tell(self, status: Status) -> None:
        """Show the status, in words and as arrows."""
        _change(self._status, status_html(status))
        with self._server.atomic():
            self._scene.velocities(status.asked, status.measured)

    def tell_more(self, numbers: Numbers, history: Sequence[Event]) -> None:
        """Show what changes slowly."""
        _change(self._numbers, numbers_html(numbers))
        _change(self._history, history_html(history))

    def show_depth(self, image: DepthImage, age: float | None) -> None:
        """Show a depth image that was captured ``age`` seconds ago."""
        near, far = self._depth_range
        self._depth.image = coloured(image.depth, near, far)
        height, width = image.depth.shape
        _change(self._depth_words, depth_html(near, far, age, (height, width)))
        self._show_image(True)

    def show_no_depth(self) -> None:
        """Say that no image comes, in place of the last one."""
        self._show_image(False)

    def _show_image(self, there: bool) -> None:
        for handle, visible in ((self._depth, there), (self._depth_words, there), (self._no_depth, not there)):
            if handle.visible != visible:
                handle.visible = visible

    def plot(self, history: JointHistory) -> None:
        """Show the newest seconds of the joints that were chosen."""
        self._charts.plot(history)

    def close(self) -> None:
        """Stop serving."""
        with contextlib.redirect_stdout(io.StringIO()):
            self._server.stop()

    def _build(self, controls: AddControls) -> None:
        gui = self._server.gui
        gui.configure_theme(show_logo=False, show_share_button=False)
        gui.main_panel.dock_right()
        gui.main_panel.set_width(CONTROL_WIDTH)
        self._status = gui.add_html(status_html(EMPTY))
        controls(gui, self._events.put)
        with gui.add_folder("Inputs and timing"):
            self._numbers = gui.add_html("")
        with gui.add_folder("Modes and trips"):
            self._history = gui.add_html("")
        self._follow = gui.add_checkbox("Follow the robot", True)
        panel = gui.add_panel()
        panel.dock_left()
        panel.set_width(SENSE_WIDTH)
        with panel.add_tab("Sensors and joints"):
            gui.add_html(PIXELS)
            with gui.add_folder("Depth image"):
                self._no_depth = gui.add_html(NO_DEPTH)
                self._depth = gui.add_image(np.zeros((2, 2, 3), np.uint8), format="png", visible=False)
                self._depth_words = gui.add_html("", visible=False)
            with gui.add_folder("Joints"):
                self._charts = Charts(gui)

    async def _gone(self, client: Any) -> None:
        self._events.put(Released(client.client_id))


def _change(handle: Any, content: str) -> None:
    if handle.content != content:
        handle.content = content
