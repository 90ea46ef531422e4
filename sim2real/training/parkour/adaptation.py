"""Regularised online adaptation: what the robot can know of itself and of its velocity from its own past.

As in Extreme Parkour; the method is from "Deep whole-body control" (Fu et al., CoRL 2022). A history encoder learns to
say what the teacher is told, the teacher's own encoder is pulled towards what the history can say, and now and then the
teacher acts on the history's word. Ours takes the pull as a step of its own after each update of PPO.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from sim2real.training.parkour.networks import HistoryEncoder, ParkourActor, from_past, layers
from sim2real.training.parkour.views import RECENT

MINIBATCH = 3072
PULL = 0.1  # weight of the pull of the teacher's encoder, after the ramp; as a learning rate: Adam knows no weights
RAMP = (400, 1500)  # updates, from where to where the pull grows
LEARNING_RATE = 5e-4


class Adaptation(nn.Module):
    """History encoder and velocity estimator, what they have seen in this iteration, and how they learn from it."""

    def __init__(self, frame: int, velocity: int, actor: ParkourActor) -> None:
        """Build for frames and velocities of these sizes, beside the teacher's actor."""
        super().__init__()
        self._frame = frame
        self.history = HistoryEncoder(frame)
        self.estimator = layers(RECENT * frame, 128, 64, velocity)
        self._own = torch.optim.Adam(self.parameters(), lr=LEARNING_RATE)
        self._pulled = torch.optim.Adam(actor.hidden_encoder.parameters(), lr=LEARNING_RATE)
        self._seen: list[tuple[torch.Tensor, ...]] = []
        self.updates = 0

    def infer(self, past: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return estimated velocity (N, 3) and latent (N, 20) from frames (N, 11 * frame), newest first."""
        return from_past(past, self._frame, self.estimator, self.history)

    def remember(self, past: torch.Tensor, velocity: torch.Tensor, hidden: torch.Tensor) -> None:
        """Keep one step for ``learn``."""
        self._seen.append((past, velocity, hidden))

    def learn(self, actor: ParkourActor) -> dict[str, float]:
        """Learn from what was kept, forget it, and return the losses."""
        past, velocity, hidden = (torch.cat(part).clone() for part in zip(*self._seen, strict=True))
        self._seen.clear()
        begin, end = RAMP
        pull = PULL * min(1.0, max(0.0, (self.updates - begin) / (end - begin)))
        sums = {"estimate": 0.0, "latent": 0.0}
        for group in self._pulled.param_groups:
            group["lr"] = pull * LEARNING_RATE
        rows = torch.randperm(len(past)).split(MINIBATCH)
        for part in rows:
            with torch.no_grad():
                told = actor.hidden_encoder(hidden[part])
            estimate, latent = self.infer(past[part])
            losses = {
                "estimate": (estimate - velocity[part]).square().mean(),
                "latent": (latent - told).square().mean(),
            }
            self._step(self._own, torch.stack(list(losses.values())).sum())
            if pull > 0.0:
                away = (actor.hidden_encoder(hidden[part]) - latent.detach()).square().mean()
                self._step(self._pulled, away)
            for name, loss in losses.items():
                sums[name] += loss.item() / len(rows)
        self.updates += 1
        return sums

    def save(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {
            "networks": self.state_dict(),
            "own": self._own.state_dict(),
            "pulled": self._pulled.state_dict(),
            "updates": self.updates,
        }

    def load(self, values: dict[str, Any]) -> None:
        """Take what ``save`` gave."""
        self.load_state_dict(values["networks"])
        self._own.load_state_dict(values["own"])
        self._pulled.load_state_dict(values["pulled"])
        self.updates = int(values["updates"])

    @staticmethod
    def _step(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
