"""The way from one policy's targets to another's: what lies between them at the switch fades out."""

from __future__ import annotations

from robot_policies.types import Array, owned


class Blend:
    """Adds to the targets of whoever commands now what was left between the two at the switch, less at every tick.

    So the target moves from tick to tick as the new one's own, plus a share of what was between them; the old one is
    not needed any more, which may be just the one that can go on no longer.
    """

    def __init__(self, ticks: int) -> None:
        """Fade out within ``ticks``; 0 takes the new one's targets at once."""
        self._ticks = ticks
        self.reset()

    def reset(self) -> None:
        """Nothing is between them."""
        self._between: Array | None = None
        self._left = 0

    def begin(self, between: Array) -> None:
        """Begin with the next call. ``between``: (n,) [rad], the last target minus the new one's own of that tick."""
        self._between, self._left = between, self._ticks

    @property
    def fading(self) -> bool:
        """Whether the next target will be changed."""
        return self._left > 1

    def __call__(self, target: Array) -> Array:
        """Return the target (n,) [rad] of this tick; ``target`` itself where nothing is left between."""
        self._left = max(self._left - 1, 0)
        if self._between is None or not self._left:
            return target
        return owned(target + self._between * (self._left / self._ticks))
