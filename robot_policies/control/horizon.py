"""When a camera on a robot that climbs may see nothing but sky: no image of it is a fault then."""

from __future__ import annotations

import math
from collections import deque

from robot_policies.contract import Depth
from robot_policies.types import Array

# The lowest ray of the image may point so far below the horizon: a robot that climbs a step of 0.4 m looks over its
# edge, onto ground that is farther than a D435 sees. A camera of a robot that stands looks 0.8 rad lower.
BELOW = 0.1  # [rad]
NEAR_NS = 30_000_000  # [ns] between a tick and a capture that it stands for: a period of 50 Hz and a half
KEPT = 64  # ticks: over a second


class Horizon:
    """Keeps at which of the newest ticks one camera looked over the ground."""

    def __init__(self, depth: Depth) -> None:
        """Take the camera's pitch, and its lowest ray after the crop."""
        k, bottom = depth.intrinsics, depth.crop[1]
        self._down = depth.pose.pitch + math.atan((k.height - 1 - bottom - k.cy) / k.fy)
        self._over: deque[int] = deque(maxlen=KEPT)

    def reset(self) -> None:
        """Forget all ticks."""
        self._over.clear()

    def see(self, stamp_ns: int, quat_wxyz: Array) -> None:
        """Take how the base lies at a tick; ``quat_wxyz`` (4,) rotates base to world."""
        w, x, y, z = quat_wxyz.tolist()
        ahead = 2.0 * (x * z - w * y)  # height of the base's x axis
        if math.asin(max(-1.0, min(1.0, ahead))) - self._down > -BELOW:
            self._over.append(stamp_ns)

    def over(self, stamp_ns: int) -> bool:
        """Return whether the camera looked over the ground when an image of that stamp was captured."""
        return any(abs(tick - stamp_ns) <= NEAR_NS for tick in self._over)
