"""What the student of parkour learns: what the teacher does, with the memory that acted, and what is kept of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from helpers.parkour_student import FRAME, GAPS, ROBOTS, STEPS, TASK, student_env

from robot_policies.inference.network import open_session
from sim2real.randomization.ranges import NOMINAL
from sim2real.training.build import build_env
from sim2real.training.parkour.student_env import StudentEnv
from sim2real.training.parkour.tasks import GO2_PARKOUR_TEACHER

if TYPE_CHECKING:
    from sim2real.training.parkour.distillation import Distillation


@pytest.fixture
def env() -> Iterator[StudentEnv]:
    with student_env() as made:
        yield made


@pytest.fixture
def learner(env: StudentEnv) -> Distillation:
    pytest.importorskip("torch")
    import torch

    from sim2real.training.learner import build_learner
    from sim2real.training.parkour.distillation import Distillation

    torch.manual_seed(0)
    made = build_learner(TASK, env)
    assert isinstance(made, Distillation)
    return made


def collect(env: StudentEnv, learner: Distillation, steps: int) -> None:
    import torch

    from sim2real.training.learner import to_tensors

    with torch.inference_mode():
        for _ in range(steps):
            env.step(learner.act(to_tensors(env.views())).numpy())


@pytest.mark.torch
def test_the_memory_that_learns_is_the_memory_that_acted(env: StudentEnv, learner: Distillation) -> None:
    """The window, encoded at once and cut by robots, gives the GRU's states of the steps, restarts included."""
    import torch

    from sim2real.training.learner import to_tensors
    from sim2real.training.parkour.window import rows

    collect(env, learner, 3)
    learner.update()
    seen = []
    with torch.inference_mode():
        for step in range(12):
            if step == 6:
                env.age[1] = TASK.episode_steps
            env.step(learner.act(to_tensors(env.views())).numpy())
            seen.append(learner._hidden.clone())
    assert any(float(step.first[1]) for step in learner._window._steps)
    hidden, part = learner._window.hidden.clone(), torch.tensor([5, 1, 2])
    states = learner._states(rows(learner._window.stacked(), part), hidden[part])
    np.testing.assert_allclose(states.detach().numpy(), torch.stack(seen)[:, part].numpy(), atol=1e-5)


@pytest.mark.torch
def test_it_learns_what_the_teacher_does(env: StudentEnv, learner: Distillation) -> None:
    learner.settle(10_000_000)  # not guided any more
    for group in learner._optimizer.param_groups:
        group["lr"] = 3e-3
    losses = []
    for _ in range(14):
        collect(env, learner, 10)
        losses.append(learner.update())
    for name in ("action", "yaw", "scan", "latent"):
        assert losses[-1][name] < 0.5 * losses[0][name], name
    assert learner.spread == pytest.approx(losses[-1]["action"] ** 0.5)
    teacher = learner.save()["teacher"]["actor"]
    assert all(not value.requires_grad for value in teacher.values())


@pytest.mark.torch
def test_the_teacher_drives_fewer_and_fewer_robots(env: StudentEnv, learner: Distillation) -> None:
    import torch

    from sim2real.training.learner import to_tensors
    from sim2real.training.parkour.distillation import GUIDED

    shares = []
    for samples in (0, GUIDED // 2, GUIDED):
        learner.settle(samples)
        with torch.inference_mode():
            driven = learner.act(to_tensors(env.views()))
        told = learner._window._steps[-1].action
        shares.append(float((driven == told).all(dim=1).float().mean()))
    assert shares == [1.0, 0.5, 0.0]


@pytest.mark.torch
def test_the_onnx_files_compute_what_the_student_computes(
    env: StudentEnv, learner: Distillation, tmp_path: Path
) -> None:
    import torch

    from sim2real.training.parkour.networks import from_past
    from sim2real.training.parkour.student_onnx import onnx_files

    student = learner.student
    sessions = {}
    for name, content in onnx_files(student.state_dict(), FRAME, 12, TASK.network.hidden).items():
        (tmp_path / name).write_bytes(content)
        sessions[name] = open_session(tmp_path / name)
    memory, hidden = np.zeros((1, 1, 128), np.float32), torch.zeros(1, 128)
    for _ in range(4):
        views = env.step(env.rng.normal(0.0, 0.5, (ROBOTS, 12))).views.groups
        image, frame, turn, past = (views[n][:1] for n in ("image", "proprio", "heading", "past"))
        frame = frame[:, :FRAME]
        own = {"image": image.reshape(1, 29, 49), "frame": np.concatenate([frame, turn], 1), "memory_in": memory}
        latent, yaw, memory = sessions["depth_encoder.onnx"].run(["latent", "yaw", "memory_out"], own)
        (velocity,) = sessions["estimator.onnx"].run(["velocity"], {"recent": past[:, : 5 * FRAME]})
        frames = past.reshape(11, FRAME)[:0:-1].reshape(1, -1)
        (body,) = sessions["history_encoder.onnx"].run(["latent"], {"history": frames})
        whole = np.concatenate([frame, 1.5 * yaw, latent, velocity, body], 1)
        (action,) = sessions["actor.onnx"].run(["action"], {"observation": whole})
        with torch.no_grad():
            image_t, frame_t, turn_t, past_t = map(torch.from_numpy, (image, frame, turn, past))
            hidden = student.depth.memory(student.depth.features(image_t, frame_t, turn_t), hidden)
            own_t = from_past(past_t, FRAME, student.estimator, student.history)
            wanted = student.act(frame_t, hidden, *own_t)
        np.testing.assert_allclose(memory[0], hidden.numpy(), atol=2e-5)
        np.testing.assert_allclose(action, wanted.numpy(), atol=1e-4)
    parameters = sum(p.numel() for n, p in student.depth.named_parameters() if not n.startswith("ground"))
    assert parameters < 500_000


@pytest.mark.torch
def test_it_begins_with_the_teacher_of_a_checkpoint_and_on_its_levels(tmp_path: Path, env: StudentEnv) -> None:
    import torch

    from robot_policies.exceptions import ResourceError
    from sim2real.training import checkpoint
    from sim2real.training.learner import build_learner, change_start

    task = replace(GO2_PARKOUR_TEACHER, grounds=(STEPS, GAPS), levels=2, tiles=1, randomization=NOMINAL)
    other = build_env(task, 16, seed=1)
    other.fleet.level[:] = np.arange(16) >= 8
    teacher = build_learner(task, other)
    checkpoint.save(tmp_path, teacher, checkpoint.Progress(task.name, 0, 16), other)
    student = build_learner(TASK, env, tmp_path / checkpoint.FILE)
    assert env.fleet.level.tolist() == [0] * 4 + [1] * 4
    for name, value in teacher.actor.mlp.state_dict().items():
        assert torch.equal(student.student.actor.state_dict()[name], value)
    student.load(student.save(), None, True)

    env.fleet.level[:] = 0
    learner = build_learner(TASK, env)
    learner.settle(20_000_000)
    slow, before = learner.learning_rate, learner.student.actor.state_dict()["0.weight"].clone()
    change_start(learner, env, tmp_path / checkpoint.FILE, 20_000_000)
    assert env.fleet.level.tolist() == [0] * 4 + [1] * 4
    learner.load(learner.save(), None, True)
    learner.settle(20_000_000)
    assert learner.learning_rate > slow  # there is something to learn again
    assert torch.equal(learner.student.actor.state_dict()["0.weight"], before)
    for name, value in teacher.actor.mlp.state_dict().items():
        assert torch.equal(learner.save()["teacher"]["actor"][f"mlp.{name}"], value)

    wrong = replace(TASK, network=replace(TASK.network, hidden=(32,)))
    with pytest.raises(ResourceError, match="--start .*: a run of go2_parkour_teacher; found .*mlp"):
        build_learner(wrong, env, tmp_path / checkpoint.FILE)
    other.batch.close()


@pytest.mark.torch
def test_robots_are_judged_by_whether_they_reach_the_end_of_a_lane() -> None:
    from sim2real.training.env import Views
    from sim2real.training.parkour.score import line, pass_rates

    task = replace(GO2_PARKOUR_TEACHER, randomization=NOMINAL)
    seen = []

    def stands(views: Views) -> np.ndarray:
        seen.append(len(views.critic))
        return np.zeros((8, 12), np.float32)

    rates = pass_rates(replace(task, control_dt=0.02), stands, {"step": 0.1, "gap": 0.3}, robots=4)
    assert rates == {"step": 0.0, "gap": 0.0} and set(seen) == {8}
    assert line({"step": 0.25}) == "passed: step 0.45 25%"


@pytest.mark.torch
def test_a_checkpoint_acts_without_noise_as_the_student_did(env: StudentEnv, learner: Distillation) -> None:
    import torch

    from sim2real.training.learner import to_tensors
    from sim2real.training.parkour.acting import acting

    learner.settle(10_000_000)
    act = acting(env, learner.save())
    with torch.inference_mode():
        for _ in range(7):
            wanted = learner.act(to_tensors(env.views())).numpy()
            np.testing.assert_allclose(act(env.views()), wanted, atol=1e-5)
            env.step(wanted)
