"""A film strip of an episode: one PNG with a grid of pictures, so that a person can look at a gait.

The pictures are rendered in a child process, which alone sets ``MUJOCO_GL``: without a working GL the episode and its
numbers are unharmed.
"""

from __future__ import annotations

import math
import os
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from robot_policies.exceptions import RobotError, expected

Pixels = npt.NDArray[np.uint8]

HEIGHT, WIDTH = 240, 320  # [px] of one picture
GAP = 4  # [px] of white between pictures
LIMIT_S = 120.0  # [s], wall clock, to render one strip


def write_strip(
    model: object, qpos: npt.NDArray[np.float64], path: Path, columns: int = 6, body: int = 1, along: bool = False
) -> None:
    """Render one picture per configuration and write them as one PNG.

    Args:
        model: the ``mujoco.MjModel`` of the episode.
        qpos: (pictures, nq) configurations, in the order of reading: left to right, top to bottom.
        path: the PNG to write.
        columns: pictures per row.
        body: id of the body that the camera follows, from its right side.
        along: whether the camera looks across the x axis instead, from farther away and higher: for a lane, so that its
            edges are seen from the side.

    Raises:
        RobotError: there is no GL here, or the file cannot be written; one line.
    """
    pictures = render(model, qpos, f"film strip {path}", body, along)
    try:
        path.write_bytes(png(grid(pictures, columns)))
    except OSError as error:
        raise RobotError(expected("film strip: a file that can be written", error, "another path")) from error


def render(
    model: object, qpos: npt.NDArray[np.float64], what: str, body: int = 1, along: bool = False
) -> Sequence[Pixels]:
    """Return one picture, (HEIGHT, WIDTH, 3), per configuration; arguments as of ``write_strip``.

    Args:
        model: the ``mujoco.MjModel``.
        qpos: (pictures, nq) configurations.
        what: is rendered, for messages.
        body: id of the body that the camera follows.
        along: whether the camera looks across the x axis instead.

    Raises:
        RobotError: there is no GL here; one line.
    """
    import mujoco

    with tempfile.TemporaryDirectory() as folder:
        binary, episode, pictures = (Path(folder) / name for name in ("model.mjb", "episode.npz", "pictures.npy"))
        mujoco.mj_saveModel(model, str(binary), None)
        np.savez(episode, qpos=qpos, body=body, along=along)
        _run_child([str(binary), str(episode), str(pictures)], what)
        return list(np.load(pictures))


def _run_child(arguments: list[str], what: str) -> None:
    search = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    environment = {"MUJOCO_GL": "egl", **os.environ, "PYTHONPATH": search}
    command = [sys.executable, "-m", "sim2real.mujoco.filmstrip", *arguments]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise RobotError(f"{what}: rendered within {LIMIT_S:.0f} s; found no picture") from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        found = f"{last} (MUJOCO_GL={environment['MUJOCO_GL']})"
        raise RobotError(expected(f"{what}: a working GL", found, "MUJOCO_GL=egl, osmesa or glfw"))


def grid(pictures: Sequence[Pixels], columns: int) -> Pixels:
    """Return the pictures, each (height, width, 3), on white, left to right and top to bottom."""
    height, width, _ = pictures[0].shape
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3), 255, dtype=np.uint8)
    for index, picture in enumerate(pictures):
        top, left = (index // columns) * (height + GAP), (index % columns) * (width + GAP)
        sheet[top : top + height, left : left + width] = picture
    return sheet


def png(image: Pixels) -> bytes:
    """Return an (height, width, 3) image as a PNG file (ISO/IEC 15948; 8 bit RGB, no filter)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, _ = image.shape
    lines = np.zeros((height, 1 + 3 * width), dtype=np.uint8)  # column 0 is the filter type, 0 = none
    lines[:, 1:] = image.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(lines.tobytes(), 6)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def _render(binary: str, episode: str, path: str) -> None:
    import mujoco

    model = mujoco.MjModel.from_binary_path(binary)
    model.vis.global_.offheight, model.vis.global_.offwidth = HEIGHT, WIDTH
    data = mujoco.MjData(model)
    camera = mujoco.MjvCamera()
    stored = np.load(episode)
    along = bool(stored["along"])
    camera.distance, camera.elevation = (2.1, -14.0) if along else (1.3, -12.0)
    pictures = []
    with mujoco.Renderer(model, HEIGHT, WIDTH) as renderer:
        for qpos in stored["qpos"]:
            data.qpos[:] = qpos
            mujoco.mj_forward(model, data)
            body = int(stored["body"])
            camera.lookat[:] = data.xpos[body]
            forward = data.xmat[body].reshape(3, 3)[:, 0]
            camera.azimuth = 90.0 + (0.0 if along else math.degrees(math.atan2(forward[1], forward[0])))
            renderer.update_scene(data, camera)
            pictures.append(renderer.render().copy())
    np.save(path, np.array(pictures))


if __name__ == "__main__":
    _render(*sys.argv[1:4])
