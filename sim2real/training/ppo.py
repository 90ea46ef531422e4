"""What the trainer asks of a learner, and rsl-rl's PPO with it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

import torch
from rsl_rl.algorithms import PPO
from tensordict import TensorDict
from torch import nn

from sim2real.training.task import Ppo, Settles


class Learner(Protocol):
    """Acts, and learns from what came of it; the first five are rsl-rl's words."""

    def train_mode(self) -> None:
        """Prepare the networks for learning."""
        ...

    def act(self, obs: TensorDict) -> torch.Tensor:
        """Return actions (N, joints) on views of all robots."""
        ...

    def process_env_step(self, obs: TensorDict, rewards: torch.Tensor, dones: torch.Tensor, extras: Any) -> None:
        """Take what came of the actions."""
        ...

    def compute_returns(self, obs: TensorDict) -> None:
        """Take the views after the last step of an iteration."""
        ...

    def update(self) -> dict[str, float]:
        """Learn from the iteration and return the losses."""
        ...

    def save(self) -> dict[str, Any]:
        """Return what a checkpoint keeps; ``actor_state_dict`` is in it."""
        ...

    def load(self, loaded_dict: Mapping[str, Any], load_cfg: Any, strict: bool) -> bool:
        """Take what ``save`` gave."""
        ...

    def settle(self, samples: int) -> None:
        """Change what the run's plan says for after so many samples."""
        ...

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        """Everything that is learnt."""
        ...

    @property
    def learning_rate(self) -> float:
        """Of the newest update."""
        ...

    @property
    def spread(self) -> float:
        """Mean standard deviation of the actions [action units], or what stands for it."""
        ...


def arguments(ppo: Ppo, symmetry: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return what rsl-rl's PPO takes beside networks and storage."""
    return dict(
        num_learning_epochs=ppo.num_learning_epochs, num_mini_batches=ppo.num_mini_batches,
        clip_param=ppo.clip_param, gamma=ppo.gamma, lam=ppo.lam, value_loss_coef=ppo.value_loss_coef,
        entropy_coef=ppo.entropy_coef, learning_rate=ppo.learning_rate, max_grad_norm=ppo.max_grad_norm,
        desired_kl=ppo.desired_kl, schedule="adaptive", symmetry_cfg=symmetry,
    )  # fmt: skip


class TaskPPO(PPO):
    """rsl-rl's PPO as a learner."""

    settles: Settles | None = None

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        """Actor and critic."""
        return (self.actor, self.critic)

    @property
    def spread(self) -> float:
        """Mean standard deviation of the actions [action units]."""
        return float(self.get_policy().output_std.detach().mean())

    def settle(self, samples: int) -> None:
        """Take the numbers of the last part of the run, once it has come."""
        if self.settles is not None and samples >= self.settles.after:
            self.entropy_coef, self.desired_kl = self.settles.entropy_coef, self.settles.desired_kl
            self._raw_actor.distribution.log_std_param.data.clamp_(max=math.log(self.settles.most_std))
            if not self.settles.mirrors:
                self.symmetry = None
