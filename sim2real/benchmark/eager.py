"""The same tick as a plain PyTorch program does it: eager tensors, a Sequential, clamps. To compare with, not to run.

It is what the public deployment scripts do: one tensor per term, ``cat``, the module, ``default + scale * action``.
The joint limits are the clamps of our safety filter; nothing is checked, counted, recorded or owned.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from robot_policies.contract import Contract, Term
from robot_policies.exceptions import BundleError, expected
from robot_policies.robot_spec import RobotSpec
from robot_policies.safety.limits import SafetyLimits
from robot_policies.types import Array, Array32, PolicyInputs, RobotState

ACTIVATIONS = {"Elu": torch.nn.ELU, "Relu": torch.nn.ReLU, "Tanh": torch.nn.Tanh}
Tensor = Any


def sequential(path: Path) -> Tensor:
    """Return the network of an ONNX file as a ``Sequential``. Raises ``BundleError`` for other operators."""
    graph = onnx.load(str(path)).graph
    weights = {item.name: onnx.numpy_helper.to_array(item) for item in graph.initializer}
    layers = []
    for node in graph.node:
        if node.op_type in ACTIVATIONS:
            layers.append(ACTIVATIONS[node.op_type]())
        elif node.op_type == "Gemm" and all(name in weights for name in node.input[1:]):
            layers.append(_linear(weights[node.input[1]], weights[node.input[2]]))
        else:
            raise BundleError(expected("eager: an MLP", node.op_type, ("Gemm", *ACTIVATIONS)))
    return torch.nn.Sequential(*layers).eval()


def _linear(weight: Array, bias: Array) -> Tensor:
    layer = torch.nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight.copy()))
        layer.bias.copy_(torch.from_numpy(bias.copy()))
    return layer


class EagerTick:
    """Observation, inference, decoding and the clamps of safety, with tensors made anew at each tick."""

    def __init__(self, contract: Contract, network: Path, spec: RobotSpec, limits: SafetyLimits) -> None:
        """Take what the bundle and the safety file state, as tensors of single precision."""
        self._terms = [term for group in contract.observations.values() for term in group.terms]
        groups = list(contract.observations.values())
        if len(groups) > 1:
            raise BundleError(expected("eager: one group of observations", len(groups), "a policy such as go2_walk"))
        self.ages = groups[0].history.ages if groups[0].history is not None else (0,)
        self._past: deque[Tensor] = deque(maxlen=max(self.ages) + 1)  # frames, newest first
        self._module = sequential(network)
        self._index = torch.tensor([int(i) for i in spec.joint_index(contract.joints.names)])
        self._back = torch.argsort(self._index)
        self._default = torch.tensor(contract.joints.default_joint_pos)
        self._scale, self._offset = torch.tensor(contract.action.scale), torch.tensor(contract.action.offset)
        self._clip = contract.action.clip
        self._stiffness = torch.tensor(contract.joints.stiffness)[self._back]
        self._damping = torch.tensor(contract.joints.damping)[self._back]
        self._limits = {
            name: torch.tensor(getattr(limits, name), dtype=torch.float32)
            for name in ("lower", "upper", "target_beyond", "target_soft", "target_rate", "torque")
        }
        self._step = self._limits["target_rate"] * contract.timing.control_dt
        self._last = torch.zeros(len(contract.joints.names))
        self._before: Tensor = None

    def __call__(self, inputs: PolicyInputs, following: RobotState) -> Array:
        """Return the target, (n,) [rad] in robot order, that is safe at the state ``following``."""
        with torch.inference_mode():
            frame = torch.cat([self._term(term, inputs) * term.scale for term in self._terms])
            self._past.appendleft(frame)
            seen = torch.cat([self._past[min(age, len(self._past) - 1)] for age in self.ages])
            action = self._module(seen.unsqueeze(0)).squeeze(0)
            if self._clip is not None:
                action = torch.clamp(action, self._clip[0], self._clip[1])
            self._last = action
            target = (self._offset + self._scale * action)[self._back]
            safe = self._safe(target, following)
            self._before = safe
            return np.asarray(safe.numpy())

    def start(self, action: Array32, target: Array) -> None:
        """Take the last action and the target of the tick before the next, as ours were."""
        self._last, self._before = _single(action), _single(target)

    def _term(self, term: Term, inputs: PolicyInputs) -> Tensor:
        state, command = inputs.state, inputs.velocity_command
        if term.term == "base_ang_vel":
            return _single(state.base_ang_vel)
        if term.term == "projected_gravity":
            return _gravity(_single(state.base_quat_wxyz))
        if term.term == "velocity_command" and command is not None:
            return torch.tensor([command.lin_vel_x, command.lin_vel_y, command.ang_vel_z])
        if term.term == "joint_pos_rel":
            return _single(state.joint_pos)[self._index] - self._default
        if term.term == "joint_vel":
            return _single(state.joint_vel)[self._index]
        if term.term == "last_action":
            return self._last
        raise BundleError(expected("eager: a term of the shipped policy", term.term, "those of go2_walk"))

    def _safe(self, target: Tensor, state: RobotState) -> Tensor:
        limits, pos, vel = self._limits, _single(state.joint_pos), _single(state.joint_vel)
        if self._before is not None:
            target = torch.clamp(target, self._before - self._step, self._before + self._step)
        slope = limits["target_beyond"] / limits["target_soft"]
        below = torch.minimum(torch.clamp((pos - limits["lower"]) * slope, min=0.0), limits["target_beyond"])
        above = torch.minimum(torch.clamp((limits["upper"] - pos) * slope, min=0.0), limits["target_beyond"])
        target = torch.clamp(target, limits["lower"] - below, limits["upper"] + above)
        torque = self._stiffness * (target - pos) - self._damping * vel
        wanted = torch.clamp(torque, -limits["torque"], limits["torque"])
        return torch.where(wanted == torque, target, pos + (wanted + self._damping * vel) / self._stiffness)


def _single(values: Array | Array32) -> Tensor:
    return torch.from_numpy(np.asarray(values, dtype=np.float32))


def _gravity(quat_wxyz: Tensor) -> Tensor:
    """Return gravity in the base frame, as legged_gym-like code does: the inverse rotation of (0, 0, -1)."""
    w, axis, down = quat_wxyz[0], quat_wxyz[1:], torch.tensor([0.0, 0.0, -1.0])
    return down * (2.0 * w * w - 1.0) - torch.linalg.cross(axis, down) * w * 2.0 + axis * torch.dot(axis, down) * 2.0
