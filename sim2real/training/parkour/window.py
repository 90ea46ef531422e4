"""What happened in some control steps of all robots, as the student learns from it."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch


@dataclass
class Step:
    """One control step of all robots; every field is (N, size)."""

    image: torch.Tensor
    frame: torch.Tensor
    heading: torch.Tensor  # [rad]
    past: torch.Tensor
    new: torch.Tensor  # 1 where the image is a new one
    first: torch.Tensor  # 1 where the robot has just started
    action: torch.Tensor  # what the teacher would do
    yaw: torch.Tensor  # [rad], what the teacher is told
    latent: torch.Tensor  # the teacher's, of the ground
    scan: torch.Tensor
    velocity: torch.Tensor
    body: torch.Tensor  # the teacher's latent of what was drawn


class Window:
    """The steps of one iteration."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        self._steps: list[Step] = []
        self.hidden: torch.Tensor | None = None  # (N, h) of the GRU before the first step

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(self._steps)

    def add(self, step: Step) -> None:
        """Keep one more."""
        self._steps.append(step)

    def stacked(self) -> Step:
        """Return all steps, every field (T, N, size), and forget them."""
        steps, self._steps = self._steps, []
        parts = {field.name: torch.stack([getattr(step, field.name) for step in steps]) for field in fields(Step)}
        return Step(**parts)


def rows(step: Step, robots: torch.Tensor) -> Step:
    """Return ``step`` (T, N, size) for some of the robots."""
    return Step(**{field.name: getattr(step, field.name)[:, robots] for field in fields(Step)})
