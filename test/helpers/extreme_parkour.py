"""A random export in the layout of Extreme Parkour's public files. Imports PyTorch: only for tests marked ``torch``."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.torchscript import InProcess
from torch import nn

from robot_policies.bundle.importers import extreme_parkour_import
from robot_policies.bundle.importers.extreme_parkour_import import ParkourScript
from robot_policies.bundle.importers.importer import Imported, Request, import_policy

OBS, PROPRIO = 753, 53
EXPLICIT, HISTORY = slice(185, 194), slice(223, 753)


class InProcessParkour(InProcess, ParkourScript):
    """The child's work done in this process."""


def perceptron(*sizes: int, activation: nn.Module, last: nn.Module | None = None) -> nn.Sequential:
    layers: list[nn.Module] = []
    for rows, columns in zip(sizes[:-1], sizes[1:], strict=True):
        layers += [nn.Linear(rows, columns), activation]
    return nn.Sequential(*layers[:-1], *([] if last is None else [last]))


class Estimator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.estimator = perceptron(PROPRIO, 128, 64, 9, activation=nn.ELU())


class HistoryEncoder(nn.Module):
    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(PROPRIO, 30), activation)
        self.conv_layers = nn.Sequential(
            nn.Conv1d(30, 20, 4, 2), activation, nn.Conv1d(20, 10, 2, 1), activation, nn.Flatten()
        )
        self.linear_output = nn.Sequential(nn.Linear(30, 20), activation)

    def forward(self, history: torch.Tensor) -> torch.Tensor:
        frames = self.encoder(history.reshape(-1, PROPRIO)).reshape(-1, 10, 30)
        return self.linear_output(self.conv_layers(frames.permute(0, 2, 1)))


class Actor(nn.Module):
    """All parts share one activation module, as in the public code. Two of them are not called."""

    def __init__(self, activation: nn.Module, tanh: bool) -> None:
        super().__init__()
        self.priv_encoder = nn.Sequential(nn.Linear(29, 64), activation, nn.Linear(64, 20), activation)
        self.history_encoder = HistoryEncoder(activation)
        self.scan_encoder = perceptron(132, 128, 64, 32, activation=activation, last=nn.Tanh())
        last = nn.Tanh() if tanh else None
        self.actor_backbone = perceptron(114, 512, 256, 128, 12, activation=activation, last=last)


class Exported(nn.Module):
    """What is traced: it writes the estimate into its input."""

    def __init__(self, tanh: bool = False, activation: nn.Module | None = None) -> None:
        super().__init__()
        self.estimator, self.actor = Estimator(), Actor(activation or nn.ELU(), tanh)

    def forward(self, obs: torch.Tensor, depth_latent: torch.Tensor) -> torch.Tensor:
        obs[:, EXPLICIT] = self.estimator.estimator(obs[:, :PROPRIO])
        latent = self.actor.history_encoder(obs[:, HISTORY])
        return self.actor.actor_backbone(torch.cat([obs[:, :PROPRIO], depth_latent, obs[:, EXPLICIT], latent], dim=1))


class Backbone(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.image_compression = nn.Sequential(
            nn.Conv2d(1, 32, 5), nn.MaxPool2d(2, 2), nn.ELU(), nn.Conv2d(32, 64, 3), nn.ELU(),
            nn.Flatten(), nn.Linear(62400, 128), nn.ELU(), nn.Linear(128, 32),
        )  # fmt: skip


class DepthEncoder(nn.Module):
    """The depth network as policies deploy it: one image and proprioception per step, its memory inside."""

    def __init__(self) -> None:
        super().__init__()
        self.base_backbone = Backbone()
        self.combination_mlp = nn.Sequential(nn.Linear(85, 128), nn.ELU(), nn.Linear(128, 32))
        self.rnn = nn.GRU(32, 512, batch_first=True)
        self.output_mlp = nn.Sequential(nn.Linear(512, 34), nn.Tanh())
        self.hidden: torch.Tensor | None = None

    def forward(self, image: torch.Tensor, proprio: torch.Tensor) -> torch.Tensor:
        seen = nn.functional.elu(self.base_backbone.image_compression(image[:, None]))
        mixed = self.combination_mlp(torch.cat([seen, proprio], dim=1))
        out, self.hidden = self.rnn(mixed[:, None], self.hidden)
        return self.output_mlp(out[:, 0])


def export(folder: Path, sees: bool, prefix: str = "", key: str = "depth_encoder_state_dict", **base: Any) -> Path:
    """Write a random export: the same numbers each time, loud enough that every entry is felt."""
    torch.manual_seed(7)
    folder.mkdir(parents=True, exist_ok=True)
    save_base(Exported(**base), folder / "base_jit.pt")
    if sees:
        depth = DepthEncoder()
        with torch.no_grad():
            for parameter in depth.base_backbone.parameters():
                parameter.mul_(4.0)
        state = {f"{prefix}{name}": value for name, value in depth.state_dict().items()}
        torch.save({key: state} if key else state, folder / "vision_weight.pt")
    return folder


def save_base(module: nn.Module, path: Path) -> None:
    """Trace ``module`` as the public exporter does."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(1.5)
        made = torch.jit.trace(module.eval(), (torch.ones(1, OBS), torch.ones(1, 32)), check_trace=False)
    torch.jit.save(made, str(path))


class Reference:
    """The export as its own deployment loop would call it: numpy in, numpy out."""

    def __init__(self, folder: Path) -> None:
        self.base = torch.jit.load(str(folder / "base_jit.pt"))
        self.depth = DepthEncoder()
        if (folder / "vision_weight.pt").is_file():
            state = torch.load(folder / "vision_weight.pt", weights_only=True)["depth_encoder_state_dict"]
            self.depth.load_state_dict(state)

    def act(self, obs: np.ndarray, latent: np.ndarray) -> np.ndarray:
        """Return the actions (12,) for an observation (753,) and a latent (32,); ``obs`` is written to."""
        with torch.no_grad():
            given = torch.from_numpy(obs[None])
            return self.base(given, torch.from_numpy(latent[None].copy()))[0].numpy()

    def scan(self, scan: np.ndarray) -> np.ndarray:
        """Return the latent (32,) of a scan (132,)."""
        state = self.base.state_dict()
        values = torch.from_numpy(scan[None].copy())
        with torch.no_grad():
            for place, last in ((0, nn.functional.elu), (2, nn.functional.elu), (4, torch.tanh)):
                name = f"actor.scan_encoder.{place}"
                values = last(nn.functional.linear(values, state[f"{name}.weight"], state[f"{name}.bias"]))
        return values[0].numpy()

    def see(self, image: np.ndarray, proprio: np.ndarray) -> np.ndarray:
        """Return latent and yaw (34,) of an image (58, 87); the memory goes on."""
        with torch.no_grad():
            return self.depth(torch.from_numpy(image[None].copy()), torch.from_numpy(proprio[None].copy()))[0].numpy()


def bring(source: Path, dest: Path) -> Imported:
    """Import the export ``source`` for the Go2, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extreme_parkour_import, "ParkourScript", InProcessParkour)
        return import_policy(Request("extreme_parkour", source, dest, "go2"))
