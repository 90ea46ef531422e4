"""Modules as projects export them, with state in odd places. Imports PyTorch: only for tests marked ``torch``.

TorchScript reads the annotations itself: no ``from __future__ import annotations`` here.
"""

from pathlib import Path
from typing import Any, Optional

import numpy as np
import torch
from torch import nn

from robot_policies.bundle.importers import torchscript_convert
from robot_policies.bundle.importers.policy import ForeignPolicy
from robot_policies.bundle.importers.torchscript import TorchScript
from robot_policies.exceptions import ImportFormatError

SIZE, JOINTS, HIDDEN = 45, 12, 16


class Feedforward(nn.Module):
    """Isaac Lab's exporter: a normaliser, an MLP."""

    def __init__(self, size: int = SIZE) -> None:
        super().__init__()
        self.register_buffer("mean", 0.1 * torch.randn(1, size))
        self.layers = nn.Sequential(nn.Linear(size, 24), nn.ELU(), nn.Linear(24, JOINTS))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x - self.mean)

    @torch.jit.export
    def reset(self) -> None:
        pass


class HiddenLstm(nn.Module):
    """legged_gym's exporter: an LSTM of two layers, its states in buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = nn.LSTM(SIZE, HIDDEN, num_layers=2)
        self.head = nn.Linear(HIDDEN, JOINTS)
        self.register_buffer("hidden_state", torch.zeros(2, 1, HIDDEN))
        self.register_buffer("cell_state", torch.zeros(2, 1, HIDDEN))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out, (h, c) = self.memory(x.unsqueeze(0), (self.hidden_state, self.cell_state))
        self.hidden_state[:] = h
        self.cell_state[:] = c
        return 20.0 * self.head(out.squeeze(0))

    @torch.jit.export
    def reset_memory(self) -> None:
        self.hidden_state[:] = 0.0
        self.cell_state[:] = 0.0


class HiddenGru(nn.Module):
    """A GRU, its state assigned anew; and the state stored in the file is not zero."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = nn.GRU(SIZE, HIDDEN)
        self.head = nn.Linear(HIDDEN, JOINTS)
        self.register_buffer("hidden_state", torch.randn(1, 1, HIDDEN))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out, self.hidden_state = self.memory(x.unsqueeze(0), self.hidden_state)
        return 20.0 * self.head(out.squeeze(0))


class HiddenHistory(nn.Module):
    """A history of observations, a counter and the last action, all inside; it writes into its input too."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3 * SIZE + JOINTS, JOINTS)
        self.register_buffer("past", torch.zeros(3, SIZE))
        self.register_buffer("last", torch.zeros(1, JOINTS))
        self.register_buffer("count", torch.zeros((), dtype=torch.int32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x[:, 3:6] = 0.5 * x[:, 0:3]
        x[:, 0] = 0.0
        self.past = torch.roll(self.past, -1, 0)
        self.past[-1] = x[0]
        self.count += 1
        phase = torch.sin(0.3 * self.count.float())
        action = self.layer(torch.cat([self.past.reshape(1, -1), self.last], dim=1)) + phase
        self.last.copy_(action)
        return action


class InnerState(nn.Module):
    """State in a sub-module, in a plain tensor and in a parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.first = HiddenGru()
        self.decay = nn.Parameter(torch.zeros(1, JOINTS), requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.decay.mul_(0.9).add_(self.first(x))
        return self.decay.clone()


class OpenLstm(nn.Module):
    """An LSTM, its states in the open."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = nn.LSTM(SIZE, HIDDEN)
        self.head = nn.Linear(HIDDEN, JOINTS)

    def forward(
        self, x: torch.Tensor, h: torch.Tensor, c: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        out, (h, c) = self.memory(x.unsqueeze(0), (h, c))
        return 20.0 * self.head(out.squeeze(0)), h, c


class Reindexed(Feedforward):
    """Re-orders its input by indices, and can take more than it needs."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("order", torch.randperm(SIZE))

    def forward(self, x: torch.Tensor, masks: Optional[torch.Tensor] = None) -> torch.Tensor:
        return self.layers(x[:, self.order])


class Elsewhere(Feedforward):
    """Made on another device; talks."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        print(x)  # noqa: T201 (what modules do)
        return self.layers(x) + torch.ones([1, 12], device=torch.device("cuda:0"))


class Flag(Feedforward):
    """State in a truth value."""

    first: bool

    def __init__(self) -> None:
        super().__init__()
        self.first = True

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.first:
            x = 0.0 * x
            self.first = False
        return self.layers(x - self.mean)


class Branch(Feedforward):
    """Control flow by values."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.layers(x - self.mean)
        if bool(x[0, 0] > 0.0):
            y = -y
        return y


class Keeper(Feedforward):
    """State in a list."""

    kept: list[torch.Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.kept = [torch.zeros(1, JOINTS)]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.layers(x) + 0.5 * self.kept[0]
        self.kept[0] = y
        return y


class Dice(Feedforward):
    """A sampled action."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x) + 0.1 * torch.randn([1, 12])


class Critic(Feedforward):
    """An action and a value."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.layers(x), x.sum()


class TwoInputs(Feedforward):
    """An observation and its history apart."""

    def forward(self, x: torch.Tensor, history: torch.Tensor) -> torch.Tensor:
        return self.layers(x + history)


class InProcess(TorchScript):
    """The child's work done in this process: PyTorch is imported once for all tests. The child has tests of its own."""

    def __init__(self, policy: ForeignPolicy, folder: Path) -> None:
        self._policy, self._folder = policy, folder
        self.version = torchscript_convert.version()

    def close(self) -> None:
        """Leave nothing."""

    def _request(self, **request: Any) -> dict[str, Any]:
        source = self._policy.network
        shapes = [list(shape) for shape in source.recurrent.shapes.values()]
        try:
            return torchscript_convert.handle({**request, "model": str(source.path), "recurrent": shapes})
        except torchscript_convert.Refused as error:
            raise ImportFormatError(f"{source.path}: {error}") from error


def save(module: nn.Module, path: Path, trace: bool = False, size: int = SIZE) -> Path:
    """Write ``module``, scripted or traced."""
    module.eval()
    made = torch.jit.trace(module, torch.zeros(1, size), check_trace=False) if trace else torch.jit.script(module)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.jit.save(made, str(path))
    return path


class TorchNetwork:
    """The original network as a deployment loop would call it."""

    def __init__(self, path: Path, *states: tuple[int, ...]) -> None:
        """``states``: shapes of states in the open."""
        self._module = torch.jit.load(str(path))
        for name in self._module._c._method_names():
            if name.startswith("reset"):
                with torch.no_grad():
                    getattr(self._module, name)()
        self._held = [torch.zeros(shape) for shape in states]

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        """Return the outputs for one observation, flat."""
        value = torch.from_numpy(observation.astype(np.float32).reshape(1, -1))
        with torch.no_grad():
            result = self._module(value, *self._held)
        if self._held:
            result, *self._held = result
        return np.asarray(result.numpy()).reshape(-1)
