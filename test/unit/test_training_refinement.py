"""The third part of parkour: PPO of the student's actor, on what the student's own networks say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from robot_policies.exceptions import ResourceError
from sim2real.randomization.ranges import NOMINAL
from sim2real.training.build import build_env
from sim2real.training.grounds import GroundKind
from sim2real.training.parkour.student_env import StudentEnv
from sim2real.training.parkour.tasks import GO2_PARKOUR, GO2_PARKOUR_STUDENT
from sim2real.training.task import Task

if TYPE_CHECKING:
    import torch
    from torch import nn

    from sim2real.training.parkour.distillation import Distillation
    from sim2real.training.parkour.refinement import Refinement

pytestmark = pytest.mark.torch
ROBOTS = 8
STEPS = GroundKind("parkour_steps", 0.5, highest=0.3, lowest=0.1)
GAPS = GroundKind("parkour_gaps", 0.5, highest=0.3, lowest=0.2)


def small(task: Task, steps: int) -> Task:
    return replace(
        task, grounds=(STEPS, GAPS), levels=2, tiles=1, randomization=NOMINAL, ppo=replace(task.ppo, steps=steps)
    )


TASK = small(GO2_PARKOUR, 6)


@pytest.fixture
def env() -> Iterator[StudentEnv]:
    made = build_env(TASK, ROBOTS, seed=0)
    assert isinstance(made, StudentEnv)
    yield made
    made.batch.close()


@pytest.fixture
def student(tmp_path: Path) -> Iterator[tuple[Path, Distillation]]:
    """A student's checkpoint, of twice as many robots, the second half of them on the second level."""
    torch = pytest.importorskip("torch")
    from sim2real.training import checkpoint
    from sim2real.training.learner import build_learner

    torch.manual_seed(3)
    task = small(GO2_PARKOUR_STUDENT, 6)
    env = build_env(task, 2 * ROBOTS, seed=1)
    env.fleet.level[:] = np.arange(2 * ROBOTS) >= ROBOTS
    made: Distillation = build_learner(task, env)  # type: ignore[assignment]
    checkpoint.save(tmp_path, made, checkpoint.Progress(task.name, 0, 2 * ROBOTS), env)
    yield tmp_path / checkpoint.FILE, made
    env.batch.close()


@pytest.fixture
def learner(env: StudentEnv, student: tuple[Path, Distillation]) -> Refinement:
    from sim2real.training.learner import build_learner

    made: Refinement = build_learner(TASK, env, student[0])  # type: ignore[assignment]
    return made


def equal(one: nn.Module, other: nn.Module) -> bool:
    import torch

    states = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in states)


def collect(env: StudentEnv, learner: Refinement, steps: int) -> None:
    import torch

    from sim2real.training.learner import to_tensors

    with torch.inference_mode():
        for _ in range(steps):
            outcome = env.step(learner.act(to_tensors(env.views())).numpy())
            reward = torch.from_numpy(outcome.reward.astype(np.float32))
            extras = {"time_outs": torch.from_numpy(outcome.time_out.astype(np.float32))}
            learner.process_env_step(to_tensors(outcome.views), reward, torch.from_numpy(outcome.done), extras)
        learner.compute_returns(to_tensors(env.views()))


def means(env: StudentEnv, learner: Refinement, steps: int) -> Iterator[tuple[torch.Tensor, np.ndarray]]:
    """Drive the robots; yield the mean of the actions, and what a checkpoint of the learner does there."""
    import torch

    from sim2real.training.learner import to_tensors
    from sim2real.training.parkour.acting import acting

    act = acting(env, learner.save())
    for _ in range(steps):
        with torch.inference_mode():
            drawn = learner.act(to_tensors(env.views()))
            yield learner.actor.output_mean, act(env.views())
            env.step(drawn.numpy())


def test_it_begins_as_its_student_with_the_critic_of_the_teacher_and_little_noise(
    env: StudentEnv, learner: Refinement, student: tuple[Path, Distillation]
) -> None:
    whole = student[1]
    assert equal(learner.student, whole.student) and equal(learner.critic, whole._critic)
    spread = learner.actor.distribution.log_std_param.exp()
    assert spread.tolist() == pytest.approx([TASK.network.init_std] * 12) and float(spread.max()) < 0.3
    assert env.fleet.level.tolist() == [0] * 4 + [1] * 4


def test_what_acts_is_the_student_with_noise_restarts_included(env: StudentEnv, learner: Refinement) -> None:
    for step, (mean, acted) in enumerate(means(env, learner, 9)):
        np.testing.assert_allclose(mean.numpy(), acted, atol=1e-5)
        if step == 5:
            env.age[2] = TASK.episode_steps


def test_only_actor_and_critic_learn_and_the_actor_is_the_students(env: StudentEnv, learner: Refinement) -> None:
    import copy

    before, critic = copy.deepcopy(learner.student), copy.deepcopy(learner.critic)
    collect(env, learner, TASK.ppo.steps)
    losses = learner.update()
    assert set(losses) >= {"value", "surrogate"} and all(np.isfinite(list(losses.values())))
    assert not equal(learner.student.actor, before.actor) and not equal(learner.critic, critic)
    assert equal(learner.student.actor, learner.actor.mlp)
    for name in ("depth", "estimator", "history"):
        assert equal(getattr(learner.student, name), getattr(before, name)), name


def test_a_run_goes_on_from_its_own_checkpoint(env: StudentEnv, learner: Refinement, tmp_path: Path) -> None:
    from sim2real.training import checkpoint
    from sim2real.training.learner import build_learner

    collect(env, learner, TASK.ppo.steps)
    learner.update()
    checkpoint.save(tmp_path, learner, checkpoint.Progress(TASK.name, 0, ROBOTS, 1), env)
    other: Refinement = build_learner(TASK, env)  # type: ignore[assignment]
    assert not equal(other.student, learner.student)
    checkpoint.resume(tmp_path, other, checkpoint.Progress(TASK.name, 0, ROBOTS), env, lambda line: None)
    assert equal(other.student, learner.student) and equal(other.actor, learner.actor)
    assert equal(other.critic, learner.critic) and equal(other.actor.mlp, other.student.actor)
    assert other.learning_rate == learner.learning_rate


def test_a_checkpoint_of_another_task_is_refused_by_name(env: StudentEnv, tmp_path: Path) -> None:
    from sim2real.training import checkpoint
    from sim2real.training.learner import build_learner

    teacher = build_learner(replace(TASK, kind="parkour"), env)
    checkpoint.save(tmp_path, teacher, checkpoint.Progress("go2_parkour_teacher", 0, ROBOTS), env)
    with pytest.raises(ResourceError, match="--start .*: a run of go2_parkour_student; found .*actor.0.weight"):
        build_learner(TASK, env, tmp_path / checkpoint.FILE)


def test_what_starts_from_nothing_takes_no_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from robot_policies.cli.main import REFUSED, main

    asked = ["train", "go2_walk", "--minutes", "1", "--out", str(tmp_path / "x"), "--start", "x.pt"]
    assert main(asked) == REFUSED
    told = capsys.readouterr().err
    assert "--start" in told and "found go2_walk, which starts from nothing" in told
    assert "go2_parkour_student, go2_parkour" in told
