"""The networks of the parkour student: a recurrent depth encoder in the place of what the teacher is told."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import nn

from sim2real.training.parkour.adaptation import Adaptation
from sim2real.training.parkour.depth_input import SIZE
from sim2real.training.parkour.networks import ParkourActor, from_past, layers
from sim2real.training.parkour.views import FEATURES, HIDDEN, SCAN, SCAN_LATENT, YAW, YAW_LIMIT

_FLAT = 32 * 6 * 11  # channels, rows, columns after both convolutions


class DepthEncoder(nn.Module):
    """From an image, the robot's frame and the asked heading to a latent of the ground and to the way to go.

    As Extreme Parkour's, with smaller layers: 0.4 million parameters for its 8.9 million. Rays of the same lanes say
    the same in every second pixel, and the latent has the same size.
    """

    def __init__(self, frame: int) -> None:
        """Build for frames of that size."""
        super().__init__()
        self.image = nn.Sequential(
            nn.Conv2d(1, 16, 5, stride=2), nn.ELU(), nn.Conv2d(16, 32, 3, stride=2), nn.ELU(), nn.Flatten(),
            nn.Linear(_FLAT, FEATURES), nn.ELU(),
        )  # fmt: skip
        self.joined = layers(FEATURES + frame + 1, FEATURES, last=nn.ELU)
        self.memory = nn.GRUCell(FEATURES, HIDDEN)
        self.head = layers(HIDDEN, SCAN_LATENT + YAW, last=nn.Tanh)
        self.ground = layers(HIDDEN, 128, len(SCAN))  # only to learn by: the heights that the teacher is told

    def features(self, image: torch.Tensor, frame: torch.Tensor, heading: torch.Tensor) -> torch.Tensor:
        """Return (N, 64) from images (N, 29 * 49), frames (N, f) and heading errors (N, 1) [rad]."""
        seen = self.image(image.view(-1, 1, *SIZE))
        return torch.as_tensor(self.joined(torch.cat([seen, frame, heading], dim=1)))

    def say(self, hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the latent (..., 32) and the errors to the near and the far goal (..., 2) [rad]."""
        latent, yaw = self.head(hidden).split([SCAN_LATENT, YAW], dim=-1)
        return latent, YAW_LIMIT * yaw


class Student(nn.Module):
    """Depth encoder, velocity estimator, history encoder and actor; the last three begin as the teacher's."""

    def __init__(self, frame: int, teacher: ParkourActor, adaptation: Adaptation) -> None:
        """Copy what the student begins with."""
        super().__init__()
        self.depth = DepthEncoder(frame)
        self.actor = copy.deepcopy(teacher.mlp)
        self.estimator = copy.deepcopy(adaptation.estimator)
        self.history = copy.deepcopy(adaptation.history)

    def look(self, seen: Mapping[str, torch.Tensor], frame: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        """Return the GRU's state (N, h) after a step: cleared where robots start, moved on where an image is new.

        Args:
            seen: views of all robots: image, heading, new, first.
            frame: (N, f).
            hidden: (N, h) before.
        """
        hidden = hidden * (1.0 - seen["first"])
        where = seen["new"][:, 0].nonzero()[:, 0]
        features = self.depth.features(seen["image"][where], frame[where], seen["heading"][where])
        return hidden.index_copy(0, where, self.depth.memory(features, hidden[where]))

    def of_itself(self, past: torch.Tensor, frame: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return velocity (N, 3) and latent of the body (N, 20) from frames of the past (N, 11 * frame)."""
        return from_past(past, frame, self.estimator, self.history)

    def act(
        self, frame: torch.Tensor, hidden: torch.Tensor, velocity: torch.Tensor, body: torch.Tensor
    ) -> torch.Tensor:
        """Return actions (N, joints) from frames, the GRU's state, estimated velocity and the latent of the body."""
        return torch.as_tensor(self.actor(self.known(frame, hidden, velocity, body)))

    def known(
        self, frame: torch.Tensor, hidden: torch.Tensor, velocity: torch.Tensor, body: torch.Tensor
    ) -> torch.Tensor:
        """Return what the actor reads, (N, frame + 2 + 32 + 3 + 20)."""
        latent, yaw = self.depth.say(hidden)
        return torch.cat([frame, yaw, latent, velocity, body], dim=-1)
