"""The viewer's page: a robot of primitives on a ground, what it does in words, and buttons. viser, no ROS."""

from __future__ import annotations

import contextlib
import html
import io
import queue
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from robot_policies.exceptions import ResourceError, expected
from robot_policies.nodes.viewer_meshes import by_colour
from robot_policies.nodes.viewer_urdf import Urdf, quat_wxyz
from robot_policies.types import Array

# Scene: the robot stays in the middle and the ground moves under it, so that the user's view goes with the robot.
WORLD, ROBOT, GROUND = "/world", "/world/robot", "/world/ground"
TILE = 1.0  # [m], side of a ground tile
STILL = 1e-4  # [rad] a joint has to move to be sent again
MODE_COLOURS = {"active": "#2f9e44", "stand": "#1971c2", "damping": "#e8890c", "landing": "#e03131"}
# label, service, colour
BUTTONS = (
    ("Reset", "reset", "gray"),
    ("Arm", "arm", "gray"),
    ("Stand", "stand", "blue"),
    ("Damp", "damp", "orange"),
)


class PageUnavailable(ResourceError):
    """The page cannot be served: viser is not there, or the port is another's."""


@dataclass(frozen=True)
class Status:
    """What the page says in words."""

    robot: str
    mode: str
    asked: tuple[float, float, float] | None  # velocity command [m/s, m/s, rad/s]; None: none comes
    measured: tuple[float, float, float] | None  # the same of the robot; None: unknown
    distance: float | None  # [m] from where it was first seen
    time_factor: float | None  # robot's clock beside this machine's; None: no states come
    why: str = ""  # the trips that are latched
    note: str = ""  # the last answer of a service


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


class Page:
    """One page, served from threads of viser's own. Presses are read with ``pressed``."""

    def __init__(self, host: str, port: int) -> None:
        """Serve at ``http://host:port``. Raises ``PageUnavailable``."""
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
        self._presses: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._joints: dict[str, Any] = {}
        self._shown: dict[str, float] = {}
        self._urdf: Urdf | None = None
        self._scene()
        self._panel()

    def watched(self) -> bool:
        """Return whether anybody looks; nothing has to be sent otherwise."""
        return bool(self._server.get_clients())

    def pressed(self) -> list[str]:
        """Return the services whose buttons were pressed since the last call."""
        presses = []
        with contextlib.suppress(queue.Empty):
            while True:
                presses.append(self._presses.get_nowait())
        return presses

    def show_robot(self, urdf: Urdf) -> None:
        """Draw a robot, instead of the one before."""
        scene = self._server.scene
        scene.remove_by_name(ROBOT)
        self._robot = scene.add_frame(ROBOT, show_axes=False)
        self._urdf, self._joints, self._shown = urdf, {}, {}
        names = {urdf.root: ROBOT}
        self._draw(urdf, urdf.root, ROBOT)
        for joint in urdf.joints:
            names[joint.child] = name = f"{names[joint.parent]}/{joint.child}"
            frame = scene.add_frame(name, show_axes=False)
            frame.wxyz, frame.position = quat_wxyz(joint.origin.rotation), joint.origin.position
            if joint.axis is not None:
                self._joints[joint.name] = (joint, frame)
            self._draw(urdf, joint.child, name)

    def pose(self, joint_pos: Mapping[str, float], position: Array, quat: Array) -> None:
        """Move the robot: joints [rad] by name, base position [m] and quat_wxyz in the world."""
        with self._server.atomic():
            for name, (joint, frame) in self._joints.items():
                value = joint_pos.get(name, 0.0)
                if abs(value - self._shown.get(name, np.inf)) > STILL:
                    self._shown[name] = value
                    moved = joint.transform(value)
                    if joint.slides:
                        frame.position = moved.position
                    else:
                        frame.wxyz = quat_wxyz(moved.rotation)
            self._robot.wxyz, self._robot.position = quat, position
            follow = self._follow.value
            self._world.position = (-position[0], -position[1], 0.0) if follow else (0.0, 0.0, 0.0)

    def tell(self, status: Status) -> None:
        """Show the status."""
        text = status_html(status)
        if self._words.content != text:
            self._words.content = text

    def close(self) -> None:
        """Stop serving."""
        with contextlib.redirect_stdout(io.StringIO()):
            self._server.stop()

    def _scene(self) -> None:
        server, scene = self._server, self._server.scene
        scene.set_up_direction("+z")
        scene.configure_fog(6.0, 22.0, color=(236, 239, 242))
        scene.set_background_image(np.full((2, 2, 3), (236, 239, 242), np.uint8))
        server.initial_camera.position = (0.85, -0.95, 0.55)
        server.initial_camera.look_at = (0.02, 0.0, 0.2)
        self._world = scene.add_frame(WORLD, show_axes=False)
        scene.add_grid(
            GROUND,
            infinite_grid=True,
            cell_size=TILE / 4.0,
            section_size=TILE,
            cell_color=(214, 219, 224),
            section_color=(188, 195, 203),
            plane_color=(247, 248, 250),
            plane_opacity=1.0,
            shadow_opacity=0.35,
            fade_distance=18.0,
        )
        self._robot = scene.add_frame(ROBOT, show_axes=False)

    def _panel(self) -> None:
        server, gui = self._server, self._server.gui
        gui.configure_theme(control_layout="floating", show_logo=False, show_share_button=False)
        self._words = gui.add_html(status_html(Status("", "no robot node", None, None, None, None)))
        self._button("STOP", "estop", "red", "Emergency stop: the motors damp, in every mode, until reset")
        for label, service, colour in BUTTONS:
            self._button(label, service, colour, None)
        self._follow = gui.add_checkbox("Follow the robot", True)
        server.flush()

    def _button(self, label: str, service: str, colour: Any, hint: str | None) -> None:
        button = self._server.gui.add_button(label, color=colour, hint=hint)
        button.on_click(self._press(service))

    def _press(self, service: str) -> Callable[[object], None]:
        def press(event: object) -> None:
            self._presses.put(service)

        return press

    def _draw(self, urdf: Urdf, link: str, name: str) -> None:
        for number, (rgba, mesh) in enumerate(by_colour(urdf.visuals[link]).items()):
            colour = tuple(round(255 * part) for part in rgba[:3])
            opacity = None if rgba[3] >= 1.0 else rgba[3]
            self._server.scene.add_mesh_simple(
                f"{name}/visual_{number}", mesh.vertices, mesh.faces, color=colour, opacity=opacity
            )


def status_html(status: Status) -> str:
    """Return the status as HTML; what comes from the wire is escaped."""
    colour = MODE_COLOURS.get(status.mode.partition(":")[0], "#868e96")  # "landing:sit" is a landing
    rows = [("", "x", "y", "turn"), ("asked", *_velocity(status.asked)), ("measured", *_velocity(status.measured))]
    cells = "".join(
        "<tr>" + "".join(f"<td style='padding:1px 10px 1px 0'>{cell}</td>" for cell in row) + "</tr>" for row in rows
    )
    clock = "no states" if status.time_factor is None else f"{status.time_factor:.2f} &times; real time"
    distance = "" if status.distance is None else f"{status.distance:.1f} m gone &middot; "
    return (
        "<div style='padding:10px 14px 2px;font-size:13px;line-height:1.5'>"
        f"<div style='font-size:12px;color:#868e96'>{html.escape(status.robot)}</div>"
        f"<div style='display:inline-block;margin:2px 0 6px;padding:3px 12px;border-radius:6px;background:{colour};"
        f"color:white;font-weight:600;font-size:16px'>{html.escape(status.mode)}</div>"
        f"<table style='font-variant-numeric:tabular-nums'>{cells}</table>"
        f"<div style='color:#868e96'>{distance}{clock}</div>"
        f"<div style='color:#e03131'>{html.escape(status.why)}</div>"
        f"<div style='color:#495057'>{html.escape(status.note) or '&nbsp;'}</div></div>"
    )


def _velocity(values: tuple[float, float, float] | None) -> tuple[str, str, str]:
    if values is None:
        return "&ndash;", "", ""
    return f"{values[0]:+.2f}", f"{values[1]:+.2f} m/s", f"{values[2]:+.2f} rad/s"
