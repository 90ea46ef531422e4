"""The student learns what the teacher would do, where the student goes (DAgger, Ross et al. 2011), as Extreme Parkour.

Beside the teacher's action it is told the way to go, its own velocity, and, only to learn by, the teacher's latents and
the heights that the teacher is told: the depth encoder gets a signal that does not have to come through the actor.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from tensordict import TensorDict
from torch import nn

from sim2real.training.parkour.adaptation import Adaptation
from sim2real.training.parkour.networks import ParkourActor
from sim2real.training.parkour.student import Student
from sim2real.training.parkour.views import HIDDEN
from sim2real.training.parkour.window import Step, Window, rows

EPOCHS, PARTS = 2, 4  # passes over a window, and groups of robots in each
GUIDED = 400_000  # samples, over which the teacher drives fewer and fewer robots; then none
# Learning rate from so many samples on, under the first teacher and under a later one
RATES = ((0, 1e-3), (6_000_000, 5e-4), (11_000_000, 2e-4), (14_000_000, 1e-4))
LATER = ((0, 5e-4), (5_000_000, 2e-4), (9_000_000, 1e-4))
WEIGHTS = {"action": 1.0, "yaw": 1.0, "latent": 0.3, "scan": 1.0, "velocity": 0.3, "body": 0.3}


class Distillation:
    """A learner beside rsl-rl's, with their interface: act, process_env_step, compute_returns, update."""

    def __init__(
        self, teacher: ParkourActor, adaptation: Adaptation, critic: nn.Module, frame: int, robots: int
    ) -> None:
        """Take a trained teacher, which stays as it is; its critic is kept for who refines the student."""
        self._critic = critic
        self._teacher, self._adaptation = teacher.requires_grad_(False), adaptation.requires_grad_(False)
        self._frame = frame
        self.student = Student(frame, teacher, adaptation).requires_grad_(True)
        self._optimizer = torch.optim.Adam(self.student.parameters(), lr=RATES[0][1])
        self._hidden = torch.zeros(robots, HIDDEN)
        self._window = Window()
        self._samples = 0
        self._since = 0  # samples, when the present teacher came
        self._loss = 0.0

    # What the trainer asks of a learner.

    @property
    def learning_rate(self) -> float:
        """Of the newest update."""
        return float(self._optimizer.param_groups[0]["lr"])

    @property
    def spread(self) -> float:
        """How far the student's actions are from the teacher's, root mean square [action units]."""
        return float(self._loss**0.5)

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        """What is learnt."""
        return (self.student,)

    def train_mode(self) -> None:
        """Nothing here differs between training and use."""

    def settle(self, samples: int) -> None:
        """Take the learning rate for this part of the run."""
        self._samples = samples
        under = samples - self._since
        rate = next(rate for start, rate in reversed(LATER if self._since else RATES) if under >= start)
        for group in self._optimizer.param_groups:
            group["lr"] = rate

    def follow(self, teacher: Mapping[str, Any], samples: int = 0) -> None:
        """Learn from the teacher of a checkpoint's values, from so many samples on. Raises KeyError, RuntimeError."""
        self._teacher.load_state_dict(teacher["actor_state_dict"])
        self._adaptation.load_state_dict(teacher["adaptation"]["networks"])
        self._critic.load_state_dict(teacher["critic_state_dict"])
        self._since = samples

    def act(self, obs: TensorDict) -> torch.Tensor:
        """Return the actions that drive the robots, and keep what the student learns from."""
        if len(self._window) == 0:
            self._window.hidden = self._hidden.clone()
        step = self._step(obs)
        self._window.add(step)
        self._hidden = self.student.look(obs, step.frame, self._hidden)
        velocity, body = self.student.of_itself(step.past, self._frame)
        action = self.student.act(step.frame, self._hidden, velocity, body)
        robots = torch.arange(len(action))
        guided = robots < len(robots) * max(0.0, 1.0 - self._samples / GUIDED)
        # Scattered over the kinds of ground, which are in order; another half in every part of the run would do as well
        scattered = guided[(robots * 7919) % len(robots)]
        return torch.where(scattered[:, None], step.action, action)

    def process_env_step(self, obs: TensorDict, rewards: torch.Tensor, dones: torch.Tensor, extras: Any) -> None:
        """Rewards are not learnt from."""

    def compute_returns(self, obs: TensorDict) -> None:
        """Nor are returns."""

    def update(self) -> dict[str, float]:
        """Learn from the window; return the losses."""
        assert self._window.hidden is not None
        hidden, whole = self._window.hidden.clone(), self._window.stacked()
        sums = dict.fromkeys(WEIGHTS, 0.0)
        for _ in range(EPOCHS):
            for part in torch.randperm(len(hidden)).chunk(PARTS):
                losses = self._losses(rows(whole, part), hidden[part])
                self._optimizer.zero_grad()
                torch.stack([WEIGHTS[name] * loss for name, loss in losses.items()]).sum().backward()
                nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
                self._optimizer.step()
                for name, loss in losses.items():
                    sums[name] += loss.item() / (EPOCHS * PARTS)
        self._loss = sums["action"]
        return sums

    def save(self) -> dict[str, Any]:
        """Return what a checkpoint keeps; the teacher is in it, so that a run can go on without its folder."""
        return {
            "actor_state_dict": self.student.state_dict(),
            "optimizer_state_dict": self._optimizer.state_dict(),
            "teacher": {
                "actor": self._teacher.state_dict(),
                "adaptation": self._adaptation.state_dict(),
                "critic": self._critic.state_dict(),
                "since": torch.tensor(self._since),
            },
        }

    def load(self, loaded_dict: Mapping[str, Any], load_cfg: object, strict: bool) -> bool:
        """Take what ``save`` gave."""
        self.student.load_state_dict(loaded_dict["actor_state_dict"])
        self._optimizer.load_state_dict(loaded_dict["optimizer_state_dict"])
        self._teacher.load_state_dict(loaded_dict["teacher"]["actor"])
        self._adaptation.load_state_dict(loaded_dict["teacher"]["adaptation"])
        self._critic.load_state_dict(loaded_dict["teacher"]["critic"])
        self._since = int(loaded_dict["teacher"]["since"])
        return True

    # The student on one step, and on a window.

    def _step(self, obs: TensorDict) -> Step:
        """Return what is kept of the present, with the teacher's word on it."""
        velocity, _ = self._adaptation.infer(obs["past"])
        told = TensorDict(
            {**{name: obs[name] for name in ("proprio", "scan", "hidden")}, "estimate": velocity},
            batch_size=obs.batch_size,
        )
        teacher = self._teacher
        return Step(
            image=obs["image"], frame=obs["proprio"][:, : self._frame], heading=obs["heading"], past=obs["past"],
            new=obs["new"], first=obs["first"], action=teacher(told), yaw=obs["proprio"][:, self._frame :],
            latent=teacher.scan_encoder(obs["scan"]), scan=obs["scan"], velocity=obs["velocity"],
            body=teacher.hidden_encoder(obs["hidden"]),
        )  # fmt: skip

    def _losses(self, part: Step, hidden: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the losses over a window (T, n, size) that began with the GRU's states (n, h)."""
        states = self._states(part, hidden)
        depth = self.student.depth
        velocity, body = self.student.of_itself(part.past.flatten(0, 1), self._frame)
        velocity, body = velocity.view(*part.velocity.shape), body.view(*part.body.shape)
        latent, yaw = depth.say(states)
        action = self.student.act(part.frame, states, velocity, body)
        # Of the heights and latents that the newest image can tell of: the teacher's are refreshed with the image.
        return {
            "action": (action - part.action).square().mean(),
            "yaw": (yaw - part.yaw).square().mean(),
            "latent": (latent - part.latent).square().mean(),
            "scan": (depth.ground(states) - part.scan).square().mean(),
            "velocity": (velocity - part.velocity).square().mean(),
            "body": (body - part.body).square().mean(),
        }

    def _states(self, part: Step, hidden: torch.Tensor) -> torch.Tensor:
        """Return the GRU's states (T, n, h); images are encoded all at once, as only the GRU has an order."""
        new, depth = part.new[:, :, 0] > 0.0, self.student.depth
        features = depth.features(part.image[new], part.frame[new], part.heading[new]).split(new.sum(dim=1).tolist())
        states = []
        for time, seen in enumerate(features):
            hidden = hidden * (1.0 - part.first[time])
            where = new[time].nonzero()[:, 0]
            hidden = hidden.index_copy(0, where, depth.memory(seen, hidden[where]))
            states.append(hidden)
        return torch.stack(states)
