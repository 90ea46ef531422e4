"""What a policy may see: images that are refused, and since when it has seen nothing that is good.

Every fault of a camera but its delay (``DelayWatch``) comes down to the age of the newest good image. A picture that
comes again under a new stamp is as old as it was the first time; one that is refused leaves the one before it, which
grows older.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from robot_policies.contract import Contract, Depth, DepthIntrinsics
from robot_policies.control.delay_watch import DelayWatch
from robot_policies.control.horizon import Horizon
from robot_policies.exceptions import expected
from robot_policies.types import Array, DepthImage

# Of focal lengths, and of the optical centre in images: published D435 calibrations lie within 2 % of each other.
PINHOLE_TOLERANCE = 0.03


class Sight:
    """Keeps the newest good image of each depth input of one bundle.

    Attributes:
        lost: why the policy is blind at the newest tick, None where it is not.
    """

    def __init__(self, contract: Contract) -> None:
        """Take what each image must be, and how old it may become."""
        self._depth = dict(contract.depth)
        # What was measured of a camera's delay outlives an activation.
        self.delays = {n: DelayWatch(n, depth, contract.timing.control_dt) for n, depth in contract.depth.items()}
        self._horizons = {name: Horizon(depth) for name, depth in contract.depth.items()}
        limit = contract.limits.inputs.get("depth")
        self._max_age_ns = 0 if limit is None else round(limit.max_age * 1e9)
        self.reset()

    def reset(self) -> None:
        """Forget every image."""
        self._good: dict[str, DepthImage] = {}
        self._judged: dict[str, DepthImage] = {}  # newest, good or not
        self._refused: dict[str, str] = {}  # why the newest was refused
        self.lost: str | None = None
        for horizon in self._horizons.values():
            horizon.reset()

    def lean(self, stamp_ns: int, quat_wxyz: Array) -> None:
        """Take how the base lies at a tick, before its images: a robot that climbs may see nothing but sky."""
        for horizon in self._horizons.values():
            horizon.see(stamp_ns, quat_wxyz)

    def __call__(self, images: Mapping[str, DepthImage], stamp_ns: int) -> Mapping[str, DepthImage]:
        """Return the newest good image of each input that has one, whatever its age; none of a wrong delay.

        Args:
            images: the newest ones, by name of the depth input.
            stamp_ns: of the state of this tick.
        """
        self.watch(images, stamp_ns)
        lost = []
        for name, depth in self._depth.items():
            image = images.get(name)
            if image is not None and image is not self._judged.get(name):
                self._judge(name, depth, image, stamp_ns)
            why = self._lost(name, stamp_ns) or self.delays[name].fault
            if why is not None:
                lost.append(why)
        self.lost = "; ".join(lost) or None
        return {name: image for name, image in self._good.items() if self.delays[name].fault is None}

    def watch(self, images: Mapping[str, DepthImage], stamp_ns: int) -> None:
        """Measure the delay of images that are new. Arguments as of a call; for ticks at which nobody commands, too."""
        for name, watch in self.delays.items():
            if name in images:
                watch.see(images[name].stamp_ns, stamp_ns)

    def _judge(self, name: str, depth: Depth, image: DepthImage, stamp_ns: int) -> None:
        self._judged[name] = image
        sky = self._horizons[name].over(image.stamp_ns)
        why = image_fault(depth, image, self._good.get(name), stamp_ns, sky)
        if why is None:
            self._good[name] = image
            self._refused.pop(name, None)
        else:
            self._refused[name] = why

    def _lost(self, name: str, stamp_ns: int) -> str | None:
        good = self._good.get(name)
        age_ns = None if good is None else stamp_ns - good.stamp_ns
        if age_ns is not None and age_ns <= self._max_age_ns:
            return None
        found = "none" if age_ns is None else f"the newest {age_ns * 1e-9:.3f} s old"
        found += f", and then {self._refused[name]}" if name in self._refused else ", and no newer one has come"
        return expected(f"depth {name}: a good image", found, f"one at most {self._max_age_ns * 1e-9:g} s old")


def image_fault(
    depth: Depth, image: DepthImage, before: DepthImage | None, stamp_ns: int, sky: bool = False
) -> str | None:
    """Return why ``image`` may not be used, None where it may.

    Args:
        depth: what the bundle says of it.
        image: newly come.
        before: the newest good one.
        stamp_ns: of the state of this tick.
        sky: whether the camera looked over the ground: then an image may be without a single return.
    """
    shape = (depth.intrinsics.height, depth.intrinsics.width)
    if image.depth.shape != shape or image.depth.dtype != np.float32:
        return f"{image.depth.dtype} of {image.depth.shape} instead of float32 of {shape}"
    if image.stamp_ns > stamp_ns:
        return f"a stamp {(image.stamp_ns - stamp_ns) * 1e-9:.3f} s after the state's"
    wrong = None if image.pinhole is None else pinhole_fault(depth.intrinsics, image.pinhole)
    if wrong is not None:
        return wrong
    holes = 1.0 - np.count_nonzero(image.depth > 0.0) / image.depth.size  # NaN is no return either
    empty = holes > depth.max_holes
    if empty and not sky:
        return f"{holes:.1%} of its pixels without a return, over {depth.max_holes:.1%}"
    if before is not None and image.stamp_ns < before.stamp_ns:
        return f"a stamp {(before.stamp_ns - image.stamp_ns) * 1e-9:.3f} s before the last one's"
    if before is not None and not empty and _same_picture(image, before):
        return "the same picture as before, pixel by pixel"
    return None


def pinhole_fault(intrinsics: DepthIntrinsics, found: tuple[float, float, float, float]) -> str | None:
    """Return how the pinhole ``found`` (fx, fy, cx, cy) [px] differs from the bundle's; None where it does not."""
    wanted = (intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy)
    sizes = (intrinsics.fx, intrinsics.fy, intrinsics.width, intrinsics.height)
    pairs = zip(wanted, found, sizes, strict=True)
    if all(abs(have - want) <= PINHOLE_TOLERANCE * size for want, have, size in pairs):  # so written: NaN is refused
        return None
    text = [", ".join(f"{value:g}" for value in values) for values in (found, wanted)]
    return f"fx, fy, cx, cy of {text[0]} in camera_info instead of {text[1]}, within {PINHOLE_TOLERANCE:.0%}"


def _same_picture(one: DepthImage, other: DepthImage) -> bool:
    return bool(np.array_equal(one.depth.view(np.uint32), other.depth.view(np.uint32)))  # bits: NaN equals itself
