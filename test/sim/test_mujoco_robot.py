"""The simulated Go2: it stands and falls, does as each joint is told, and the same way every time."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.mujoco_go2 import SPEC, STAND, command, lifted, no_wait, robot, run

from robot_policies.exceptions import RobotError
from robot_policies.robot_spec import RobotSpec
from robot_policies.types import Array
from sim2real.mujoco.robot import create


def test_it_starts_limp_on_its_belly() -> None:
    sim = robot()
    states = run(sim, 0.5)
    truth = sim.ground_truth()
    assert 0.08 < truth.position[2] < 0.12
    assert truth.ground_contacts == ("base",)
    assert not any(state.joint_effort.any() for state in states)
    assert np.abs(states[-1].joint_vel).max() < 0.02
    assert (states[-1].joint_pos > SPEC.joint_lower - 1e-3).all()  # legs rest on their stops, not behind them


def test_it_stands_up_from_there() -> None:
    sim = robot()
    start = sim.read(no_wait).joint_pos
    for cycle in range(400):
        share = min(1.0, cycle / 300)
        sim.write(command((1.0 - share) * start + share * SPEC.poses["stand"]))
        sim.read(no_wait)
    truth = sim.ground_truth()
    assert truth.position[2] > 0.29
    assert truth.ground_contacts == ()
    assert tilt(truth.quat_wxyz) < 0.05


def tilt(quat_wxyz: Array) -> float:
    return float(np.arccos(1.0 - 2.0 * (quat_wxyz[1] ** 2 + quat_wxyz[2] ** 2)))


def test_it_stands_5_s_without_drift() -> None:
    sim = robot(start="stand")
    before = sim.ground_truth()
    run(sim, 5.0, STAND)
    after = sim.ground_truth()
    assert np.abs(after.position - before.position).max() < 0.003
    assert tilt(after.quat_wxyz) < 0.05
    assert after.ground_contacts == ()


def test_without_commands_it_sinks_down() -> None:
    sim = robot(start="stand")
    run(sim, 2.0, None)
    assert sim.ground_truth().position[2] < 0.15
    assert "base" in sim.ground_truth().ground_contacts


def test_it_falls_freely() -> None:
    sim = lifted(robot(start="stand"), 20.0)
    height = sim.ground_truth().position[2]
    states = run(sim, 0.5, STAND)
    fallen = height - sim.ground_truth().position[2]
    assert fallen == pytest.approx(9.81 / 2 * 0.25, rel=0.01)
    assert sim.ground_truth().base_lin_vel[2] == pytest.approx(-9.81 * 0.5, rel=0.01)
    assert np.abs(states[-1].base_lin_acc).max() < 0.05  # an accelerometer in free fall shows nothing
    assert not states[-1].foot_force.any()


def test_each_joint_answers_its_own_command() -> None:
    for index in range(12):
        sim = lifted(robot(start="stand"), 50.0)
        moved = SPEC.poses["stand"].copy()
        moved[index] += 0.2
        state = run(sim, 0.3, command(moved))[-1]
        change = state.joint_pos - SPEC.poses["stand"]
        assert np.argmax(np.abs(change)) == index, SPEC.joint_names[index]
        assert change[index] > 0.1


def test_a_shuffled_robot_file_moves_the_same_robot() -> None:
    order = np.random.default_rng(5).permutation(12)
    arrays = {key: value[order] for key, value in vars(SPEC).items() if isinstance(value, np.ndarray)}
    names = tuple(SPEC.joint_names[place] for place in order)
    poses = {pose: values[order] for pose, values in SPEC.poses.items()}
    other = create(
        RobotSpec(**{**vars(SPEC), **arrays, "joint_names": names, "poses": poses}), {"clock": "lockstep", "noise": 0}
    )
    mine = robot()
    target = SPEC.poses["stand"] + 0.05 * np.arange(12)
    for _ in range(100):
        mine.write(command(target))
        other.write(command(target[order], stiffness=SPEC.stand_stiffness[order], damping=SPEC.stand_damping[order]))
        one, two = mine.read(no_wait), other.read(no_wait)
    assert two.joint_pos == pytest.approx(one.joint_pos[order], abs=1e-12)
    assert two.joint_effort == pytest.approx(one.joint_effort[order], abs=1e-9)


@pytest.mark.parametrize("noise", [0, 1.0])
def test_equal_seeds_give_equal_runs_bit_for_bit(noise: float) -> None:
    rng = np.random.default_rng(1)
    targets = SPEC.poses["stand"] + rng.normal(0.0, 0.2, (100, 12))
    runs = []
    for _ in range(2):
        sim = robot(noise=noise, seed=7)
        runs.append([])
        for target in targets:
            sim.write(command(target))
            state = sim.read(no_wait)
            runs[-1].append(np.concatenate([np.ravel(getattr(state, key)) for key in state.__slots__]))
        runs[-1].append(sim.ground_truth().qpos)
    assert all(np.array_equal(one, two) for one, two in zip(*runs, strict=True))


def test_other_seeds_give_other_noise_and_the_same_physics() -> None:
    one, two = robot(noise=1.0, seed=1), robot(noise=1.0, seed=2)
    states = [run(sim, 0.5, STAND)[-1] for sim in (one, two)]
    assert not np.array_equal(states[0].joint_pos, states[1].joint_pos)
    assert np.array_equal(one.ground_truth().qpos, two.ground_truth().qpos)


def test_physics_that_breaks_is_an_error_and_stays_one() -> None:
    sim = robot()
    sim._data.qvel[0] = np.nan
    for _ in range(2):
        with pytest.raises(RobotError, match="physics: a finite state; found .*mjWARN_BADQVEL"):
            sim.read(no_wait)


def test_a_command_acts_from_the_next_cycle_on_or_later_by_the_action_delay() -> None:
    first = {}
    for delay in (0.0, 0.01):
        sim = robot(start="stand", action_delay=delay)
        moved = command(SPEC.poses["stand"] + 0.3)
        base = [state.joint_effort for state in run(sim, 0.05, STAND)][-1]
        efforts = [state.joint_effort for state in run(sim, 0.05, moved)]
        first[delay] = next(i for i, effort in enumerate(efforts) if np.abs(effort - base).max() > 1.0)
    assert first == {0.0: 0, 0.01: 2}


def test_states_are_older_by_the_state_delay() -> None:
    sim, late = robot(), robot(state_delay=0.015)
    now = [run(sim, 0.005, STAND)[0] for _ in range(40)]
    then = [run(late, 0.005, STAND)[0] for _ in range(40)]
    assert late.now_ns() - then[-1].stamp_ns == 15_000_000
    assert [b.stamp_ns - a.stamp_ns for a, b in zip(then, then[1:], strict=False)] == [5_000_000] * 39
    assert now[0].stamp_ns == then[0].stamp_ns


@pytest.mark.parametrize("key", ["state_delay", "action_delay"])
def test_delays_are_whole_cycles(key: str) -> None:
    with pytest.raises(RobotError, match=f"{key}; found 0.004 s; valid: a whole number of 0.005 s"):
        robot(**{key: 0.004})


def test_a_state_rate_that_does_not_fit_the_time_step_is_refused() -> None:
    with pytest.raises(RobotError, match="state_rate"):
        create(RobotSpec(**{**vars(SPEC), "state_rate": 300.0}), {"clock": "lockstep"})


def test_terrain_by_name() -> None:
    assert robot(terrain="flat").model.geom("ground")
    with pytest.raises(RobotError, match="terrain: the name of a terrain; found 'moon'; valid: flat"):
        robot(terrain="moon")


def test_a_thigh_on_the_ground_is_told() -> None:
    sim = robot(start="stand")
    sim._data.qpos[2:7] = [0.25, np.cos(0.5), np.sin(0.5), 0.0, 0.0]  # rolled over to its right
    run(sim, 1.5)
    assert sim.ground_truth().ground_contacts == ("FR_thigh", "RR_thigh")


def test_ground_truth_is_a_value_of_the_newest_cycle() -> None:
    sim = robot(noise=1.0)
    state = run(sim, 0.1, STAND)[-1]
    truth = sim.ground_truth()
    assert truth.stamp_ns == state.stamp_ns
    assert np.abs(truth.joint_pos - state.joint_pos).max() < 0.01
    assert not np.array_equal(truth.joint_pos, state.joint_pos)
    kept = truth.position.copy()
    run(sim, 0.1, STAND)
    assert np.array_equal(truth.position, kept)


def test_it_describes_itself() -> None:
    urdf = robot().description()
    assert all(f'name="{joint}"' in urdf for joint in SPEC.joint_names)


def test_close_lets_the_motors_go_limp() -> None:
    sim = robot(start="stand")
    sim.close()
    assert not sim.read(no_wait).joint_effort.any()
