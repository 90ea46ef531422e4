"""Where the robots are simulated: by ``mujoco.rollout`` or, on a GPU, by MuJoCo Warp, behind one interface."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Protocol

import mujoco

from robot_policies.exceptions import ResourceError, expected
from robot_policies.types import Array
from sim2real.training.motion import Bools
from sim2real.training.simulation import Batch

DEVICES = ("auto", "cpu", "cuda")
_INSTALL = "pip install 'robot_policies[gpu]' beside an NVIDIA driver, or --device cpu"


class Simulation(Protocol):
    """The states of all robots; writing ``qpos`` and ``qvel`` in place moves them."""

    models: list[mujoco.MjModel]
    dt: float  # [s]

    @property
    def qpos(self) -> Array:
        """(N, nq)."""
        ...

    @property
    def qvel(self) -> Array:
        """(N, nv)."""
        ...

    @property
    def sensors(self) -> Array:
        """(N, nsensordata), of the state before the newest step."""
        ...

    def assign(self, robot: int, model: mujoco.MjModel) -> None:
        """Give one robot another model of the same kind."""
        ...

    def step(self, control: Array) -> None:
        """Advance every robot by one physics step under ``control`` (N, nu)."""
        ...

    def restart(self, rows: Bools) -> None:
        """Put the robots where ``rows`` is true back to their model's start."""
        ...

    def broken(self) -> Bools:
        """Return which robots have a state that is not finite or that has exploded, (N,)."""
        ...

    def close(self) -> None:
        """Give threads and memory back."""
        ...


def choose_device(asked: str) -> str:
    """Return "cpu" or "cuda" for what was asked: ``auto`` takes a GPU where MuJoCo Warp is installed and sees one.

    Raises:
        ResourceError: no such device here.
    """
    if asked not in DEVICES:
        raise ResourceError(expected("--device", repr(asked), DEVICES))
    if asked == "cpu":
        return "cpu"
    lack = _lack()
    if lack is None:
        return "cuda"
    if asked == "cuda":
        raise ResourceError(expected("--device cuda: a GPU for MuJoCo Warp", lack, _INSTALL))
    return "cpu"


def _lack() -> str | None:
    """Return what keeps MuJoCo Warp from using a GPU, or None."""
    if find_spec("mujoco_warp") is None:
        return "no mujoco_warp"
    import warp

    warp.config.quiet = True
    return None if warp.is_cuda_available() else "no GPU that warp can use"


def simulate(models: Sequence[mujoco.MjModel], threads: int, device: str) -> Simulation:
    """Return the simulation of ``models``, one robot each, neighbours of a kind together.

    Args:
        models: of the robots.
        threads: that simulate on a processor.
        device: "cpu" for ``mujoco.rollout``, "cuda" for MuJoCo Warp.

    Raises:
        ResourceError: MuJoCo Warp cannot simulate these models.
    """
    if device == "cpu":
        return Batch(models, threads)
    from sim2real.training.warp_simulation import WarpBatch

    return WarpBatch(models, device)
