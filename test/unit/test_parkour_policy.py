"""Kind parkour on an export of Extreme Parkour: every number that its networks read, and what its contract must say."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from helpers.bundles import standing
from helpers.parkour_pair import SEEING, SPEC, Pair, inputs_of, made_pairs, term

from robot_policies.action.decoder import ActionDecoder
from robot_policies.bundle.contract_check import contract_faults
from robot_policies.bundle.golden_file import load_arrays, unpack_inputs
from robot_policies.bundle.load import load_bundle
from robot_policies.contract import Contract
from robot_policies.exceptions import BundleError, InputError
from robot_policies.observation.builder import ObservationBuilder
from robot_policies.observation.depth import DepthPipeline
from robot_policies.schema import parse
from robot_policies.types import DepthImage, HeightScan, PolicyInputs, VelocityCommand, owned

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]
TICK = 20_000_000  # [ns]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Pair]:
    return made_pairs(tmp_path_factory)


# The tests that are listed with the facts.


def test_1_every_index(pairs: dict[bool, Pair]) -> None:
    policy = pairs[False].policy()
    joint_pos, joint_vel = np.linspace(-0.3, 0.25, 12), np.linspace(-6.0, 5.0, 12)
    yaw, pitch, roll = np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0])
    quat = product(product(half(yaw, 0.4), half(pitch, 0.2)), half(roll, -0.1))

    def item(stamp: int, turn: float, force: list[float]) -> PolicyInputs:
        state = standing(
            SPEC, stamp, joint_pos=joint_pos, joint_vel=joint_vel, base_ang_vel=[0.4, -0.8, 1.2],
            base_quat_wxyz=product(half(yaw, turn), quat), foot_force=force,
        )  # fmt: skip
        return PolicyInputs(state, VelocityCommand(stamp, 0.55, 0.3, 0.5), height_scan=scan(stamp))

    for tick in range(5):
        policy.observe(item(tick * TICK, 0.0, [5.0, 0.0, 0.0, 0.0]), tick)
        policy.decode(np.linspace(-6.0, 5.0, 12).astype(np.float32), tick * TICK)
    frame = policy.observe(item(5 * TICK, -0.2, [0.0, 2.1, 2.0, 0.0]), 5).groups["proprio"]
    default = [-0.1, 0.8, -1.5, 0.1, 0.8, -1.5, -0.1, 1.0, -1.5, 0.1, 1.0, -1.5]
    expected = {
        0: 0.1, 1: -0.2, 2: 0.3, 3: -0.1, 4: 0.2, 5: 0.0, 6: 0.25, 7: 0.25, 8: 0.0, 9: 0.0, 10: 0.55, 11: 1.0, 12: 0.0,
        **{13 + i: joint_pos[i] - default[i] for i in range(12)},
        **{25 + i: 0.05 * joint_vel[i] for i in range(12)},
        **{37 + i: -6.0 + i for i in range(12)},  # before the clip at 4.8
        49: 0.5, 50: 0.5, 51: -0.5, 52: -0.5,
    }  # fmt: skip
    assert len(expected) == frame.size == 53
    for index, value in expected.items():
        assert frame[index] == pytest.approx(value, abs=1e-6), index


def half(axis: np.ndarray, angle: float) -> np.ndarray:
    return np.concatenate([[np.cos(angle / 2)], np.sin(angle / 2) * axis])


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    vector = a[0] * b[1:] + b[0] * a[1:] + np.cross(a[1:], b[1:])
    return np.concatenate([[a[0] * b[0] - a[1:] @ b[1:]], vector])


def scan(stamp: int, ground: float = 0.0) -> HeightScan:
    return HeightScan(stamp, 0.3, owned(np.full(132, ground)))


@SEEING
@pytest.mark.parametrize(
    "order", [list(range(12)), [3, 4, 5, 0, 1, 2, 9, 10, 11, 6, 7, 8], [7, 0, 3, 1, 2, 4, 11, 6, 5, 8, 10, 9]]
)
def test_2_hardware_to_policy_to_hardware(pairs: dict[bool, Pair], sees: bool, order: list[int]) -> None:
    contract = pairs[sees].bundle.contract
    assert [name.split("_")[0] for name in contract.joints.names[::3]] == ["FR", "FL", "RR", "RL"]
    spec = replace(SPEC, joint_names=tuple(SPEC.joint_names[i] for i in order))
    pose = dict(zip(contract.joints.names, contract.joints.default_joint_pos, strict=True))
    # [rad], in the order of the motors, each within what the action's clip allows
    motors = np.array([pose[name] for name in spec.joint_names]) + np.linspace(-1.1, 1.15, 12)
    inputs = PolicyInputs(standing(SPEC, joint_pos=motors), VelocityCommand(0, 0.5, 0.0, 0.0), height_scan=scan(0))
    frame = ObservationBuilder(contract, spec).build(inputs, 0, np.zeros(12, np.float32), 0.0).groups["proprio"]
    offsets = frame[13:25]
    names = list(contract.joints.names)
    for motor, name in enumerate(spec.joint_names):
        place = names.index(name)
        assert offsets[place] == pytest.approx(motors[motor] - contract.joints.default_joint_pos[place], abs=1e-6)
    decoder = ActionDecoder(contract, spec)
    for tick in range(2):  # an action acts one control step later
        target = decoder.command(decoder.action((offsets / 0.25).astype(np.float32), tick)).joint_pos
    np.testing.assert_allclose(target, motors, atol=1e-5)


@SEEING
def test_3_history(pairs: dict[bool, Pair], sees: bool) -> None:
    pair = pairs[sees]
    policy, inputs, frames = pair.policy(), inputs_of(pair, 13), []
    for tick, item in enumerate(inputs):
        groups = policy.observe(item, tick).groups
        history = groups["history"].reshape(10, 53)
        assert not history[:, 6:8].any()
        if tick == 0:
            assert not history.any()
        else:
            padded = [frames[0]] * 10 + frames
            np.testing.assert_array_equal(history, padded[-10:])
        frames.append(groups["proprio"].copy())
        frames[-1][6:8] = 0.0
        policy.decode(np.full(12, tick, np.float32), item.state.stamp_ns)


def test_4_depth(pairs: dict[bool, Pair]) -> None:
    depth = pairs[True].bundle.contract.depth["depth"]
    pipeline = DepthPipeline("depth", depth)

    def plane(metres: float) -> np.ndarray:
        return pipeline(DepthImage(0, owned(np.full((60, 106), metres), np.float32)))

    assert depth.size == (58, 87)
    assert plane(1.0).size == 58 * 87
    np.testing.assert_allclose(plane(1.0), 0.0, atol=1e-6)
    for far in (2.0, 2.5, 9.0):
        np.testing.assert_allclose(plane(far), 0.5, atol=1e-6)
    np.testing.assert_allclose(plane(1e-9), -0.5, atol=1e-6)  # a return at 0 m
    np.testing.assert_allclose(plane(0.0), 0.5, atol=1e-6)  # no return is far
    np.testing.assert_allclose(plane(float("nan")), 0.5, atol=1e-6)
    edge = np.full((60, 106), 1.0)
    edge[58:], edge[:, :4], edge[:, 102:] = 0.1, 0.1, 0.1
    np.testing.assert_allclose(pipeline(DepthImage(0, owned(edge, np.float32))), 0.0, atol=1e-6)


def test_5_cadence(pairs: dict[bool, Pair]) -> None:
    pair = pairs[True]
    policy, called = pair.policy(), []
    step = next(step for step in policy.graph._steps if step.runner.name == "depth_encoder")
    run = step.runner.run_bound
    step.runner.run_bound = lambda tick: (called.append(tick), run(tick))[1]  # type: ignore[method-assign]
    pipeline, due, held = DepthPipeline("depth", pair.bundle.contract.depth["depth"]), [], []
    for tick, item in enumerate(inputs_of(pair, 23)):
        observation = policy.observe(item, tick)
        policy.decode(policy.infer(observation, tick), item.state.stamp_ns)
        assert ("depth" in observation.groups) == (tick % 5 == 0)
        held.append(policy.graph.outputs()["depth_encoder"]["latent"].tobytes())
        if tick % 5 == 0:
            due.append(pipeline(item.depth["depth"]))
            states = step.runner._states[step.runner._next]
            np.testing.assert_array_equal(states["previous_in"].reshape(-1), due[-1])  # what the next step will see
    assert called == [0, 5, 10, 15, 20]
    assert [held[i] == held[i - 1] for i in range(1, 23)] == [i % 5 != 0 for i in range(1, 23)]


def test_5_the_older_image_is_used(pairs: dict[bool, Pair]) -> None:
    """The newest image changes nothing at its own step, and everything at the next; but for the very first one."""
    pair = pairs[True]

    def latents(change: int) -> list[bytes]:
        policy, made = pair.policy(), []
        for tick, item in enumerate(inputs_of(pair, 20)):
            image = DepthImage(
                item.state.stamp_ns, owned(np.full((60, 106), 0.5 if tick == change else 1.5), np.float32)
            )
            observation = policy.observe(replace(item, depth={"depth": image}), tick)
            policy.infer(observation, tick)
            policy.decode(np.zeros(12, np.float32), item.state.stamp_ns)
            made.append(policy.graph.outputs()["depth_encoder"]["latent"].tobytes())
        return made[::5]

    never, at_start, later = latents(-1), latents(0), latents(5)
    assert [a == b for a, b in zip(never, at_start, strict=True)] == [False] * 4
    assert [a == b for a, b in zip(never, later, strict=True)] == [True, True, False, False]


@SEEING
def test_6_the_observation_is_not_written_to(pairs: dict[bool, Pair], sees: bool) -> None:
    from helpers.extreme_parkour import EXPLICIT, Reference

    reference, obs = Reference(pairs[sees].source), np.full(753, 0.1, np.float32)
    reference.act(obs, np.zeros(32, np.float32))
    assert (obs[EXPLICIT] != np.float32(0.1)).all()  # the trace does
    policy = pairs[sees].policy()
    for tick, item in enumerate(inputs_of(pairs[sees], 12)):
        observation = policy.observe(item, tick)
        before = {name: values.copy() for name, values in observation.groups.items()}
        policy.decode(policy.infer(observation, tick), item.state.stamp_ns)
        for name, values in before.items():
            np.testing.assert_array_equal(observation.groups[name], values)
            assert not observation.groups[name].flags.writeable


# What else the contract must say.


@SEEING
def test_action_and_gains(pairs: dict[bool, Pair], sees: bool) -> None:
    contract, policy = pairs[sees].bundle.contract, pairs[sees].policy()
    assert contract.kind == "parkour"
    assert contract.timing.control_dt == 0.02
    assert set(contract.joints.stiffness) == {40.0}
    assert set(contract.joints.damping) == {1.0}
    assert contract.joints.torque_limit == (23.7, 23.7, 45.43) * 4
    raw = np.array([10.0, -10.0, 4.7, 0.0] * 3, np.float32)
    default = np.array(contract.joints.default_joint_pos)
    _, command = policy.decode(raw, 0)
    np.testing.assert_allclose(command.joint_pos, default, atol=1e-6)  # an action acts one control step later
    _, command = policy.decode(np.zeros(12, np.float32), 1)
    offsets = command.joint_pos - default
    np.testing.assert_allclose(offsets, [1.2, -1.2, 1.175, 0.0] * 3, atol=1e-6)
    assert not command.joint_vel.any()
    assert not command.joint_effort.any()


def test_recurrent_state_is_named(pairs: dict[bool, Pair]) -> None:
    encoder = pairs[True].bundle.contract.networks[0]
    states = {state.input: (state.output, state.shape, state.initial) for state in encoder.states}
    assert states["gru_in"] == ("gru_out", (1, 1, 512), 0.0)
    assert encoder.period == 5


def test_a_contract_without_commands_is_refused(pairs: dict[bool, Pair]) -> None:
    for sees, named in ((True, "a term forward_command"), (False, "a term heading_error|a term forward_command")):
        data = yaml.safe_load((pairs[sees].folder / "policy.yaml").read_text(encoding="utf-8"))
        del data["commands"]["velocity"]
        faults = contract_faults(parse(Contract, data, "bent"), SPEC.feet)
        assert re.search(named, "\n".join(faults))


@SEEING
def test_the_contract_has_no_fault_of_its_own(pairs: dict[bool, Pair], sees: bool) -> None:
    assert contract_faults(pairs[sees].bundle.contract, SPEC.feet) == []


def test_golden_data_holds_the_scans(pairs: dict[bool, Pair]) -> None:
    arrays = dict(load_arrays(pairs[False].folder / "golden.npz"))
    inputs = unpack_inputs(arrays, SPEC, [])
    scans = [item.height_scan for item in inputs]
    assert all(s is not None and s.stamp_ns == i.state.stamp_ns for s, i in zip(scans, inputs, strict=True))
    assert len({s.ground.tobytes() for s in scans if s is not None}) > 5
    arrays["height_scan.ground"] = arrays["height_scan.ground"][:-1]
    with pytest.raises(BundleError, match=r"height_scan.ground: numbers of shape \[64, 132\]"):
        unpack_inputs(arrays, SPEC, [])


def test_what_a_scan_needs(pairs: dict[bool, Pair], tmp_path: Path) -> None:
    policy = pairs[False].policy()
    with pytest.raises(InputError, match="height_scan; found none"):
        policy.observe(PolicyInputs(standing(SPEC), VelocityCommand(0, 0.5, 0.0, 0.0)), 0)
    with pytest.raises(BundleError, match="one limit and one period"):
        pairs[False].bent(lambda d: term(d, "proprio", "heading_error")["params"].update(limit=0.5))
    copy = shutil.copytree(pairs[False].folder, tmp_path / "copy")
    text = (copy / "policy.yaml").read_text(encoding="utf-8").replace("kind: parkour", "kind: velocity")
    (copy / "policy.yaml").write_text(text, encoding="utf-8")
    velocity = load_bundle(copy, SPEC)
    from robot_policies.policies.velocity import VelocityPolicy

    with pytest.raises(InputError, match="valid: kind: parkour"):
        VelocityPolicy(velocity, SPEC).observe(
            PolicyInputs(standing(SPEC), VelocityCommand(0, 0.5, 0.0, 0.0), height_scan=scan(0)), 0
        )
