"""Any network with a complete description: what the bundle does is what the description says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest
import yaml
from helpers.foreign import (
    GO2,
    LEFT_FIRST,
    ODD,
    Network,
    assert_same,
    bring,
    description,
    inputs_of,
    run_bundle,
    signals_of,
    write_mlp,
    write_yaml,
)
from helpers.foreign_loops import described_loop
from helpers.networks import gru, lstm

from robot_policies.exceptions import ImportFormatError


def history(order: str, layout: str, includes_current: bool = True, fill: str = "first_frame", frames: int = 4) -> Any:
    return {
        "frames": frames,
        "order": order,
        "layout": layout,
        "includes_current": includes_current,
        "fill": fill,
    }


EVERY_TERM = [
    {"term": "base_lin_vel", "scale": 2.0},
    {"term": "base_ang_vel", "scale": [0.25, 0.3, 0.35]},
    {"term": "projected_gravity"},
    {"term": "joint_pos_rel", "scale": [1.0 + 0.1 * i for i in range(12)]},
    {"term": "joint_vel", "scale": 0.05},
    {"term": "last_action"},
    {"term": "velocity_command", "scale": [2.0, 2.0, 0.25]},
    {"term": "gait_phase", "period": 0.8},
]
CASES: dict[str, tuple[dict[str, Any], int]] = {
    "plain": ({}, 45),
    "every term, scale per joint": (
        {"observation": EVERY_TERM, "action": {"scale": [0.1 + 0.02 * i for i in range(12)]}},
        50,
    ),
    "raw last action": ({"action": {"scale": 0.3, "clip": [-0.3, 0.3], "last_action": "raw"}}, 45),
    "observation clip": ({"clip_observation": 0.7}, 45),
    "no observation clip": ({"clip_observation": None}, 45),
    "newest first, by time": ({"history": history("newest_first", "time")}, 180),
    "oldest first, by time": ({"history": history("oldest_first", "time")}, 180),
    "newest first, by term": ({"history": history("newest_first", "term")}, 180),
    "oldest first, by term": ({"history": history("oldest_first", "term")}, 180),
    "past only": ({"history": history("oldest_first", "time", includes_current=False)}, 180),
    "zeros at first": ({"history": history("newest_first", "term", fill="zeros")}, 180),
    "zeros, then the first": ({"history": history("oldest_first", "time", False, "zeros_then_first_frame")}, 180),
}


@pytest.mark.parametrize("case", CASES)
def test_the_bundle_moves_as_described(tmp_path: Path, case: str) -> None:
    changes, size = CASES[case]
    data, source, inputs = description(changes, ODD), write_mlp(tmp_path / "net.onnx", size), inputs_of()
    imported = bring("network", source, tmp_path / "bundle", write_yaml(tmp_path / "d.yaml", data))
    assert_same(run_bundle(imported, inputs), described_loop(data, Network(source), [signals_of(i) for i in inputs]))


def recurrent_onnx(path: Path, kind: str, batch: int | str = 1) -> Path:
    """Write a network with an LSTM or GRU of 8 whose states are in the open."""
    model = onnx.load_from_string({"LSTM": lstm, "GRU": gru}[kind](45, 8, 12))
    for value in (*model.graph.input, *model.graph.output) if isinstance(batch, str) else ():
        dim = value.type.tensor_type.shape.dim[0 if value.name in ("obs", "actions") else 1]
        dim.dim_param = str(batch)
    onnx.save(model, str(path))
    return path


@pytest.mark.parametrize(("kind", "batch"), [("LSTM", 1), ("LSTM", "batch"), ("GRU", 1)])
def test_states_in_the_open(tmp_path: Path, kind: str, batch: int | str) -> None:
    states = ["h", "c"] if kind == "LSTM" else ["h"]
    recurrent = {f"{name}_in": [1, 1, 8] for name in states} | {f"{name}_out": f"{name}_in" for name in states}
    action = {"scale": 0.3, "clip": [-3.0, 3.0], "last_action": "clipped"}
    data = description({"action": action, "network": {"input": "obs", "output": "actions", "recurrent": recurrent}})
    source, inputs = recurrent_onnx(tmp_path / "net.onnx", kind, batch), inputs_of(60)
    imported = bring("network", source, tmp_path / "bundle", write_yaml(tmp_path / "d.yaml", data))
    network = Network(source, **{f"{name}_in": (f"{name}_out", [1, 1, 8]) for name in states})
    assert_same(run_bundle(imported, inputs), described_loop(data, network, [signals_of(item) for item in inputs]))
    assert [state.input for state in imported.bundle.contract.networks[0].states] == [f"{name}_in" for name in states]


def test_the_bundle_forgets_its_states_at_activation(tmp_path: Path) -> None:
    recurrent = {"h_in": [1, 1, 8], "h_out": "h_in"}
    data = description({"network": {"recurrent": recurrent}})
    source = recurrent_onnx(tmp_path / "net.onnx", "GRU")
    imported = bring("network", source, tmp_path / "bundle", write_yaml(tmp_path / "d.yaml", data))
    assert run_bundle(imported, inputs_of(5)) == run_bundle(imported, inputs_of(5))


def test_numbers_of_the_description_are_in_the_contract(tmp_path: Path) -> None:
    data, source = description({"torque_limit": 20.0}), write_mlp(tmp_path / "net.onnx", 45)
    contract = bring(
        "network", source, tmp_path / "b", write_yaml(tmp_path / "d.yaml", data), robot=None
    ).bundle.contract
    assert contract.joints.names == tuple(GO2.joint_names[i] for i in LEFT_FIRST)
    assert contract.joints.stiffness == (30.0,) * 12
    assert contract.joints.damping == tuple(0.5 + 0.01 * i for i in range(12))
    assert contract.joints.torque_limit == (20.0,) * 12
    assert contract.licence == "Apache-2.0"
    assert contract.provenance["source"] == "made by a test"
    assert contract.commands.velocity is not None
    assert contract.commands.velocity.lin_vel_x.range == (-1.0, 1.5)


def test_the_users_licence_wins(tmp_path: Path) -> None:
    from robot_policies.bundle.importers.importer import Request, import_policy

    source, describe = write_mlp(tmp_path / "net.onnx", 45), write_yaml(tmp_path / "d.yaml", description())
    request = Request("network", source, tmp_path / "b", "go2", None, describe, "BSD-3-Clause")
    contract = import_policy(request).bundle.contract
    assert (contract.licence, contract.name) == ("BSD-3-Clause", "go2_net")


def _broken(change: Any) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(yaml.safe_dump(description()))
    change(data)
    return data


BROKEN: dict[str, tuple[Any, str]] = {
    **{
        f"no {key}": (lambda d, key=key: d.pop(key), f"{key}: not stated by the format network")
        for key in ("control_dt", "joint_names", "default_joint_pos", "stiffness", "damping", "action", "observation")
    },
    "unknown key": (lambda d: d.update(stifness=1.0), "stifness: unknown key.*valid: robot, control_dt"),
    "unknown action key": (lambda d: d["action"].update(skale=1.0), "action: skale: unknown key.*scale, clip"),
    "unknown term key": (lambda d: d["observation"][0].update(scal=1.0), "scal: unknown key.*term, scale, period"),
    "unknown history key": (lambda d: d.update(history={"length": 4}), "length: unknown key.*frames, order"),
    "unknown term": (lambda d: d["observation"].append({"term": "height_scan"}), "observation.6.term"),
    "terms as a mapping": (lambda d: d.update(observation={"base_ang_vel": 1.0}), "observation"),
    "no terms": (lambda d: d.update(observation=[]), "observation: at least one term"),
    "history without order": (lambda d: d.update(history={"frames": 3, "layout": "time"}), "history.order"),
    "odd layout": (lambda d: d.update(history=history("newest_first", "frame")), "history.layout"),
    "period of no phase": (lambda d: d["observation"][0].update(period=1.0), r"observation\[0\].period"),
    "phase without period": (lambda d: d["observation"].append({"term": "gait_phase"}), r"observation\[6\].period"),
    "eleven defaults": (lambda d: d["default_joint_pos"].pop(), "default_joint_pos.*11 numbers"),
    "thirteen dampings": (lambda d: d["damping"].append(1.0), "damping.*13 numbers"),
    "a scale of two": (lambda d: d["observation"][2].update(scale=[1.0, 2.0]), r"observation\[2\].scale.*2 numbers"),
    "an action scale of two": (lambda d: d["action"].update(scale=[1.0, 2.0]), "action.scale.*2 numbers"),
    "clip the wrong way": (lambda d: d["action"].update(clip=[1.0, -1.0]), "action.clip"),
    "clip without last_action": (lambda d: d["action"].pop("last_action"), "action.last_action"),
    "odd last_action": (lambda d: d["action"].update(last_action="filtered"), "action.last_action"),
    "not a number": (lambda d: d.update(control_dt="fast"), "control_dt"),
    "not finite": (lambda d: d.update(stiffness=float("nan")), "stiffness"),
    "negative period": (lambda d: d.update(control_dt=-0.02), "control_dt"),
    "another robot": (lambda d: d.update(robot="g1"), "robot: g1, as described; found --robot go2"),
    "a foreign joint": (lambda d: d["joint_names"].__setitem__(0, "tail_joint"), "joint names.*unknown tail_joint"),
    "a joint twice": (lambda d: d["joint_names"].__setitem__(0, d["joint_names"][1]), "joint names.*twice"),
    "a default beyond the limits": (
        lambda d: d["default_joint_pos"].__setitem__(2, 1.5),
        "default position of FL_calf",
    ),
    "command the wrong way": (lambda d: d["command"].update(lin_vel_x=[1.0, -1.0]), "lin_vel_x"),
    "command without yaw": (lambda d: d["command"].pop("ang_vel_z"), "command.ang_vel_z"),
    "a motor order": (lambda d: d.update(gains_order="motor"), "gains_order.*has no use for it"),
    "no such input": (
        lambda d: d.update(network={"input": "observation"}),
        "network.input; found observation; valid: obs",
    ),
    "no such output": (lambda d: d.update(network={"output": "act"}), "network.output; found act; valid: actions"),
    "a state from nowhere": (lambda d: d.update(network={"recurrent": {"h": [1, 8]}}), "one output that feeds h"),
    "a state to nowhere": (lambda d: d.update(network={"recurrent": {"h": "g"}}), "network.recurrent.h"),
    "no such state": (
        lambda d: d.update(network={"recurrent": {"h": [1, 8], "ho": "h"}}),
        "network.recurrent.h: an input; found h; valid: obs",
    ),
    "too many terms": (lambda d: d["observation"].append({"term": "base_lin_vel"}), "add up to 45; found 48"),
    "a motor without name": (
        lambda d: (d["joint_names"].pop(), d["default_joint_pos"].pop(), d["damping"].pop()),
        "every joint",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_description_that_does_not_do(tmp_path: Path, case: str) -> None:
    change, named = BROKEN[case]
    source, describe = write_mlp(tmp_path / "net.onnx", 45), write_yaml(tmp_path / "d.yaml", _broken(change))
    with pytest.raises(ImportFormatError, match=named):
        bring("network", source, tmp_path / "bundle", describe)
    assert not (tmp_path / "bundle").exists()


def test_no_robot_at_all(tmp_path: Path) -> None:
    describe = write_yaml(tmp_path / "d.yaml", description({"robot": None}))
    with pytest.raises(ImportFormatError, match="--robot"):
        bring("network", write_mlp(tmp_path / "net.onnx", 45), tmp_path / "bundle", describe, robot=None)


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "net.pkl").write_bytes(b"x")
    with pytest.raises(ImportFormatError, match=r"net.pkl: a network file; found .pkl; valid: .onnx"):
        bring("network", tmp_path / "net.pkl", tmp_path / "bundle", write_yaml(tmp_path / "d.yaml", description()))
