"""The student goes on by itself: PPO on what its own camera shows, from where the imitation of the teacher ended.

A teacher that sees everything can afford what its student, which sees late and little, cannot. Here the student's actor
learns from what comes of its own actions; the networks before it stay, and the teacher's critic, which knows the
ground, says what a state is worth.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from tensordict import TensorDict
from torch import nn

from sim2real.training.parkour.student import Student
from sim2real.training.parkour.views import HIDDEN
from sim2real.training.ppo import TaskPPO

KNOWN = "known"  # group of what the actor reads


class Refinement(TaskPPO):
    """What PPO sees of the views is what the student's networks make of them; they are not learnt."""

    student: Student  # its actor is PPO's
    _frame: int
    _hidden: torch.Tensor

    def begin(self, student: Student, frame: int, robots: int) -> None:
        """Take the student, whose frames have that size."""
        self.student, self._frame, self._hidden = student, frame, torch.zeros(robots, HIDDEN)

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        """Actor and critic, and what is before the actor."""
        return (*super().networks, self.student)

    def act(self, obs: TensorDict) -> torch.Tensor:
        """Sample actions from views, after stepping the depth encoder."""
        frame = obs["proprio"][:, : self._frame]
        self._hidden = self.student.look(obs, frame, self._hidden)
        known = self.student.known(frame, self._hidden, *self.student.of_itself(obs["past"], self._frame))
        actions: torch.Tensor = super().act(
            TensorDict({KNOWN: known, "critic": obs["critic"]}, batch_size=[len(known)])
        )
        return actions

    def save(self) -> dict[str, Any]:
        """Return what a checkpoint keeps: a student, and PPO's part."""
        return {"actor_state_dict": self.student.state_dict(), "ppo": super().save()}

    def load(self, loaded_dict: Mapping[str, Any], load_cfg: Any, strict: bool) -> bool:
        """Take what ``save`` gave."""
        self.student.load_state_dict(loaded_dict["actor_state_dict"])
        return bool(super().load(loaded_dict["ppo"], load_cfg, strict))
