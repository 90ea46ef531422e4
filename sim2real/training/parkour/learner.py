"""PPO with regularised online adaptation: rsl-rl's PPO, and around it what the teacher learns beside acting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rsl_rl.models import MLPModel
from rsl_rl.storage import RolloutStorage
from tensordict import TensorDict

from robot_policies.exceptions import ResourceError, expected
from sim2real.training import checkpoint
from sim2real.training.env import Env
from sim2real.training.parkour.adaptation import Adaptation
from sim2real.training.parkour.distillation import Distillation
from sim2real.training.parkour.networks import CRITIC_GROUPS, ParkourActor
from sim2real.training.parkour.refinement import KNOWN, Refinement
from sim2real.training.parkour.student import Student
from sim2real.training.parkour.views import frame_size
from sim2real.training.ppo import TaskPPO, arguments
from sim2real.training.task import Task

EVERY = 20  # iterations: in one of so many the teacher acts on what the history says, as in Extreme Parkour
FIRST = 200  # iterations before the first of them


class ParkourPPO(TaskPPO):
    """What PPO sees of the views is what the actor and the critic read; the rest is the adaptation's."""

    adaptation: Adaptation

    def act(self, obs: TensorDict) -> torch.Tensor:
        """Sample actions from views, and keep what the adaptation learns from."""
        actions: torch.Tensor = super().act(self._seen(obs))
        self.adaptation.remember(obs["past"], obs["velocity"], obs["hidden"])
        return actions

    def compute_returns(self, obs: TensorDict) -> None:
        """Compute returns and advantages; ``obs`` are the views after the last step."""
        super().compute_returns(self._seen(obs))

    def update(self) -> dict[str, float]:
        """Update the teacher, unless it acted on the history; then the adaptation, which learns from either."""
        losses: dict[str, float] = {"value": 0.0, "surrogate": 0.0, "entropy": 0.0, "symmetry": 0.0}
        if self.actor.adapted is None:
            losses = super().update()
        else:
            self.storage.clear()
        losses.update(self.adaptation.learn(self._raw_actor))
        self.actor.adapted = None
        return losses

    def deployed(self, obs: TensorDict) -> torch.Tensor:
        """Return the mean actions of a teacher that goes by its history alone, as a student will."""
        seen = self._seen(obs)
        self.actor.adapted = self.adaptation.infer(obs["past"])[1]
        action: torch.Tensor = self.actor(seen)
        self.actor.adapted = None
        return action

    def save(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        values: dict[str, Any] = super().save()
        return {**values, "adaptation": self.adaptation.save()}

    def load(self, loaded_dict: dict[str, Any], load_cfg: dict[str, Any] | None, strict: bool) -> bool:
        """Take what ``save`` gave."""
        self.adaptation.load(loaded_dict["adaptation"])
        return bool(super().load(loaded_dict, load_cfg, strict))

    def _seen(self, obs: TensorDict) -> TensorDict:
        """Return what actor and critic read, with the estimated velocity; set the actor's latent where it adapts."""
        with torch.no_grad():
            estimate, latent = self.adaptation.infer(obs["past"])
        updates = self.adaptation.updates
        self.actor.adapted = latent if updates >= FIRST and updates % EVERY == 0 else None
        seen = {name: obs[name] for name in ("proprio", "scan", "hidden", "critic")}
        return TensorDict({**seen, "estimate": estimate}, batch_size=obs.batch_size)


def build_parkour_ppo(task: Task, env: Env, symmetry: dict[str, Any] | None) -> ParkourPPO:
    """Return PPO with fresh networks for ``env``."""
    ppo, observation = task.ppo, _observation(env)
    actor, joints = _build_actor(task, env, observation), len(env.robot.joint_names)
    storage = RolloutStorage("rl", len(env), ppo.steps, observation, [joints], "cpu")
    learner = ParkourPPO(actor, _build_critic(task, observation), storage, **arguments(ppo, symmetry))
    learner.adaptation = _build_adaptation(task, env, actor)
    return learner


def build_distillation(task: Task, env: Env, teacher: Path | None) -> Distillation:
    """Return the distillation of the teacher of a checkpoint; its robots begin on the teacher's levels.

    Raises:
        ResourceError: a checkpoint that cannot be read, or that holds no teacher for this task.
    """
    observation = _observation(env)
    actor, critic = _build_actor(task, env, observation), _build_critic(task, observation)
    adaptation = _build_adaptation(task, env, actor)
    if teacher is not None:
        with _start(teacher, task, env) as values:
            actor.load_state_dict(values["actor_state_dict"])
            adaptation.load_state_dict(values["adaptation"]["networks"])
            critic.load_state_dict(values["critic_state_dict"])
    return Distillation(actor, adaptation, critic, frame_size(task.terms), len(env))


def change_teacher(learner: Distillation, task: Task, env: Env, teacher: Path, samples: int) -> None:
    """Let a student that has come to so many samples go on under the teacher of a checkpoint, on its levels.

    Raises:
        ResourceError: a checkpoint that cannot be read, or that holds no teacher for this task.
    """
    with _start(teacher, task, env) as values:
        learner.follow(values, samples)


def build_refinement(task: Task, env: Env, student: Path | None) -> Refinement:
    """Return PPO of the student of a checkpoint, with its teacher's critic; robots begin on its levels.

    Raises:
        ResourceError: a checkpoint that cannot be read, or that holds no student for this task.
    """
    observation, frame, joints = _observation(env), frame_size(task.terms), len(env.robot.joint_names)
    teacher = _build_actor(task, env, observation)
    networks = Student(frame, teacher, _build_adaptation(task, env, teacher))
    critic = _build_critic(task, observation)
    if student is not None:
        with _start(student, task, env) as values:
            networks.load_state_dict(values["actor_state_dict"])
            critic.load_state_dict(values["teacher"]["critic"])
    size = torch.zeros(len(env), networks.actor[0].in_features)
    seen = TensorDict({KNOWN: size, "critic": observation["critic"]}, batch_size=[len(env)])
    actor = MLPModel(seen, {"actor": [KNOWN]}, "actor", joints, task.network.hidden, "elu", False, _spread_of(task))
    actor.mlp = networks.actor
    storage = RolloutStorage("rl", len(env), task.ppo.steps, seen, [joints], "cpu")
    learner = Refinement(actor, critic, storage, **arguments(task.ppo))
    learner.begin(networks, frame, len(env))
    return learner


@contextmanager
def _start(path: Path, task: Task, env: Env) -> Iterator[dict[str, Any]]:
    """Give the values of the checkpoint that a task starts from, and put the robots on its levels.

    Raises:
        ResourceError: it cannot be read, or what is asked of it inside is not there or has other sizes.
    """
    values = checkpoint.read(path)
    try:
        yield values
    except (RuntimeError, KeyError) as error:
        text = " ".join(str(error).split())
        raise ResourceError(expected(f"--start {path}: a run of {task.starts_from}", text, "its checkpoint")) from error
    env.load_state(_spread({name: value.numpy() for name, value in values["env"].items()}, len(env)))


def _spread(state: dict[str, Any], robots: int) -> dict[str, Any]:
    """Return the teacher's state for another number of robots; in both, the kinds of ground follow each other."""
    level = state["level"]
    return {**state, "level": level[np.arange(robots) * len(level) // robots]}


def _observation(env: Env) -> TensorDict:
    """Return views as actor and critic read them, to build them by."""
    views = {name: torch.from_numpy(values) for name, values in env.views().groups.items()}
    seen = {name: views[name] for name in ("proprio", "scan", "hidden", "critic")}
    return TensorDict({**seen, "estimate": torch.zeros_like(views["velocity"])}, batch_size=[len(env)])


def _build_actor(task: Task, env: Env, observation: TensorDict) -> ParkourActor:
    return ParkourActor(observation, len(env.robot.joint_names), task.network.hidden, _spread_of(task))


def _spread_of(task: Task) -> dict[str, object]:
    return {"class_name": "GaussianDistribution", "init_std": task.network.init_std, "std_type": "log"}


def _build_critic(task: Task, observation: TensorDict) -> MLPModel:
    return MLPModel(observation, CRITIC_GROUPS, "critic", 1, task.network.hidden, "elu", False, None)


def _build_adaptation(task: Task, env: Env, actor: ParkourActor) -> Adaptation:
    return Adaptation(frame_size(task.terms), env.views().groups["velocity"].shape[1], actor)
