"""Networks at several rates: wiring, slices, scales, held outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.bundles import contract_of
from helpers.networks import mlp, mlp_reference, model_bytes
from onnx import helper

from robot_policies.contract import Contract
from robot_policies.exceptions import InputError
from robot_policies.inference.graph import NetworkGraph
from robot_policies.robot_spec import load_robot_spec
from robot_policies.schema import parse
from robot_policies.types import Array32, owned

SPEC = load_robot_spec("go2")
CAMERA = {
    "sensor": "d435",
    "intrinsics": {"width": 4, "height": 3, "fx": 4.0, "fy": 4.0, "cx": 1.5, "cy": 1.0},
    "pose": {"position": [0.3, 0.0, 0.1], "pitch": 0.4},
    "crop": [0, 0, 0, 0],
    "size": [3, 4],
    "interpolation": "nearest",
    "near": 0.1,
    "far": 2.0,
    "invalid": "far",
    "scale": 1.0,
    "offset": 0.0,
    "rate": 10.0,
    "delay": [0.0, 0.0],
}


def tensor(name: str, size: int, *sources: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "shape": [1, size], "source": list(sources)}


def network(name: str, period: int, inputs: list[dict[str, Any]], output: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "file": f"{name}.onnx", "period": period, "inputs": inputs, "outputs": [output]}


def group(size: int) -> dict[str, Any]:
    return {"terms": [{"term": "constant", "size": size, "params": {"value": [0.0] * size}}]}


def graph(folder: Path, files: dict[str, bytes], **changes: Any) -> NetworkGraph:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    data = contract_of(SPEC) | {"format": 1, "files": {}} | changes
    return NetworkGraph(parse(Contract, data, "test"), folder)


def values(size: int, tick: int) -> Array32:
    return owned(np.random.default_rng(tick).standard_normal(size), np.float32)


@pytest.fixture
def two_rates(tmp_path: Path) -> NetworkGraph:
    """A slow estimator every third tick, whose held output goes, in part and scaled, to a fast actor."""
    estimator = network("estimator", 3, [tensor("in", 6, {"observation": "slow"})], {"name": "latent", "shape": [1, 4]})
    estimator["outputs"][0]["initial"] = 0.25
    actor_in = tensor(
        "obs",
        7,
        {"observation": "fast", "slice": [1, 4]},
        {"network": "estimator", "output": "latent", "slice": [2, 4], "scale": 1.5},
        {"observation": "fast", "slice": [0, 2], "scale": -2.0},
    )
    return graph(
        tmp_path,
        {"estimator.onnx": mlp((6, 4), 1, "in", "latent"), "actor.onnx": mlp((7, 3), 2)},
        observations={"slow": group(6), "fast": group(5)},
        networks=[estimator, network("actor", 1, [actor_in], {"name": "actions", "shape": [1, 3]})],
    )


def expected(ticks: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return latent and actions per tick, by hand."""
    result, latent = [], np.zeros(4)
    for tick in range(ticks):
        if tick % 3 == 0:
            latent = mlp_reference(values(6, 100 + tick), (6, 4), 1)
        fast = values(5, tick)
        read = np.concatenate([fast[1:4], 1.5 * latent[2:4], -2.0 * fast[0:2]])
        result.append((latent, mlp_reference(read, (7, 3), 2)))
    return result


def run(step: NetworkGraph, ticks: int) -> list[tuple[np.ndarray, np.ndarray]]:
    result = []
    for tick in range(ticks):
        made = step.step(tick, {"slow": values(6, 100 + tick), "fast": values(5, tick)}, {})
        result.append((made["estimator"]["latent"][0], made["actor"]["actions"][0]))
    return result


def test_a_slow_network_is_held_and_read_in_scaled_slices(two_rates: NetworkGraph) -> None:
    for _ in range(2):  # again after a reset
        for made, by_hand in zip(run(two_rates, 10), expected(10), strict=True):
            np.testing.assert_allclose(made[0], by_hand[0], rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(made[1], by_hand[1], rtol=1e-5, atol=1e-6)
        two_rates.reset()


def test_what_was_returned_never_changes(two_rates: NetworkGraph) -> None:
    first = run(two_rates, 1)[0]
    kept = [part.copy() for part in first]
    for tick in range(1, 7):
        two_rates.step(tick, {"slow": values(6, tick), "fast": values(5, tick)}, {})
    for part, before in zip(first, kept, strict=True):
        np.testing.assert_array_equal(part, before)
        assert not part.flags.writeable


def test_initial_values_stand_before_the_first_step(two_rates: NetworkGraph) -> None:
    run(two_rates, 2)
    two_rates.reset()
    np.testing.assert_array_equal(two_rates.outputs()["estimator"]["latent"], np.full((1, 4), 0.25, np.float32))


def test_inputs_are_given_out_as_they_were_read(two_rates: NetworkGraph) -> None:
    run(two_rates, 1)
    read = two_rates.inputs()
    fast = values(5, 0)
    np.testing.assert_array_equal(read["estimator"]["in"][0], values(6, 100))
    np.testing.assert_array_equal(read["actor"]["obs"][0, :3], fast[1:4])
    np.testing.assert_array_equal(read["actor"]["obs"][0, 5:], -2.0 * fast[:2])


def test_several_inputs_and_a_value_of_more_than_one_axis(tmp_path: Path) -> None:
    nodes = [helper.make_node("Add", ["a", "b"], ["sum"]), helper.make_node("Flatten", ["sum"], ["actions"])]
    content = model_bytes(nodes, {"a": [1, 2, 3], "b": [1, 2, 3]}, {"actions": [1, 6]}, {})
    inputs = [
        {"name": "a", "shape": [1, 2, 3], "source": [{"observation": "x"}]},
        {"name": "b", "shape": [1, 2, 3], "source": [{"observation": "y", "slice": [2, 8], "scale": 10.0}]},
    ]
    step = graph(
        tmp_path,
        {"actor.onnx": content},
        observations={"x": group(6), "y": group(9)},
        networks=[network("actor", 1, inputs, {"name": "actions", "shape": [1, 6]})],
    )
    x, y = owned(np.arange(6), np.float32), owned(np.arange(9), np.float32)
    made = step.step(0, {"x": x, "y": y}, {})["actor"]["actions"][0]
    np.testing.assert_array_equal(made, np.arange(6) + 10.0 * np.arange(2, 8))


def camera_graph(folder: Path) -> NetworkGraph:
    encoder_in = tensor("image", 12, {"depth": "front"})
    encoder = network("encoder", 5, [encoder_in], {"name": "latent", "shape": [1, 2], "initial": [7.0, 8.0]})
    actor_in = tensor("obs", 2, {"network": "encoder", "output": "latent"})
    actor = network("actor", 1, [actor_in], {"name": "actions", "shape": [1, 2]})
    identity = model_bytes(
        [helper.make_node("Identity", ["obs"], ["actions"])], {"obs": [1, 2]}, {"actions": [1, 2]}, {}
    )
    return graph(
        folder,
        {"encoder.onnx": mlp((12, 2), 3, "image", "latent"), "actor.onnx": identity},
        depth={"front": CAMERA},
        networks=[encoder, actor],
    )


def test_a_network_without_its_image_is_held(tmp_path: Path) -> None:
    step = camera_graph(tmp_path)
    image = values(12, 3)
    seen = [step.step(tick, {}, {"front": image} if tick == 5 else {})["actor"]["actions"][0] for tick in range(11)]
    for tick in range(5):
        np.testing.assert_array_equal(seen[tick], [7.0, 8.0])  # initial: no image has come
    for tick in range(5, 11):  # at tick 10 it is due again, but blind
        np.testing.assert_allclose(seen[tick], mlp_reference(image, (12, 2), 3), rtol=1e-5, atol=1e-6)


def test_an_image_that_is_not_due_is_not_read(tmp_path: Path) -> None:
    step = camera_graph(tmp_path)
    first = step.step(0, {}, {"front": values(12, 0)})["encoder"]["latent"]
    later = step.step(1, {}, {"front": values(12, 1)})["encoder"]["latent"]
    np.testing.assert_array_equal(first, later)


def test_the_network_that_fails_is_named(two_rates: NetworkGraph) -> None:
    fast = values(5, 0).copy()
    fast[4] = np.nan  # the actor reads entries 0 to 3 only
    two_rates.step(0, {"slow": values(6, 0), "fast": fast}, {})
    fast[1] = np.nan
    with pytest.raises(InputError, match="network actor, tensor actions, tick 1"):
        two_rates.step(1, {"slow": values(6, 0), "fast": fast}, {})
