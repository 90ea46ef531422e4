"""Kind velocity: what becomes of the command and the camera, and the composition of the stages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.bundles import README, contract_of, inputs_at, make_bundle, standing
from helpers.networks import mlp, mlp_reference, model_bytes
from onnx import helper

from robot_policies.bundle import golden_file
from robot_policies.bundle.load import Bundle
from robot_policies.bundle.write import write_bundle
from robot_policies.contract import Contract
from robot_policies.exceptions import BundleError, InputError
from robot_policies.policies.velocity import VelocityPolicy
from robot_policies.policies.velocity_command import VelocityConditioner
from robot_policies.robot_spec import load_robot_spec
from robot_policies.schema import parse
from robot_policies.types import DepthImage, JointCommand, PolicyInputs, VelocityCommand, owned

SPEC = load_robot_spec("go2")


def conditioner(max_age: float = 0.5, absent: str = "zero", **axes: Any) -> VelocityConditioner:
    data = contract_of(SPEC) | {"format": 1, "files": {}}
    data["commands"]["velocity"] |= {"absent": absent, **axes}
    data["limits"]["inputs"]["velocity_command"] = {"max_age": max_age, "lost": absent}
    return VelocityConditioner(parse(Contract, data, "test"))


def conditioned(command: VelocityCommand | None, now_ns: int = 0, **more: Any) -> tuple[float, float, float]:
    made = conditioner(**more)(command, now_ns)
    return made.lin_vel_x, made.lin_vel_y, made.ang_vel_z


@pytest.mark.parametrize(
    ("asked", "seen"),
    [
        ((0.5, 0.1, -0.9), (0.5, 0.1, -0.9)),
        ((3.0, -3.0, 3.0), (1.0, -0.4, 1.0)),
        ((-3.0, 3.0, -3.0), (-0.5, 0.4, -1.0)),
        ((0.05, 0.0, 0.0), (0.0, 0.0, 0.0)),  # the dead band of x is 0.05
        ((-0.05, 0.01, 0.0), (0.0, 0.01, 0.0)),
        ((0.0501, 0.0, 0.0), (0.0501, 0.0, 0.0)),
    ],
)
def test_commands_are_clamped_to_the_ranges_trained_for(asked: tuple[float, ...], seen: tuple[float, ...]) -> None:
    assert conditioned(VelocityCommand(0, *asked)) == seen


def test_standing_can_be_asked_for_where_the_range_excludes_it() -> None:
    axis = {"range": [0.3, 0.8], "dead_band": 0.2}  # Extreme Parkour
    assert conditioned(VelocityCommand(0, 0.0, 0.0, 0.0), lin_vel_x=axis)[0] == 0.0
    assert conditioned(VelocityCommand(0, 0.2, 0.0, 0.0), lin_vel_x=axis)[0] == 0.0
    assert conditioned(VelocityCommand(0, 0.25, 0.0, 0.0), lin_vel_x=axis)[0] == 0.3


def test_backwards_never_means_forwards() -> None:
    for limits, asked in (([0.3, 0.8], -0.5), ([-0.8, -0.3], 0.5)):
        axis = {"range": limits, "dead_band": 0.2}
        assert conditioned(VelocityCommand(0, asked, 0.0, 0.0), lin_vel_x=axis)[0] == 0.0
        assert conditioned(VelocityCommand(0, -asked, 0.0, 0.0), lin_vel_x=axis)[0] == -asked


def test_an_absent_or_old_command_is_zero_where_the_bundle_says_so() -> None:
    old = VelocityCommand(0, 0.5, 0.1, 0.2)
    assert conditioned(None) == (0.0, 0.0, 0.0)
    assert conditioned(old, 500_000_000) == (0.5, 0.1, 0.2)
    assert conditioned(old, 500_000_001) == (0.0, 0.0, 0.0)


def test_an_absent_or_old_command_lands_where_the_bundle_says_so() -> None:
    with pytest.raises(InputError, match="velocity_command: this policy lands without one; found none"):
        conditioned(None, absent="landing")
    with pytest.raises(InputError, match="found one 0.600 s old; valid: one at most 0.5 s old"):
        conditioned(VelocityCommand(300_000_000, 0.5, 0.0, 0.0), 900_000_000, absent="landing")


def test_a_command_from_the_future_is_refused() -> None:
    with pytest.raises(InputError, match="a stamp at or before the state's; found 0.000001 s after it"):
        conditioned(VelocityCommand(1000, 0.5, 0.0, 0.0), 0)


def test_a_contract_without_commands_is_not_of_this_kind() -> None:
    data = contract_of(SPEC) | {"format": 1, "files": {}, "commands": {}}
    with pytest.raises(BundleError, match="commands.velocity and limits.inputs.velocity_command; found none"):
        VelocityConditioner(parse(Contract, data, "test"))


def tick(policy: VelocityPolicy, number: int, inputs: PolicyInputs) -> tuple[np.ndarray, np.ndarray, JointCommand]:
    observation = policy.observe(inputs, number)
    action, command = policy.decode(policy.infer(observation, number), inputs.state.stamp_ns)
    return observation.groups["policy"], action.raw, command


def test_the_stages_together_are_the_formula(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "tiny", SPEC)
    policy = VelocityPolicy(bundle, SPEC)
    contract, last = bundle.contract, np.zeros(12)
    for number in range(5):
        pos = SPEC.poses["stand"] + 0.01 * number
        state = standing(SPEC, number * 20_000_000, joint_pos=pos, base_ang_vel=[0.1 * number, 0.2, 0.3])
        command = VelocityCommand(state.stamp_ns, 2.0, 0.1, 0.0)
        seen, raw, out = tick(policy, number, PolicyInputs(state, command))
        rel = pos[::-1] - np.array(contract.joints.default_joint_pos)
        by_hand = np.concatenate([0.25 * state.base_ang_vel, [0, 0, -1], [2.0, 0.2, 0.0], rel, np.zeros(12), last])
        np.testing.assert_allclose(seen, by_hand, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(raw, mlp_reference(by_hand, (45, 16, 8, 12)), rtol=1e-4, atol=1e-5)
        target = np.array(contract.action.offset) + np.array(contract.action.scale) * np.clip(raw, -4, 4)
        np.testing.assert_allclose(out.joint_pos, target[::-1], rtol=1e-6)
        last = raw


def test_reset_is_the_moment_before_the_first_tick(tmp_path: Path) -> None:
    past = {"ages": [0, 1, 2], "fill": "first_frame"}
    contract = contract_of(SPEC)
    contract["observations"]["policy"]["history"] = past
    contract["networks"][0]["inputs"][0]["shape"] = [1, 135]
    contract["action"]["filter"] = {"alpha": 0.3}
    bundle = make_bundle(tmp_path / "tiny", SPEC, **contract)
    policy = VelocityPolicy(bundle, SPEC)
    first = [tick(policy, number, inputs_at(SPEC, number))[2].joint_pos for number in range(4)]
    policy.reset()
    second = [tick(policy, number, inputs_at(SPEC, number))[2].joint_pos for number in range(4)]
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first[0], first[3]), "last action, history or filter had no effect"


def test_the_action_may_be_a_scaled_slice_of_an_output(tmp_path: Path) -> None:
    contract = contract_of(SPEC)
    contract["networks"][0]["outputs"][0]["shape"] = [1, 14]
    contract["action"]["source"] = {"network": "actor", "output": "actions", "slice": [1, 13], "scale": -0.5}
    policy = VelocityPolicy(make_bundle(tmp_path / "tiny", SPEC, **contract), SPEC)
    observation = policy.observe(inputs_at(SPEC, 0), 0)
    made = policy.infer(observation, 0)
    np.testing.assert_array_equal(made, -0.5 * policy.graph.outputs()["actor"]["actions"][0, 1:13])


def camera_contract(lost: str) -> dict[str, Any]:
    """A tiny policy whose encoder reads a 4 x 6 image every fifth tick, and whose actor reads its two values."""
    contract = contract_of(SPEC)
    encoder_in = {"name": "image", "shape": [1, 24], "source": [{"depth": "front"}]}
    encoder = {"name": "encoder", "file": "encoder.onnx", "period": 5, "inputs": [encoder_in]}
    encoder["outputs"] = [{"name": "latent", "shape": [1, 2]}]
    contract["networks"].insert(0, encoder)
    actor_in = contract["networks"][1]["inputs"][0]
    actor_in["shape"] = [1, 47]
    actor_in["source"].append({"network": "encoder", "output": "latent"})
    contract["limits"]["inputs"]["depth"] = {"max_age": 0.25, "lost": lost}
    contract["depth"] = {
        "front": {
            "sensor": "d435",
            "intrinsics": {"width": 6, "height": 4, "fx": 4.0, "fy": 4.0, "cx": 2.5, "cy": 1.5},
            "pose": {"position": [0.3, 0.0, 0.1], "pitch": 0.4},
            "crop": [0, 0, 0, 0],
            "size": [4, 6],
            "interpolation": "nearest",
            "near": 0.0,
            "far": 2.0,
            "invalid": "far",
            "scale": 1.0,
            "offset": 0.0,
            "rate": 10.0,
            "delay": [0.08, 0.1],
        }
    }
    return contract


@pytest.fixture(scope="module", params=["landing", "blind"])
def seeing(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Bundle:
    """A bundle whose latent is the sum over the image."""
    sum_of_image = model_bytes(
        [helper.make_node("MatMul", ["image", "w"], ["latent"])],
        {"image": [1, 24]},
        {"latent": [1, 2]},
        {"w": np.ones((24, 2), np.float32)},
    )
    files = {"encoder.onnx": sum_of_image, "actor.onnx": mlp((47, 12)), "README.md": README}
    folder = tmp_path_factory.mktemp("bundles") / "seeing"
    return write_bundle(folder, camera_contract(request.param), files, SPEC, ticks=32)


def with_image(number: int, age_ns: int | None, value: float = 0.5) -> PolicyInputs:
    inputs = inputs_at(SPEC, number)
    if age_ns is None:
        return inputs
    image = DepthImage(inputs.state.stamp_ns - age_ns, owned(np.full((4, 6), value), np.float32))
    return PolicyInputs(inputs.state, inputs.velocity_command, {"front": image})


def test_an_image_is_read_when_its_network_is_due(seeing: Bundle) -> None:
    policy = VelocityPolicy(seeing, SPEC)
    latents = []
    for number in range(7):
        observation = policy.observe(with_image(number, 0, 0.1 * (number + 1)), number)
        assert ("front" in observation.groups) == (number % 5 == 0)
        policy.infer(observation, number)
        latents.append(float(policy.graph.outputs()["encoder"]["latent"][0, 0]))
    np.testing.assert_allclose(latents, [2.4] * 5 + [14.4] * 2, rtol=1e-5)


@pytest.mark.parametrize(
    ("age_ns", "found"),
    [(None, "found none"), (250_000_001, "found one 0.250 s old; valid: one at most 0.25 s old")],
)
def test_a_lost_image_lands_or_leaves_the_policy_blind(seeing: Bundle, age_ns: int | None, found: str) -> None:
    policy, inputs = VelocityPolicy(seeing, SPEC), with_image(0, age_ns)
    if seeing.contract.limits.inputs["depth"].lost == "landing":
        with pytest.raises(InputError, match=f"depth front: an image; {found}"):
            policy.observe(inputs, 0)
    else:
        observation = policy.observe(inputs, 0)
        assert "front" not in observation.groups
        policy.infer(observation, 0)
        np.testing.assert_array_equal(policy.graph.outputs()["encoder"]["latent"], [[0.0, 0.0]])


def test_an_image_from_the_future_is_refused_even_by_a_blind_policy(seeing: Bundle) -> None:
    with pytest.raises(InputError, match="depth front: a stamp at or before the state's; found 0.000001 s after it"):
        VelocityPolicy(seeing, SPEC).observe(with_image(0, -1000), 0)


def test_golden_images_come_back_as_they_were(seeing: Bundle) -> None:
    packed = golden_file.load_arrays(seeing.folder / "golden.npz")
    inputs = golden_file.unpack_inputs(packed, SPEC, ["front"])
    assert len(inputs) == 32
    assert len({item.depth["front"].stamp_ns for item in inputs}) == 7  # 10 Hz in 0.64 s
    assert all(0 <= item.state.stamp_ns - item.depth["front"].stamp_ns < 100_000_000 for item in inputs)
    repacked = golden_file.pack_inputs(inputs, SPEC)
    for name, array in repacked.items():
        np.testing.assert_array_equal(array, packed[name], err_msg=name)


@pytest.mark.parametrize("cut", [{"depth.front.stamps": slice(1, None)}, {"depth.front.images": slice(0, 0)}])
def test_golden_images_must_match_their_stamps(seeing: Bundle, cut: dict[str, slice]) -> None:
    arrays = dict(golden_file.load_arrays(seeing.folder / "golden.npz"))
    arrays |= {name: arrays[name][part] for name, part in cut.items()}
    with pytest.raises(BundleError, match=r"golden.npz: depth.front: one image per stamp; found \d stamps"):
        golden_file.unpack_inputs(arrays, SPEC, ["front"])


def test_an_image_of_the_limit_age_is_read(seeing: Bundle) -> None:
    assert "front" in VelocityPolicy(seeing, SPEC).observe(with_image(0, 250_000_000), 0).groups
