"""The depth cameras of all robots: what the student sees, from poses to the network's images.

One camera per robot, drawn anew at each restart within what the bundle states: place, pitch, delay. Rendering, the
camera's faults and the bundle's own pipeline follow each other. The robot's legs are left out: the camera looks over
them (``docs/training/depth.md``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from robot_policies.contract import Depth
from robot_policies.observation.depth import DepthPipeline, resize_weights
from robot_policies.types import Array, Array32
from sim2real.mujoco.camera_profile import CameraProfile
from sim2real.mujoco.depth_faults import DepthFaults, apply
from sim2real.mujoco.depth_renderer import FRAMES, DepthRenderer
from sim2real.mujoco.ground import Ground
from sim2real.randomization import depth_faults as randomization
from sim2real.training.grounds import Index
from sim2real.training.motion import Bools
from sim2real.training.parkour.captures import Captures

BEYOND = 1.5  # of the bundle's far, up to which boxes are rendered where a pixel without return counts as far


@dataclass(frozen=True)
class Bases:
    """Where the robots are."""

    ground: Index  # (N,) index of the ground of each
    position: Array  # (N, 3) [m], of the bases in the world
    quat_wxyz: Array  # (N, 4), base to world


@dataclass(frozen=True)
class Pixels:
    """The part of the sensor's image that the pipeline reads, and the pipeline for an image that has this part only."""

    rows: Index  # (h,) of the sensor's image
    columns: Index  # (w,)
    depth: Depth

    @property
    def stride(self) -> float:
        """Pixels of the sensor per pixel, along rows and columns, as their geometric mean."""
        spans = [(part[-1] - part[0]) / max(1, len(part) - 1) for part in (self.rows, self.columns)]
        return max(1.0, float(np.sqrt(spans[0] * spans[1])))


def read_pixels(depth: Depth) -> Pixels:
    """Return what the pipeline of ``depth`` reads: the crop, or, with ``nearest``, the pixels that it takes.

    The pipeline over these pixels gives exactly what the bundle's pipeline gives over the sensor's image.
    """
    top, bottom, left, right = depth.crop
    rows = np.arange(top, depth.intrinsics.height - bottom)
    columns = np.arange(left, depth.intrinsics.width - right)
    if depth.interpolation == "nearest":
        rows, columns = (
            pixels[resize_weights(len(pixels), size, "nearest").argmax(axis=1)]
            for pixels, size in zip((rows, columns), depth.size, strict=True)
        )
    intrinsics = replace(depth.intrinsics, height=len(rows), width=len(columns))
    return Pixels(rows, columns, replace(depth, intrinsics=intrinsics, crop=(0, 0, 0, 0)))


class DepthCameras:
    """One camera per robot; ``look`` is called once per control step."""

    def __init__(
        self, grounds: Sequence[Ground], depth: Depth, profile: CameraProfile, robots: int, control_dt: float,
        rng: np.random.Generator, varied: bool = True,
    ) -> None:  # fmt: skip
        """Draw all cameras.

        Args:
            grounds: what there is to be seen, by the index that ``Bases`` name.
            depth: the bundle's, with the ranges of place, pitch and delay.
            profile: of the simulated camera: its faults, range and rate. Its mount and delay are not read.
            robots: N.
            control_dt: [s].
            rng: draws cameras, noise and holes.
            varied: whether it also draws how faulty they are, anew for each group of images.

        Raises:
            InputError: times that are none.
        """
        self._depth, self._profile, self._rng, self._varied = depth, profile, rng, varied
        self._pixels = pixels = read_pixels(depth)
        k = depth.intrinsics
        reach = BEYOND * depth.far if depth.invalid == "far" else profile.far
        down, across = np.asarray((pixels.rows - k.cy) / k.fy, float), np.asarray((pixels.columns - k.cx) / k.fx, float)
        self._renderer = DepthRenderer(grounds, down, across, reach)
        self._faults = thinned(profile.faults, pixels.stride)
        self._pipeline = DepthPipeline("training", pixels.depth)
        self._captures = Captures(robots, 8, control_dt, profile.rate, depth.delay[1])
        self._position = np.zeros((robots, 3))  # [m], of the optical centres in the bases
        self._pitch = np.zeros(robots)  # [rad]
        self._images = np.zeros((robots, int(np.prod(depth.size))), np.float32)
        self.restart(np.ones(robots, dtype=bool))

    def restart(self, rows: Bools) -> None:
        """Draw new cameras for ``rows``; their next pose is the first that they show."""
        pose, count = self._depth.pose, int(rows.sum())
        reach = np.asarray(pose.position_range)
        self._position[rows] = np.asarray(pose.position) + self._rng.uniform(-reach, reach, (count, 3))
        self._pitch[rows] = pose.pitch + self._rng.uniform(-pose.pitch_range, pose.pitch_range, count)
        self._captures.restart(rows, self._rng.uniform(*self._depth.delay, count), self._rng)

    def look(self, bases: Bases, first: Bools, due: Bools) -> Array32:
        """Take the poses of a new control step and return the network's newest images (N, height * width).

        Args:
            bases: now.
            first: (N,) robots that have just been put where they are: they get new cameras, and what they show now.
            due: (N,) robots whose image is refreshed, at the rate of the depth network; those of ``first`` are too.
        """
        if first.any():
            self.restart(first)
        self._captures.push(np.column_stack([bases.ground, bases.position, bases.quat_wxyz]))
        rows = first | due
        seen = self._captures.look(rows)
        where = np.flatnonzero(rows)
        for start in range(0, len(where), FRAMES):
            part = slice(start, start + FRAMES)
            then = Bases(seen[part, 0].astype(np.int64), seen[part, 1:4], seen[part, 4:])
            self._images[where[part]] = self._pipeline.many(self.capture(where[part], then))
        return self._images.copy()

    def capture(self, robots: Index, bases: Bases) -> Array32:
        """Return what the cameras of ``robots`` (F,) give, faults and all, where ``bases`` (F,) puts them.

        Returns:
            (F, h, w) [m], 0 without return: the pixels of the sensor that the pipeline reads.
        """
        base = rotations(bases.quat_wxyz)
        place = bases.position + (base @ self._position[robots, :, None])[:, :, 0]
        perfect = self._renderer.depth(bases.ground, place, base @ optical_rotations(self._pitch[robots]))
        columns = self._pixels.columns.astype(np.float32)
        faults = randomization.varied(self._faults, self._rng) if self._varied else self._faults
        return apply(perfect, faults, self._profile.far, self._rng, columns)


def thinned(faults: DepthFaults, stride: float) -> DepthFaults:
    """Return the faults of an image that has every ``stride``-th pixel of the sensor's, along rows and columns.

    Both pixels beside a step count as an edge, whatever lies between them; of these, one in ``stride`` is one of the
    two sensor's pixels right beside it.
    """
    return replace(faults, hole_edges=faults.hole_edges / stride)


def rotations(quat_wxyz: Array) -> Array:
    """Return rotation matrices (N, 3, 3) of quaternions (N, 4), which need not be of length 1."""
    w, x, y, z = (quat_wxyz / np.linalg.norm(quat_wxyz, axis=1, keepdims=True)).T
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return np.array(rows).transpose(2, 0, 1)


def optical_rotations(pitch: Array) -> Array:
    """Return (N, 3, 3), as ``depth_camera.optical_rotation``, of cameras ``pitch`` (N,) [rad] down."""
    down, ahead = np.sin(pitch), np.cos(pitch)
    none, one = np.zeros_like(pitch), np.ones_like(pitch)
    return np.array(((none, -down, ahead), (-one, none, none), (none, -ahead, -down))).transpose(2, 0, 1)
