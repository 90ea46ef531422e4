"""Small foreign policies to import, and what their own projects would compute from a robot's state. No PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import yaml
from helpers.networks import mlp

from robot_policies.bundle.importers.importer import Imported, Request, import_policy
from robot_policies.control.policy_step import PolicyStep
from robot_policies.robot_spec import RobotSpec, load_robot_spec
from robot_policies.types import PolicyInputs, RobotState, VelocityCommand, owned

GO2 = load_robot_spec("go2")
POSE = {"hip": 0.05, "thigh": 0.85, "calf": -1.6}  # [rad] default positions, not the robot file's
LEFT_FIRST = (3, 4, 5, 0, 1, 2, 9, 10, 11, 6, 7, 8)  # the policy's FL, FR, RL, RR as places in the motor order
ODD = (7, 0, 3, 1, 2, 4, 11, 6, 5, 8, 10, 9)  # an order with no symmetry, not its own inverse


def pose(names: Sequence[str]) -> list[float]:
    """Return a default position per joint, different for each."""
    return [POSE[name.split("_")[1]] + 0.01 * GO2.joint_names.index(name) for name in names]


def write_yaml(path: Path, data: Any) -> Path:
    """Write ``data`` as YAML."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return path


def write_mlp(path: Path, inputs: int, outputs: int = 12, seed: int = 3, batch: int | str = 1) -> Path:
    """Write a random MLP of ONNX."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(mlp((inputs, 24, outputs), seed=seed, batch=batch))
    return path


def rl_sar(folder: Path, changes: Mapping[str, Any] | None = None, base: Mapping[str, Any] | None = None) -> Path:
    """Write an rl_sar policy for the Go2 and return its folder; a change to None takes the key away."""
    config = {
        "model_name": "policy.onnx",
        "num_observations": 45,
        "observations": ["ang_vel", "gravity_vec", "commands", "dof_pos", "dof_vel", "actions"],
        "observations_history": [],
        "observations_history_priority": "time",
        "clip_obs": 100.0,
        "clip_actions_lower": [-0.4 - 0.01 * i for i in range(12)],
        "clip_actions_upper": [0.5 + 0.01 * i for i in range(12)],
        "rl_kp": [20.0 + i for i in range(12)],
        "rl_kd": [0.5 + 0.1 * i for i in range(12)],
        "action_scale": [0.1 + 0.02 * i for i in range(12)],
        "lin_vel_scale": 2.0,
        "ang_vel_scale": 0.25,
        "dof_pos_scale": 1.1,
        "dof_vel_scale": 0.05,
        "commands_scale": [2.0, 1.5, 0.25],
        "torque_limits": [23.0] * 12,
        "joint_mapping": list(range(12)),
    } | dict(changes or {})
    robot_side = (base or {}).get("joint_names", list(GO2.joint_names))
    config.setdefault("default_dof_pos", pose([robot_side[i % 12] for i in config["joint_mapping"] or range(12)]))
    shared = {
        "dt": 0.005,
        "decimation": 4,
        "num_of_dofs": 12,
        "wheel_indices": [],
        "fixed_kp": [80.0] * 12,
        "joint_names": list(GO2.joint_names),
        "torque_limits": [1.0] * 12,
        "ang_vel_scale": 99.0,  # config.yaml wins
    } | dict(base or {})
    write_yaml(folder / "go2" / "base.yaml", {"go2": _without_none(shared)})
    source = folder / "go2" / "walk"
    write_yaml(source / "config.yaml", {"go2/walk": _without_none(config)})
    frames = len(config["observations_history"] or [0])
    write_mlp(source / "policy.onnx", int(config["num_observations"] or 45) * frames)
    return source


def deploy(folder: Path, changes: Mapping[str, Any] | None = None, inputs: int = 45, **terms: Any) -> Path:
    """Write a Unitree folder for the Go2; ``terms`` change or add observations, ``changes`` top-level keys."""
    names = [GO2.joint_names[i] for i in LEFT_FIRST]
    one = {"params": {}, "clip": None, "history_length": 1}
    observations = {
        "base_ang_vel": one | {"scale": [0.2, 0.3, 0.4]},
        "projected_gravity": one | {"scale": None},
        "velocity_commands": one | {"scale": [1.0, 1.1, 1.2], "params": {"command_name": "base_velocity"}},
        "joint_pos_rel": one | {"scale": [1.0 + 0.05 * i for i in range(12)]},
        "joint_vel_rel": one | {"scale": 0.05},
        "last_action": one | {"scale": [1.0] * 12},
    }
    for name, value in terms.items():
        observations[name] = observations.get(name, one | {"scale": 1.0}) | value if isinstance(value, dict) else value
    action = {
        "clip": None,
        "joint_names": [".*"],
        "scale": [0.2 + 0.02 * i for i in range(12)],
        "offset": pose(names),
        "joint_ids": None,
    }
    ranges = {"lin_vel_x": [-0.5, 1.0], "lin_vel_y": [-0.4, 0.4], "ang_vel_z": [-1.0, 1.0], "heading": None}
    data = {
        "joint_ids_map": list(LEFT_FIRST),
        "step_dt": 0.02,
        "stiffness": [20.0, 20.0, 40.0] * 4,
        "damping": [1.0, 1.0, 2.0] * 4,
        "default_joint_pos": pose(names),
        "commands": {"base_velocity": {"ranges": ranges}},
        "actions": {"JointPositionAction": action},
        "observations": {name: value for name, value in observations.items() if value is not None},
    } | dict(changes or {})
    source = folder / "unitree_go2"
    write_yaml(source / "params" / "deploy.yaml", _without_none(data))
    write_mlp(source / "exported" / "policy.onnx", inputs)
    return source


def description(changes: Mapping[str, Any] | None = None, order: Sequence[int] = LEFT_FIRST) -> dict[str, Any]:
    """Return a complete ``--describe`` for the Go2; a change to None takes the key away."""
    names = [GO2.joint_names[i] for i in order]
    data = {
        "robot": "go2",
        "control_dt": 0.02,
        "joint_names": names,
        "default_joint_pos": pose(names),
        "stiffness": 30.0,
        "damping": [0.5 + 0.01 * i for i in range(12)],
        "action": {"scale": 0.3, "clip": [-0.5, 0.6], "last_action": "clipped"},
        "observation": [
            {"term": "base_ang_vel", "scale": 0.25},
            {"term": "projected_gravity"},
            {"term": "velocity_command", "scale": [2.0, 2.0, 0.25]},
            {"term": "joint_pos_rel"},
            {"term": "joint_vel", "scale": 0.05},
            {"term": "last_action"},
        ],
        "clip_observation": 100.0,
        "command": {"lin_vel_x": [-1.0, 1.5], "lin_vel_y": [-0.5, 0.5], "ang_vel_z": [-1.0, 1.0]},
        "licence": "Apache-2.0",
        "source": "made by a test",
    }
    return _without_none(data | dict(changes or {}))


def _without_none(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if value is not None}


def bring(form: str, source: Path, dest: Path, describe: Path | None = None, robot: str | None = "go2") -> Imported:
    """Import a foreign policy under the name ``foreign``."""
    return import_policy(Request(form, source, dest, robot, "foreign", describe))


@dataclass(frozen=True)
class Signals:
    """One tick of a robot in plain numbers, by joint name, worked out without this package."""

    ang_vel: np.ndarray
    lin_vel: np.ndarray
    gravity: np.ndarray
    command: np.ndarray
    pos: dict[str, float]
    vel: dict[str, float]

    def joints(self, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return positions and velocities in the order of ``names``."""
        return np.array([self.pos[name] for name in names]), np.array([self.vel[name] for name in names])


def inputs_of(ticks: int = 40, seed: int = 5, spec: RobotSpec = GO2) -> list[PolicyInputs]:
    """Return random states near a standing pose, with commands that stay in every test's ranges."""
    random = np.random.default_rng(seed)
    count, result = len(spec.joint_names), []
    for tick in range(ticks):
        quat = np.array([1.0, *(0.15 * random.standard_normal(3))])
        state = RobotState(
            stamp_ns=tick * 20_000_000,
            joint_pos=owned(spec.poses["stand"] + random.uniform(-0.2, 0.2, count)),
            joint_vel=owned(random.uniform(-4.0, 4.0, count)),
            joint_effort=owned(np.zeros(count)),
            base_quat_wxyz=owned(quat / np.linalg.norm(quat)),
            base_ang_vel=owned(random.uniform(-2.0, 2.0, 3)),
            base_lin_acc=owned([0.0, 0.0, 9.81]),
            foot_force=owned(np.zeros(len(spec.feet))),
            base_lin_vel=owned(random.uniform(-1.0, 1.0, 3)),
        )
        command = VelocityCommand(state.stamp_ns, *random.uniform([-0.4, -0.3, -0.9], [0.9, 0.3, 0.9]).tolist())
        result.append(PolicyInputs(state, command))
    return result


def signals_of(inputs: PolicyInputs, spec: RobotSpec = GO2) -> Signals:
    """Return the same tick in plain numbers; gravity by the rotation matrix of the quaternion."""
    state, command = inputs.state, inputs.velocity_command
    assert state.base_lin_vel is not None and command is not None
    w, x, y, z = state.base_quat_wxyz
    to_world = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    return Signals(
        ang_vel=np.array(state.base_ang_vel),
        lin_vel=np.array(state.base_lin_vel),
        gravity=to_world.T @ np.array([0.0, 0.0, -1.0]),
        command=np.array([command.lin_vel_x, command.lin_vel_y, command.ang_vel_z]),
        pos=dict(zip(spec.joint_names, state.joint_pos.tolist(), strict=True)),
        vel=dict(zip(spec.joint_names, state.joint_vel.tolist(), strict=True)),
    )


def run_bundle(imported: Imported, inputs: Sequence[PolicyInputs], spec: RobotSpec = GO2) -> list[dict[str, float]]:
    """Run the bundle through the real pipeline; return each tick's targets by joint name."""
    step = PolicyStep(imported.bundle, spec)
    return [dict(zip(spec.joint_names, step(item).command.joint_pos.tolist(), strict=True)) for item in inputs]


class Network:
    """The original network of ONNX with its states, as a deployment loop would call it."""

    def __init__(
        self, path: Path, feed: str = "obs", take: str = "actions", **states: tuple[str, Sequence[int]]
    ) -> None:
        """``states``: input name = (output name, shape)."""
        self._session = onnxruntime.InferenceSession(str(path))
        self._feed, self._take, self._states = feed, take, states
        self.metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        self._held = {name: np.zeros(shape, dtype=np.float32) for name, (_, shape) in states.items()}

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        """Return the outputs for one observation, flat."""
        names = [self._take, *(output for output, _ in self._states.values())]
        given = {self._feed: observation.astype(np.float32).reshape(1, -1), **self._held}
        action, *states = self._session.run(names, given)
        self._held = dict(zip(self._states, states, strict=True))
        return np.asarray(action).reshape(-1)


def assert_same(made: Sequence[Mapping[str, float]], expected: Sequence[Mapping[str, float]]) -> None:
    """Compare targets [rad] joint by joint, tick by tick, within 1e-4; the targets must have moved at all."""
    names = list(expected[0])
    a, b = (np.array([[row[name] for name in names] for row in rows]) for rows in (made, expected))
    assert np.ptp(b, axis=0).min() > 0.01
    np.testing.assert_allclose(a, b, rtol=0.0, atol=1e-4)
