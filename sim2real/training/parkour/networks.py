"""The networks of the parkour teacher, after Extreme Parkour, with smaller layers."""

from __future__ import annotations

import torch
from rsl_rl.models import MLPModel
from tensordict import TensorDict
from torch import nn

from sim2real.training.parkour.views import FRAMES, LATENT, RECENT, SCAN_LATENT

ACTOR_GROUPS = {"actor": ["proprio", "scan", "hidden", "estimate"]}
CRITIC_GROUPS = {"critic": ["critic"]}


def layers(*sizes: int, last: type[nn.Module] | None = None) -> nn.Sequential:
    """Return linear layers with ELU between them, and ``last`` after the last one."""
    parts: list[nn.Module] = []
    for index, (before, after) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        parts.append(nn.Linear(before, after))
        end = last if index == len(sizes) - 2 else nn.ELU
        if end is not None:
            parts.append(end())
    return nn.Sequential(*parts)


class ParkourActor(MLPModel):
    """Reads proprioception, a latent of the ground, the estimated velocity and a latent of what was drawn."""

    def __init__(
        self, observation: TensorDict, joints: int, hidden_dims: tuple[int, ...], spread: dict[str, object]
    ) -> None:
        """Build for the groups of ``observation``."""
        self._sizes = {name: observation[name].shape[1] for name in ACTOR_GROUPS["actor"]}
        super().__init__(observation, ACTOR_GROUPS, "actor", joints, hidden_dims, "elu", False, spread)
        self.scan_encoder = layers(self._sizes["scan"], 128, 64, SCAN_LATENT, last=nn.Tanh)
        self.hidden_encoder = layers(self._sizes["hidden"], 64, LATENT, last=nn.ELU)
        self.adapted: torch.Tensor | None = None  # taken instead of what the hidden encoder says

    def get_latent(self, obs: TensorDict, masks: object = None, hidden_state: object = None) -> torch.Tensor:
        """Return what the body of the network reads, (N, proprio + 32 + 3 + 20)."""
        latent = self.hidden_encoder(obs["hidden"]) if self.adapted is None else self.adapted
        return torch.cat([obs["proprio"], self.scan_encoder(obs["scan"]), obs["estimate"], latent], dim=1)

    def _get_latent_dim(self) -> int:
        return int(self._sizes["proprio"]) + SCAN_LATENT + int(self._sizes["estimate"]) + LATENT


class HistoryEncoder(nn.Module):
    """From the past frames, oldest first, to the latent of what was drawn."""

    def __init__(self, frame: int) -> None:
        """Build for frames of that size."""
        super().__init__()
        self.encoder = layers(frame, 30, last=nn.ELU)
        self.conv = nn.Sequential(
            nn.Conv1d(30, 20, 4, stride=2), nn.ELU(), nn.Conv1d(20, 10, 2), nn.ELU(), nn.Flatten()
        )
        self.output = layers(30, LATENT, last=nn.ELU)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Return (N, 20) from (N, 10, frame)."""
        return self.output(self.conv(self.encoder(frames).transpose(1, 2)))


def from_past(
    past: torch.Tensor, frame: int, estimator: nn.Module, history: nn.Module
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return velocity (N, 3) and latent (N, 20) that two networks infer from frames (N, 11 * frame), newest first."""
    frames = past.view(len(past), -1, frame)
    recent = frames[:, :RECENT].flatten(1)
    return estimator(recent), history(frames[:, 1 : FRAMES + 1].flip(1))
