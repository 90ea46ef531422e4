"""The student of parkour: what it sees is what the bundle's pipeline builds, and it learns what the teacher does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from robot_policies.contract import Contract
from robot_policies.inference.network import open_session
from robot_policies.observation.builder import ObservationBuilder
from robot_policies.policies.heading import HeadingCommand
from robot_policies.robot_spec import RobotSpec, load_robot_spec
from robot_policies.schema import parse
from robot_policies.types import PolicyInputs, RobotState, VelocityCommand, owned
from sim2real.randomization.ranges import NOMINAL
from sim2real.training.build import build_env
from sim2real.training.grounds import GroundKind
from sim2real.training.motion import heading
from sim2real.training.parkour import depth_input
from sim2real.training.parkour.env import REFRESH
from sim2real.training.parkour.student_contract import student_contract
from sim2real.training.parkour.student_env import StudentEnv
from sim2real.training.parkour.tasks import GO2_PARKOUR_STUDENT, GO2_PARKOUR_TEACHER
from sim2real.training.parkour.views import frame_size

if TYPE_CHECKING:
    from sim2real.training.parkour.distillation import Distillation

ROBOTS = 8
STEPS = GroundKind("parkour_steps", 0.5, highest=0.3, lowest=0.1)
GAPS = GroundKind("parkour_gaps", 0.5, highest=0.3, lowest=0.2)
TASK = replace(GO2_PARKOUR_STUDENT, grounds=(STEPS, GAPS), levels=2, tiles=1, randomization=NOMINAL)
FRAME = frame_size(TASK.terms)


@pytest.fixture(scope="module")
def spec() -> RobotSpec:
    return load_robot_spec("go2")


@pytest.fixture
def env() -> Iterator[StudentEnv]:
    made = build_env(TASK, ROBOTS, seed=0)
    assert isinstance(made, StudentEnv)
    yield made
    made.batch.close()


@pytest.fixture(scope="module")
def contract(spec: RobotSpec) -> Contract:
    return parse(
        Contract, {"format": 1, "files": {}, **student_contract(TASK, spec, {"test": "none"}, "0.0.0")}, "test"
    )


def deployed(env: StudentEnv, row: int) -> PolicyInputs:
    motion = env.motion
    state = RobotState(
        stamp_ns=1, joint_pos=owned(motion.joint_pos[row]), joint_vel=owned(motion.joint_vel[row]),
        joint_effort=owned(np.zeros(12)), base_quat_wxyz=owned(motion.base_quat_wxyz[row]),
        base_ang_vel=owned(motion.base_ang_vel[row]), base_lin_acc=owned(np.zeros(3)),
        foot_force=owned(10.0 * motion.foot_contact[row]),
    )  # fmt: skip
    return PolicyInputs(state, VelocityCommand(1, *env.command[row].tolist()))


def test_frames_and_pasts_are_those_of_the_deployed_builder(
    env: StudentEnv, contract: Contract, spec: RobotSpec
) -> None:
    """Step by step over an episode's start, past the oldest frame that a network reads, and over a restart."""
    builders = [ObservationBuilder(contract, spec) for _ in range(ROBOTS)]
    views, first = env.views().groups, np.ones(ROBOTS, dtype=bool)
    for step in range(16):
        for row, builder in enumerate(builders):
            if first[row]:
                builder.reset()
            last = env._memory.gait(env.command).action[row].astype(np.float32)
            built = builder.build(deployed(env, row), step, last, float(env._heading[row])).groups
            past = views["past"][row].reshape(11, FRAME)
            np.testing.assert_allclose(views["proprio"][row, :FRAME], built["frame"], atol=1e-6)
            np.testing.assert_allclose(views["heading"][row], built["heading"], atol=1e-6)
            np.testing.assert_allclose(past[:5].ravel(), built["recent"], atol=1e-6)
            np.testing.assert_allclose(past[:0:-1].ravel(), built["past"], atol=1e-6)
        if step == 12:
            env.age[2] = TASK.episode_steps
        outcome = env.step(env.rng.normal(0.0, 1.0, (ROBOTS, 12)))
        views, first = outcome.views.groups, outcome.done


def test_a_given_heading_is_followed_as_the_deployed_command_does(env: StudentEnv) -> None:
    """Looked at when the depth network is stepped, held in between, limited alike."""
    env._steered[:] = False
    env.age[:] = TASK.episode_steps
    env.step(np.zeros((ROBOTS, 12)))
    env._steered[:], env._aim[:] = False, 0.7
    commands = [HeadingCommand(1.5, 5, TASK.control_dt) for _ in range(ROBOTS)]
    for command in commands:
        command._heading = 0.7
    # Asked anew at tick 0 of both, so that both hold the same
    env._heading[:] = [0.7 - yaw for yaw in heading(env.motion.base_quat_wxyz)]
    for tick in range(12):
        for row, command in enumerate(commands):
            said = command(env.motion.base_quat_wxyz[row], None, tick)
            assert env._heading[row] == pytest.approx(said, abs=1e-6)
        env.step(np.zeros((ROBOTS, 12)))


def test_who_is_steered_is_told_of_the_curve_and_who_is_not_has_none(env: StudentEnv) -> None:
    env._ask(np.ones(ROBOTS, dtype=bool))
    env._steered[:] = np.arange(ROBOTS) % 2 == 0
    env._aim[:] = 0.0
    env._paths._swing[:], env._paths._wave[:], env._paths._phase[:] = 0.5, 6.0, 0.0
    env._paths.straighten(~env._steered)
    along = env._paths.directions(env._xy())[:, 0]
    error = env._heading_error() + heading(env.motion.base_quat_wxyz)
    np.testing.assert_allclose(error[env._steered], along[env._steered])
    np.testing.assert_allclose(error[~env._steered], 0.0, atol=1e-12)
    assert env._paths.left(np.full(ROBOTS, 1.0))[~env._steered].tolist() == [0.0] * 4


def test_the_teacher_of_a_robot_that_nobody_steers_is_told_what_the_robot_is_told(env: StudentEnv) -> None:
    env.age[:] = 0
    env._ask(np.ones(ROBOTS, dtype=bool))
    env._steered[:] = np.arange(ROBOTS) % 2 == 0
    env.batch.qpos[:, 1] = 0.6  # beside its line: who is steered is led back
    for _ in range(REFRESH):
        env.step(np.zeros((ROBOTS, 12)))
    alone, asked = ~env._steered, env._heading[:, None]
    np.testing.assert_array_equal(env._yaw[alone], np.repeat(asked, 2, axis=1)[alone])
    np.testing.assert_allclose(env.views().groups["proprio"][alone, FRAME], env._heading[alone], atol=1e-6)
    assert (np.abs(env._yaw - asked)[env._steered] > 1e-6).all()


def test_images_are_new_at_ten_hertz_and_at_a_start(env: StudentEnv) -> None:
    env.age[:], new, changed = 0, [], []
    for step in range(11):
        if step == 7:
            env.age[3] = TASK.episode_steps
        before = env.views().groups["image"]
        after = env.step(np.zeros((ROBOTS, 12))).views.groups
        new.append(after["new"][:, 0])
        changed.append((after["image"] != before).any(axis=1))
    np.testing.assert_array_equal(np.array(new) > 0, np.array(changed))
    assert np.flatnonzero(np.array(new)[:, 0]).tolist() == [4, 9]
    assert np.flatnonzero(np.array(new)[:, 3]).tolist() == [4, 7]


def test_the_bundle_states_the_camera_that_was_trained_with(
    env: StudentEnv, contract: Contract, spec: RobotSpec
) -> None:
    depth = contract.depth["depth"]
    assert depth == depth_input.depth_input(spec)
    assert env.views().groups["image"].shape == (ROBOTS, depth.size[0] * depth.size[1])
    assert depth.delay[0] == depth_input.CAMERA_DELAY[0]
    longest = depth_input.CAMERA_DELAY[1] + 1.0 / 30.0 + TASK.control_dt
    assert longest <= depth.delay[1] < contract.limits.inputs["depth"].max_age
    assert contract.networks[0].period * TASK.control_dt == pytest.approx(1.0 / depth.rate)


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
