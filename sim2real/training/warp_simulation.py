"""Many robots stepped at once by MuJoCo Warp, on a GPU: the twin of ``simulation.Batch``, numpy in and numpy out.

Numbers are 32 bits wide there, and the solver stops at a tolerance of 1e-6, so that it agrees with MuJoCo closely, and
not to the last digit; ``test/sim/test_warp_simulation.py`` says how closely.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from types import MappingProxyType
from typing import Any

import mujoco
import mujoco_warp
import numpy as np
import numpy.typing as npt
import torch
import warp

from robot_policies.exceptions import ResourceError, expected
from robot_policies.types import Array
from sim2real.training.motion import Bools
from sim2real.training.simulation import signature

# What may differ between the robots of one batch: MuJoCo Warp holds one row per robot of these.
VARIED = (
    "actuator_acc0", "body_inertia", "body_invweight0", "body_ipos", "body_iquat", "body_mass", "body_subtreemass",
    "dof_invweight0", "geom_aabb", "geom_friction", "geom_pos", "geom_quat", "geom_rbound", "geom_size",
)  # fmt: skip
# Where geoms are in the world: of the ground's, MuJoCo Warp works it out only once, for the first robot's model.
PLACES = ("geom_xpos", "geom_xmat")
# What follows from these and that a step does not read: trees for rays, cameras, sleeping robots, the diagonal of M.
UNREAD = frozenset({"bvh_aabb", "bvh_nodeid", "bvh_child", "bvh_depth", "cam_poscom0", "dof_M0", "dof_length"})
CONTACTS = 96  # per robot, on average: one that lies on columns has some 40
ROWS = 384  # of constraints per robot: friction and limit of 12 joints, 3 per contact
FASTEST = 300.0  # as in Batch: beyond it a robot has exploded

_Table = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class _Run:
    """Neighbours whose models have equal sizes, simulated together."""

    robots: slice
    model: Any  # mujoco_warp.Model
    data: Any  # mujoco_warp.Data
    first: mujoco.MjModel  # what the others are compared with
    varied: _Table  # views of the arrays that hold VARIED and PLACES, a row per robot
    qpos: torch.Tensor  # views of the data's arrays
    qvel: torch.Tensor
    control: torch.Tensor
    warmstart: torch.Tensor
    sensors: torch.Tensor


class WarpBatch:
    """States of all robots. ``qpos`` and ``qvel`` may be written, which moves the robots at the next step.

    One step copies states and control to the device, and states and sensors back: 0.6 kB a robot.
    """

    def __init__(self, models: Sequence[mujoco.MjModel], device: str) -> None:
        """Put ``models`` on ``device`` ("cuda", "cuda:1", or "cpu", which is slow), all robots at their start.

        Raises:
            ResourceError: models differ in more than MuJoCo Warp can hold per robot, or use what it does not have.
        """
        first = models[0]
        self.models, self.dt = list(models), float(first.opt.timestep)
        self._device = warp.get_device(device)
        self._rows: dict[tuple[int, int], tuple[mujoco.MjModel, _Table]] = {}  # run, model's id (kept, so it stays its)
        self._graphs: dict[int, Any] = {}
        count = len(self.models)
        self._start = np.array(first.qpos0, dtype=float)
        self.qpos = np.tile(self._start, (count, 1))
        self.qvel = np.zeros((count, int(first.nv)))
        self.sensors = np.zeros((count, int(first.nsensordata)))
        with warp.ScopedDevice(self._device):
            self._runs = [
                self._put(list(members))
                for _, members in groupby(range(count), key=lambda index: signature(self.models[index]))
            ]
        for robot, model in enumerate(self.models):
            self.assign(robot, model)

    def assign(self, robot: int, model: mujoco.MjModel) -> None:
        """Give one robot another model.

        Raises:
            ResourceError: it differs from the one before in more than ``VARIED``.
        """
        run = next(run for run in self._runs if run.robots.start <= robot < run.robots.stop)
        key = (run.robots.start, id(model))
        if key not in self._rows:
            _check_alike(run.first, model)
            self._rows[key] = (model, _rows_of(model, run.varied))
        for name, row in self._rows[key][1].items():
            run.varied[name][robot - run.robots.start] = row
        self.models[robot] = model

    def step(self, control: Array) -> None:
        """Advance every robot by one physics step under ``control`` (N, nu)."""
        with warp.ScopedDevice(self._device):
            for number, run in enumerate(self._runs):
                run.qpos.copy_(torch.from_numpy(self.qpos[run.robots]))
                run.qvel.copy_(torch.from_numpy(self.qvel[run.robots]))
                run.control.copy_(torch.from_numpy(np.ascontiguousarray(control[run.robots])))
                self._advance(number, run)
            for run in self._runs:  # all are under way before the first is waited for
                self.qpos[run.robots] = run.qpos.cpu().numpy()
                self.qvel[run.robots] = run.qvel.cpu().numpy()
                self.sensors[run.robots] = run.sensors.cpu().numpy()

    def restart(self, rows: Bools) -> None:
        """Put the robots where ``rows`` is true back to their model's start."""
        self.qpos[rows], self.qvel[rows], self.sensors[rows] = self._start, 0.0, 0.0
        for run in self._runs:
            run.warmstart[torch.from_numpy(rows[run.robots]).to(run.warmstart.device)] = 0.0

    def broken(self) -> Bools:
        """Return which robots have a state that is not finite or that has exploded, (N,)."""
        finite = np.isfinite(self.qpos).all(axis=1) & np.isfinite(self.qvel).all(axis=1)
        with np.errstate(invalid="ignore"):
            return np.asarray(~finite | (np.abs(self.qvel).max(axis=1) > FASTEST))

    def close(self) -> None:
        """Give the device's memory back."""
        self._graphs.clear()
        self._runs.clear()

    def _put(self, members: list[int]) -> _Run:
        """Put neighbours on the device."""
        first, count = self.models[members[0]], len(members)
        plain = _for_warp(first)
        try:
            model = mujoco_warp.put_model(plain, batch_sizes=dict.fromkeys(VARIED, count))
        except NotImplementedError as error:
            raise ResourceError(expected("MuJoCo Warp: a model that it can simulate", error, "--device cpu")) from error
        data = mujoco_warp.make_data(plain, nworld=count, nconmax=CONTACTS, njmax=ROWS)
        return _Run(
            robots=slice(members[0], members[-1] + 1),
            model=model,
            data=data,
            first=first,
            varied=MappingProxyType(
                {name: warp.to_torch(getattr(model, name)) for name in VARIED}
                | {name: warp.to_torch(getattr(data, name)) for name in PLACES}
            ),
            qpos=warp.to_torch(data.qpos),
            qvel=warp.to_torch(data.qvel),
            control=warp.to_torch(data.ctrl),
            warmstart=warp.to_torch(data.qacc_warmstart),
            sensors=warp.to_torch(data.sensordata),
        )

    def _advance(self, number: int, run: _Run) -> None:
        """Step one run; a GPU replays its first step's kernels as one graph, since starting each costs more than it."""
        if not self._device.is_cuda:
            mujoco_warp.step(run.model, run.data)
            return
        if number not in self._graphs:
            mujoco_warp.step(run.model, run.data)  # compiles; a compilation cannot be captured
            run.qpos.copy_(torch.from_numpy(self.qpos[run.robots]))
            run.qvel.copy_(torch.from_numpy(self.qvel[run.robots]))
            with warp.ScopedCapture() as capture:
                mujoco_warp.step(run.model, run.data)
            self._graphs[number] = capture.graph
        warp.capture_launch(self._graphs[number])


def _for_warp(model: mujoco.MjModel) -> mujoco.MjModel:
    """Return a copy with what MuJoCo Warp knows: it never resets broken robots, and chooses its own matrices."""
    plain = copy.copy(model)
    plain.opt.jacobian = mujoco.mjtJacobian.mjJAC_AUTO
    plain.opt.disableflags &= ~int(mujoco.mjtDisableBit.mjDSBL_AUTORESET)
    return plain


def _rows_of(model: mujoco.MjModel, varied: _Table) -> _Table:
    """Return a model's values of ``VARIED`` and ``PLACES`` as the device holds one robot's."""
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    rows = {}
    for name, view in varied.items():
        values = np.array(getattr(data if name in PLACES else model, name), dtype=np.float32)
        rows[name] = torch.from_numpy(values).reshape(view.shape[1:]).to(view.device)
    return rows


def _check_alike(first: mujoco.MjModel, other: mujoco.MjModel) -> None:
    """Refuse a model that MuJoCo Warp cannot simulate beside ``first``. Raises ResourceError."""
    if signature(first) != signature(other):
        raise ResourceError(
            expected("MuJoCo Warp: robots with models of equal sizes", signature(other), str(signature(first)))
        )
    differ = [f"opt.{name}" for name, value in _arrays(first.opt).items() if not _same(value, getattr(other.opt, name))]
    differ += [name for name, value in _arrays(first).items() if not _same(value, getattr(other, name))]
    wrong = sorted(set(differ) - UNREAD - set(VARIED))
    if wrong:
        raise ResourceError(expected("MuJoCo Warp: robots that differ in what it holds per robot", wrong, VARIED))


def _arrays(value: Any) -> dict[str, npt.NDArray[Any]]:
    """Return everything of a MuJoCo structure that is a number or an array of them."""
    named = {name: getattr(value, name) for name in dir(value) if not name.startswith("_")}
    return {name: np.asarray(item) for name, item in named.items() if isinstance(item, (int, float, np.ndarray))}


def _same(left: npt.NDArray[Any], right: Any) -> bool:
    return bool(np.array_equal(left, right))
