"""Depth images of many robots at once: rays against boxes and a floor, exact, in numpy.

Everything is done in inverse depth. The inverse of the depth at which a ray meets a plane is linear over the image, so
a box is six linear functions: a ray enters it at the smallest inverse depth of the planes that it comes to from
outside, leaves it at the largest of the others, and meets it where it enters before it leaves. The nearest surface is
the largest inverse depth. Linear functions over a block of pixels are one small matrix product, and their extremes lie
in the block's corners: that tells at once which boxes a block can see.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from robot_policies.types import Array, Array32
from sim2real.mujoco.ground import Ground

Index = npt.NDArray[np.int64]

BLOCK = 12  # [px], edge of a block of pixels, at most; measured: 10 to 14 are the fastest
# Frames, and pairs of box and block, at a time: the 9 planes of 256 pairs take 1 MB, as a core's own cache does.
FRAMES, PAIRS = 128, 256
_PLANES = 9  # per box: 3 that let rays in, 6 that let them out
_NEVER = 1e9  # [1/m], inverse depth of a plane that the camera has already passed
_FEW = 8  # pairs of one frame, from where on ``reduceat`` is the faster way
_TOUCH = 1e-9  # [m], the least distance of the camera from a plane


@dataclass(frozen=True)
class BoxTable:
    """The boxes of many grounds, one after the other."""

    first: Index  # (grounds + 1,) where the boxes of each ground begin, and the end
    floor: Array  # (grounds,) [m]
    centre: Array  # (boxes, 3) [m]
    half: Array  # (boxes, 3) [m]
    rotation: Array  # (boxes, 3, 3), box to world
    low: Array  # (3, boxes) [m], corners of the upright boxes around them
    high: Array  # (3, boxes) [m]

    def candidates(self, ground: Index, low: Array, high: Array) -> tuple[Index, Index]:
        """Return pairs of frame and box, frames in order, of boxes that reach into the frames' own boxes.

        Args:
            ground: (F,) of each frame.
            low: (3, F) [m], a corner of what each frame sees.
            high: (3, F) [m].
        """
        count = self.first[ground + 1] - self.first[ground]
        frame = np.repeat(np.arange(len(ground)), count)
        box = np.arange(len(frame)) + np.repeat(self.first[ground] - (np.cumsum(count) - count), count)
        for axis in range(3):
            near = (self.low[axis, box] < high[axis, frame]) & (self.high[axis, box] > low[axis, frame])
            frame, box = frame[near], box[near]
        return frame, box


def box_table(grounds: Sequence[Ground]) -> BoxTable:
    """Return the boxes of ``grounds`` that are not below their floor."""
    kept = [[box for box in ground.boxes if box.centre[2] + np.linalg.norm(box.half) > ground.floor]
            for ground in grounds]  # fmt: skip
    boxes = [box for each in kept for box in each]
    centre = np.array([box.centre for box in boxes]).reshape(-1, 3)
    half = np.array([box.half for box in boxes]).reshape(-1, 3)
    rotation = np.array([box.rotation() for box in boxes]).reshape(-1, 3, 3)
    reach = np.einsum("bij,bj->bi", np.abs(rotation), half)
    return BoxTable(
        first=np.cumsum([0, *[len(each) for each in kept]]),
        floor=np.array([ground.floor for ground in grounds]),
        centre=centre,
        half=half,
        rotation=rotation,
        low=np.ascontiguousarray((centre - reach).T),
        high=np.ascontiguousarray((centre + reach).T),
    )


class DepthRenderer:
    """Renders what cameras see of grounds: depth along the optical axis, as the simulator's camera gives it."""

    def __init__(self, grounds: Sequence[Ground], rows: Array, columns: Array, reach: float) -> None:
        """Prepare the rays.

        Args:
            grounds: what there is to be seen.
            rows: (h,) slope of each row's rays, y per z in the optical frame: (v - cy) / fy.
            columns: (w,) slope of each column's rays, x per z: (u - cx) / fx.
            reach: [m] of depth, up to which boxes count; behind it the floor alone is certain to be seen.
        """
        self.shape = (len(rows), len(columns))
        self._table, self._reach = box_table(grounds), reach
        self._rows, self._columns = _Axis.of(rows), _Axis.of(columns)
        self._basis = _basis(self._rows.slopes, self._columns.slopes)  # (blocks, 3, px)
        x, y = columns[[0, 0, -1, -1]], rows[[0, -1, 0, -1]]
        self._edges = reach * np.stack([x, y, np.ones(4)])  # (3, 4) [m] in the optical frame

    def depth(self, ground: Index, position: Array, rotation: Array) -> Array32:
        """Return the images (F, h, w) [m], 0 where nothing is hit; row 0 on top.

        A camera inside a box sees next to nothing of depth, less than any blind band. The floor is seen from above.

        Args:
            ground: (F,) index of what each frame sees.
            position: (F, 3) [m], of the optical centres in the world.
            rotation: (F, 3, 3), optical frame (x right, y down, z forward) to world.
        """
        images = np.empty((len(ground), *self.shape), np.float32)
        for start in range(0, len(ground), FRAMES):
            part = slice(start, start + FRAMES)
            images[part] = self._image(self._seen(ground[part], position[part], rotation[part]))
        return images

    def _seen(self, ground: Index, position: Array, rotation: Array) -> Array32:
        """Return the inverse depths (blocks, F, px) [1/m], 0 where nothing is hit."""
        seen = self._floor(ground, position, rotation)
        corners = position[:, :, None] + rotation @ self._edges
        low, high = (np.minimum(corners.min(axis=2), position), np.maximum(corners.max(axis=2), position))
        frame, box = self._table.candidates(ground, low.T, high.T)
        planes = _planes(self._table, box, position[frame], rotation[frame])
        for block, pairs in self._visible(planes):
            _merge(seen[block], frame[pairs], _nearest(planes[:, pairs], self._basis[block]))
        return seen

    def _floor(self, ground: Index, position: Array, rotation: Array) -> Array32:
        above = position[:, 2] - self._table.floor[ground]
        with np.errstate(divide="ignore"):
            scale = np.where(above > 0.0, -1.0 / above, 0.0)
        plane = (scale[:, None] * rotation[:, 2]).astype(np.float32)
        return np.asarray(np.maximum(plane @ self._basis, np.float32(0.0)))

    def _visible(self, planes: Array32) -> Iterator[tuple[int, Index]]:
        """Yield blocks with some of the pairs that can be seen in them, (p,) in order."""
        x, y, one = planes.transpose(2, 0, 1)[:, :, None]  # (9, 1, pairs) each
        across, down = x * self._columns.bounds[:, None], y * self._rows.bounds[:, None] + one
        grid = down[:, :, None] + across[:, None]  # (9, rows, columns, pairs), at the blocks' corners
        enter, leave = _corners(np.maximum, grid[:3]).min(axis=0), _corners(np.minimum, grid[3:]).max(axis=0)
        possible = (enter >= leave) & (enter > 1.0 / self._reach)
        block, pair = np.nonzero(possible.reshape(len(self._basis), -1))
        ends = np.searchsorted(block, np.arange(len(self._basis) + 1))
        for number, (start, end) in enumerate(zip(ends[:-1], ends[1:], strict=True)):
            for begin in range(start, end, PAIRS):
                yield number, pair[begin : min(begin + PAIRS, end)]

    def _image(self, seen: Array32) -> Array32:
        """Return the depths (F, h, w) [m] of inverse depths (blocks, F, px)."""
        depth = np.zeros_like(seen)
        np.divide(1.0, seen, out=depth, where=seen > 0.0)
        (down, high), (across, wide) = self._rows.slopes.shape, self._columns.slopes.shape
        blocks = depth.reshape(down, across, -1, high, wide).transpose(2, 0, 3, 1, 4)
        whole = np.asarray(blocks.reshape(-1, down * high, across * wide))
        return whole[:, : self.shape[0], : self.shape[1]]


@dataclass(frozen=True)
class _Axis:
    """Rows or columns in blocks of one size; the last block is filled up with the last one."""

    slopes: Array  # (blocks, size)
    bounds: Array32  # (blocks + 1,), between which all slopes of a block lie

    @classmethod
    def of(cls, slopes: Array) -> _Axis:
        blocks = -(-len(slopes) // BLOCK)
        size = -(-len(slopes) // blocks)
        padded = np.pad(slopes, (0, blocks * size - len(slopes)), mode="edge").reshape(blocks, size)
        return cls(padded, np.append(padded[:, 0], padded[-1, -1]).astype(np.float32))


def _basis(rows: Array, columns: Array) -> npt.NDArray[np.float32]:
    """Return the rays (x, y, 1) of every block, (blocks, 3, px)."""
    shape = (len(rows), len(columns), rows.shape[1], columns.shape[1])
    x = np.broadcast_to(columns[None, :, None, :], shape)
    y = np.broadcast_to(rows[:, None, :, None], shape)
    rays = np.stack([x, y, np.ones(shape)], axis=2)
    return rays.reshape(shape[0] * shape[1], 3, -1).astype(np.float32)


def _planes(table: BoxTable, box: Index, position: Array, rotation: Array) -> Array32:
    """Return the inverse depths of the boxes' planes as functions of a ray (x, y, 1), (9, pairs, 3).

    The first three, one per axis of the box, let rays in: the side that faces the camera, or ``_NEVER`` where the
    camera is between both. The six others let them out.
    """
    to_box = table.rotation[box].transpose(0, 2, 1)
    place = (to_box @ (position - table.centre[box])[:, :, None])[:, :, 0]
    ways = to_box @ rotation
    high, low = table.half[box] - place, -table.half[box] - place
    past_high, past_low = high < 0.0, low > 0.0
    high, low = (1.0 / np.where(np.abs(side) < _TOUCH, _TOUCH, side) for side in (high, low))
    outside = past_high | past_low
    enter = np.where(past_high, high, low)
    leave = np.where(past_high, low, high)
    planes = np.empty((3, *ways.shape), np.float32)
    planes[0] = np.where(outside[:, :, None], enter[:, :, None] * ways, (0.0, 0.0, _NEVER))
    planes[1] = leave[:, :, None] * ways
    planes[2] = np.where(outside, leave, low)[:, :, None] * ways
    return np.ascontiguousarray(planes.transpose(0, 2, 1, 3)).reshape(_PLANES, -1, 3)


def _nearest(planes: Array32, rays: Array32) -> Array32:
    """Return the inverse depth (pairs, px) at which ``rays`` (3, px) meet the boxes of ``planes`` (9, pairs, 3)."""
    values = planes @ rays  # nine small products: OpenBLAS would share one large one with threads that cost more
    near, far = values[0], values[3]
    for other in values[1:3]:
        np.minimum(near, other, out=near)
    for other in values[4:]:
        np.maximum(far, other, out=far)
    np.multiply(near, near >= far, out=near)
    return np.asarray(near)


def _merge(seen: Array32, frame: Index, near: Array32) -> None:
    """Put into ``seen`` (F, px) what is nearer of ``near`` (pairs, px) for ``frame`` (pairs,), which is in order."""
    starts = np.flatnonzero(np.diff(frame, prepend=-1))
    count = np.diff(starts, append=len(frame))
    if count.max() > _FEW:
        near, count = np.maximum.reduceat(near, starts, axis=0), np.ones_like(count)
        frame, starts = frame[starts], np.arange(len(starts))
    for turn in range(count.max()):
        pairs = starts[count > turn] + turn
        rows = frame[pairs]
        seen[rows] = np.maximum(seen[rows], near[pairs])


def _corners(extreme: np.ufunc, grid: Array32) -> Array32:
    """Return the extreme over the four corners of every block, (planes, down, across, pairs)."""
    rows = extreme(grid[:, :-1], grid[:, 1:])
    return np.asarray(extreme(rows[:, :, :-1], rows[:, :, 1:]))
