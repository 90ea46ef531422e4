"""The learner of a task: rsl-rl's PPO, whose arguments nobody else knows, or the distillation of a teacher."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from rsl_rl.models import MLPModel
from rsl_rl.storage import RolloutStorage
from tensordict import TensorDict

from robot_policies.exceptions import ResourceError, expected
from sim2real.training.env import Env, Views
from sim2real.training.mirror import Mirror, joint_mirror
from sim2real.training.parkour.distillation import Distillation
from sim2real.training.parkour.learner import (
    build_distillation,
    build_parkour_ppo,
    build_refinement,
    change_teacher,
)
from sim2real.training.ppo import Learner, TaskPPO, arguments
from sim2real.training.speed import sample_symmetry
from sim2real.training.task import Network, Task

_GROUPS = {"actor": ["policy"], "critic": ["critic"]}


def to_tensors(views: Views) -> TensorDict:
    """Return both networks' inputs under the names that rsl-rl is given."""
    tensors = {name: torch.from_numpy(values) for name, values in views.groups.items()}
    return TensorDict(tensors, batch_size=[len(views.critic)])


def build_actor(observation: TensorDict, joints: int, network: Network) -> MLPModel:
    """Return the policy network with its spread."""
    spread = {"class_name": "GaussianDistribution", "init_std": network.init_std, "std_type": "log"}
    return MLPModel(observation, _GROUPS, "actor", joints, network.hidden, "elu", False, spread)


def build_learner(task: Task, env: Env, start: Path | None = None) -> Learner:
    """Return what learns the task: PPO, with fresh networks or a student's, or the distillation of a teacher.

    Args:
        task: what is learnt.
        env: the robots.
        start: checkpoint that a task starts from; a run that goes on has what it needs of it in its own.

    Raises:
        ResourceError: a checkpoint that cannot be read, or of another task.
    """
    if task.kind == "student":
        return build_distillation(task, env, start)
    if task.kind == "refined":
        return build_refinement(task, env, start)
    ppo = build_parkour_ppo(task, env, _symmetry(task, env)) if task.kind == "parkour" else build_ppo(task, env)
    ppo.settles = task.ppo.settles
    sample_symmetry(ppo)
    return ppo


def change_start(learner: Learner, env: Env, start: Path, samples: int) -> None:
    """Let a student that has come to so many samples go on under another teacher's checkpoint.

    Raises:
        ResourceError: a learner that has no teacher, or a checkpoint that cannot be read or is of another task.
    """
    if not isinstance(learner, Distillation):
        raise ResourceError(expected("--start with --resume", f"a run of {env.task.name}", "a run of a student"))
    change_teacher(learner, env.task, env, start, samples)


def build_ppo(task: Task, env: Env) -> TaskPPO:
    """Return PPO with fresh networks for ``env``."""
    ppo, views = task.ppo, env.views()
    observation, joints = to_tensors(views), len(env.robot.joint_names)
    actor = build_actor(observation, joints, task.network)
    critic = MLPModel(observation, _GROUPS, "critic", 1, task.network.hidden, "elu", False, None)
    return TaskPPO(
        actor, critic, RolloutStorage("rl", len(env), ppo.steps, observation, [joints], "cpu"),
        **arguments(ppo, _symmetry(task, env)),
    )  # fmt: skip


def _symmetry(task: Task, env: Env) -> dict[str, Any] | None:
    if task.ppo.mirror == "none":
        return None
    augment = _Augment(env.mirrors(), joint_mirror(env.robot.joint_names))
    doubled = task.ppo.mirror == "augmentation"
    return {
        "env": env,
        "data_augmentation_func": augment,
        "use_data_augmentation": doubled,
        "use_mirror_loss": not doubled,
        "mirror_loss_coeff": 1.0,
    }


class _Augment:
    """What rsl-rl calls to get each sample and its mirror image."""

    def __init__(self, groups: Mapping[str, Mirror], action: Mirror) -> None:
        self._groups = {name: _tensors(mirror) for name, mirror in groups.items()}
        self._action = _tensors(action)

    def __call__(
        self, env: object, obs: TensorDict | None = None, actions: torch.Tensor | None = None
    ) -> tuple[TensorDict | None, torch.Tensor | None]:
        """Return the values followed by their mirror images."""
        if obs is not None:
            both = {
                name: torch.cat([obs[name], obs[name][:, index] * sign]) for name, (index, sign) in self._groups.items()
            }
            obs = TensorDict(both, batch_size=[2 * obs.batch_size[0]])
        if actions is not None:
            index, sign = self._action
            actions = torch.cat([actions, actions[:, index] * sign])
        return obs, actions


def _tensors(mirror: Mirror) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(mirror.index), torch.from_numpy(mirror.sign.astype("float32"))
