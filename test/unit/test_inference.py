"""One network: numbers, recurrent states, ownership of buffers, and what is not finite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.networks import gru, lstm, mlp, mlp_reference, model_bytes, recurrent_weights
from onnx import TensorProto, helper

from robot_policies.contract import Network
from robot_policies.exceptions import BundleError, InputError
from robot_policies.inference.network import OnnxNetwork, open_session
from robot_policies.schema import parse


def network(folder: Path, content: bytes, **changes: Any) -> OnnxNetwork:
    (folder / "n.onnx").write_bytes(content)
    data = {
        "name": "n",
        "file": "n.onnx",
        "period": 1,
        "inputs": [{"name": "obs", "shape": [1, 5], "source": [{"observation": "policy"}]}],
        "outputs": [{"name": "actions", "shape": [1, 3]}],
    }
    return OnnxNetwork(parse(Network, {**data, **changes}, "test"), folder)


def state(name: str, hidden: int = 4, **more: Any) -> dict[str, Any]:
    return {"input": f"{name}_in", "output": f"{name}_out", "shape": [1, 1, hidden], "reset": "activation", **more}


def steps(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 1, 5)).astype(np.float32)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-x))


def lstm_by_hand(values: np.ndarray, h: np.ndarray, c: np.ndarray) -> list[np.ndarray]:
    """The ONNX definition: gates in the order input, output, forget, cell."""
    w = recurrent_weights(4, 5, 4, 3, 0)
    outputs = []
    for x in values[:, 0]:
        gates = x @ w["W"][0].T + h @ w["R"][0].T + w["B"][0, :16] + w["B"][0, 16:]
        i, o, f, g = gates[:4], gates[4:8], gates[8:12], gates[12:]
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h @ w["head"])
    return outputs


def gru_by_hand(values: np.ndarray, h: np.ndarray) -> list[np.ndarray]:
    """The ONNX definition, linear_before_reset 0: gates in the order update, reset, hidden."""
    w = recurrent_weights(3, 5, 4, 3, 0)
    (wz, wr, wh), (rz, rr, rh) = np.split(w["W"][0], 3), np.split(w["R"][0], 3)
    bias = w["B"][0].reshape(6, 4)
    outputs = []
    for x in values[:, 0]:
        z = sigmoid(x @ wz.T + h @ rz.T + bias[0] + bias[3])
        r = sigmoid(x @ wr.T + h @ rr.T + bias[1] + bias[4])
        g = np.tanh(x @ wh.T + (r * h) @ rh.T + bias[2] + bias[5])
        h = (1 - z) * g + z * h
        outputs.append(h @ w["head"])
    return outputs


def test_an_mlp_gives_what_numpy_gives(tmp_path: Path) -> None:
    runner = network(tmp_path, mlp((5, 8, 6, 3)))
    for values in steps(20):
        made = runner.run({"obs": values})["actions"]
        np.testing.assert_allclose(made[0], mlp_reference(values[0], (5, 8, 6, 3)), rtol=1e-5, atol=1e-6)


def test_an_open_batch_dimension_takes_the_shape_of_the_contract(tmp_path: Path) -> None:
    assert network(tmp_path, mlp((5, 4, 3), batch="batch")).run({"obs": steps(1)[0]})["actions"].shape == (1, 3)


def test_an_lstm_keeps_its_states_over_200_steps_and_forgets_at_reset(tmp_path: Path) -> None:
    initial = np.array([0.1, -0.2, 0.3, 0.0])
    runner = network(tmp_path, lstm(5, 4, 3), states=[state("h", initial=initial.tolist()), state("c", initial=0.5)])
    expected = lstm_by_hand(steps(200), initial, np.full(4, 0.5))
    for _ in range(2):
        for tick, values in enumerate(steps(200)):
            made = runner.run({"obs": values}, tick)["actions"][0]
            np.testing.assert_allclose(made, expected[tick], rtol=1e-4, atol=1e-5, err_msg=f"tick {tick}")
        runner.reset()


@pytest.mark.parametrize("before", [0, 1, 2, 3])
def test_a_gru_is_the_same_after_a_reset_at_an_odd_or_even_step(tmp_path: Path, before: int) -> None:
    runner = network(tmp_path, gru(5, 4, 3), states=[state("h")])
    for values in steps(before, seed=9):
        runner.run({"obs": values})
    runner.reset()
    expected = gru_by_hand(steps(50), np.zeros(4))
    for tick, values in enumerate(steps(50)):
        np.testing.assert_allclose(runner.run({"obs": values})["actions"][0], expected[tick], rtol=1e-4, atol=1e-5)


def test_a_state_of_integers_counts(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Add", ["n_in", "one"], ["n_out"]),
        helper.make_node("Cast", ["n_out"], ["count"], to=TensorProto.FLOAT),
        helper.make_node("Slice", ["obs", "begin", "end", "axis"], ["three"]),
        helper.make_node("Add", ["three", "count"], ["actions"]),
    ]
    numbers = {"one": [1], "begin": [0], "end": [3], "axis": [1]}
    content = model_bytes(
        nodes,
        {"obs": [1, 5], "n_in": [1]},
        {"actions": [1, 3], "n_out": [1]},
        {name: np.array(value, np.int64) for name, value in numbers.items()},
        {"n_in": TensorProto.INT64, "n_out": TensorProto.INT64},
    )
    counter = {"input": "n_in", "output": "n_out", "shape": [1], "reset": "activation", "dtype": "int64", "initial": 6}
    runner = network(tmp_path, content, states=[counter])
    made = [float(runner.run({"obs": np.zeros((1, 5))})["actions"][0, 0]) for _ in range(3)]
    runner.reset()
    assert [*made, float(runner.run({"obs": np.zeros((1, 5))})["actions"][0, 0])] == [7.0, 8.0, 9.0, 7.0]


def test_results_are_copies_that_no_later_run_changes(tmp_path: Path) -> None:
    runner = network(tmp_path, lstm(5, 4, 3), states=[state("h"), state("c")])
    values = steps(4)
    first, read = runner.run({"obs": values[0]}), runner.inputs()
    kept = first["actions"].copy()
    for later in values[1:]:
        runner.run({"obs": later})
    np.testing.assert_array_equal(first["actions"], kept)
    np.testing.assert_array_equal(read["obs"], values[0])
    assert not first["actions"].flags.writeable
    assert not np.shares_memory(first["actions"], runner.output_view("actions"))
    assert not np.shares_memory(read["obs"], runner.input_view("obs"))


def test_a_run_reads_and_writes_the_same_memory_every_time(tmp_path: Path) -> None:
    runner = network(tmp_path, mlp((5, 4, 3)))
    inside, out = runner.input_view("obs"), runner.output_view("actions")
    for values in steps(3):
        inside[:] = values[0]
        runner.run_bound(0)
        np.testing.assert_allclose(out, mlp_reference(values[0], (5, 4, 3)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_output_that_is_not_finite_names_network_tensor_and_tick(tmp_path: Path, bad: float) -> None:
    runner = network(tmp_path, mlp((5, 3)))
    values = steps(1)[0]
    values[0, 2] = bad
    with pytest.raises(InputError, match=r"network n, tensor actions, tick 12: finite numbers; found .* at \(0, 0\)"):
        runner.run({"obs": values}, 12)


@pytest.mark.filterwarnings("ignore:overflow")
def test_a_state_that_is_not_finite_is_an_error_even_where_no_output_shows_it(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Mul", ["s_in", "big"], ["s_out"]),
        helper.make_node("MatMul", ["obs", "w"], ["actions"]),
    ]
    weights = {"big": np.array([1e20], np.float32), "w": np.ones((5, 3), np.float32)}
    content = model_bytes(nodes, {"obs": [1, 5], "s_in": [2]}, {"actions": [1, 3], "s_out": [2]}, weights)
    grow = {"input": "s_in", "output": "s_out", "shape": [2], "reset": "activation", "initial": [0.0, 1.0]}
    runner = network(tmp_path, content, states=[grow])
    runner.run({"obs": np.zeros((1, 5))}, 0)
    with pytest.raises(InputError, match=r"network n, tensor s_in, tick 1: finite numbers; found inf at \(1,\)"):
        runner.run({"obs": np.zeros((1, 5))}, 1)
    runner.reset()
    runner.run({"obs": np.zeros((1, 5))}, 0)


def test_initial_outputs_are_held_before_the_first_run(tmp_path: Path) -> None:
    given = [{"name": "actions", "shape": [1, 3], "initial": [1.0, 2.0, 3.0]}]
    runner = network(tmp_path, mlp((5, 3)), outputs=given)
    np.testing.assert_array_equal(runner.outputs()["actions"], [[1.0, 2.0, 3.0]])
    runner.run({"obs": steps(1)[0]})
    runner.reset()
    np.testing.assert_array_equal(runner.outputs()["actions"], [[1.0, 2.0, 3.0]])


@pytest.mark.parametrize(
    "changes",
    [
        {"inputs": [{"name": "obs", "shape": [1, 6], "source": [{"observation": "policy"}]}]},
        {"inputs": [{"name": "observation", "shape": [1, 5], "source": [{"observation": "policy"}]}]},
        {"outputs": [{"name": "actions", "shape": [1, 4]}]},
        {"outputs": [{"name": "action", "shape": [1, 3]}]},
        {"states": [state("h")]},
    ],
)
def test_a_file_that_is_not_as_described_does_not_open(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(BundleError, match="does not run as the contract describes it"):
        network(tmp_path, mlp((5, 3)), **changes)


def test_a_file_that_is_no_network_does_not_open(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="n.onnx: ONNX Runtime cannot open it"):
        network(tmp_path, b"not a network")


def test_a_session_has_one_thread(tmp_path: Path) -> None:
    (tmp_path / "n.onnx").write_bytes(mlp((5, 3)))
    options = open_session(tmp_path / "n.onnx").get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
