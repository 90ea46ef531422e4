"""From a device's own pixels to the grid of the sensor profile: the depth that lies on the ray of each of its pixels.

Depth is along the optical axis, so only the place of a pixel changes. With the nominal pinhole of a D435, 848 x 480,
the ray of a pixel of the 106 x 60 grid meets the centre of its 8 x 8 block, the corner that four pixels share.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from robot_policies.contract import DepthIntrinsics
from robot_policies.types import Array32

ON_A_PIXEL = 1e-3  # [px], nearer than this a ray counts as meeting the pixel's centre


class DepthGrid:
    """Samples images of one pinhole on the grid of another, without ever mixing two depths.

    Of the pixels nearest to a ray (one, two or four) that have a return, the lower median is taken: a mean across an
    edge would be a depth where nothing is, and would be seen by no camera that was simulated.

    Attributes:
        outside: share of the grid that the device does not see; there is no return there.
    """

    def __init__(self, device: DepthIntrinsics, grid: DepthIntrinsics) -> None:
        """Find the nearest pixels of every ray once."""
        columns = (np.arange(grid.width) - grid.cx) / grid.fx * device.fx + device.cx
        rows = (np.arange(grid.height) - grid.cy) / grid.fy * device.fy + device.cy
        self._columns, seen_x = _nearest(columns, device.width)
        self._rows, seen_y = _nearest(rows, device.height)
        self._unseen = ~(seen_y[:, None] & seen_x[None, :])
        self.outside = float(self._unseen.mean())

    def __call__(self, raw: npt.NDArray[np.uint16], unit: float) -> Array32:
        """Return the depth of each pixel of the grid (height, width) [m], 0 where there is no return.

        Args:
            raw: the device's image (height, width), 0 where there is no return.
            unit: of its numbers [m].
        """
        corners = np.stack([raw[np.ix_(rows, columns)] for rows in self._rows for columns in self._columns])
        returns = np.count_nonzero(corners, axis=0)
        corners[corners == 0] = np.iinfo(corners.dtype).max  # behind all that have a return
        corners.sort(axis=0)
        middle = np.maximum(returns - 1, 0) // 2
        depth = np.take_along_axis(corners, middle[None], axis=0)[0] * np.float32(unit)
        depth[(returns == 0) | self._unseen] = 0.0
        return np.asarray(depth, np.float32)


def _nearest(places: npt.NDArray[Any], size: int) -> tuple[list[npt.NDArray[np.intp]], npt.NDArray[np.bool_]]:
    """Return the two pixels around each place (twice the same where it is on one), and which lie in the image."""
    whole = np.round(places)
    on_one = np.abs(places - whole) < ON_A_PIXEL
    low = np.where(on_one, whole, np.floor(places)).astype(np.intp)
    high = np.where(on_one, whole, np.floor(places) + 1).astype(np.intp)
    seen = (low >= 0) & (high < size)
    pair = [low] if on_one.all() else [low, high]
    return [np.clip(side, 0, size - 1) for side in pair], seen
