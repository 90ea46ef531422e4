"""Many robots stepped at once by ``mujoco.rollout``, each with a model of its own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import mujoco
import numpy as np
from mujoco import rollout

from robot_policies.types import Array
from sim2real.training.motion import Bools

_STATE = mujoco.mjtState.mjSTATE_FULLPHYSICS
_CONTROL = int(mujoco.mjtState.mjSTATE_CTRL)


def signature(model: mujoco.MjModel) -> tuple[int, ...]:
    """Return the sizes in which models must agree to share simulation data; rollout does not check them."""
    return (model.nq, model.nv, model.nu, model.nbody, model.ngeom, model.nbvh, model.nsensordata, model.narena)


class Batch:
    """States of all robots, in one array that ``step`` replaces.

    The state is time, qpos, qvel (MuJoCo's FULLPHYSICS without activations); ``qpos`` and ``qvel`` are views of it,
    so that writing them moves the robots.
    """

    def __init__(self, models: Sequence[mujoco.MjModel], threads: int) -> None:
        """Start ``threads`` workers for ``models``, one robot each, all at their model's start.

        Neighbours whose models have equal sizes are simulated together, so models of a kind should be neighbours.
        """
        first = models[0]
        size = mujoco.mj_stateSize(first, _STATE)
        if size != 1 + first.nq + first.nv:
            raise ValueError(f"a model whose state is time, qpos, qvel; found {size} values; valid: no activations")
        self.models = list(models)
        self.dt = float(first.opt.timestep)
        self._nq, self._nv = int(first.nq), int(first.nv)
        self._runs: list[tuple[slice, list[mujoco.MjData]]] = []
        for _, members in groupby(range(len(models)), key=lambda index: signature(models[index])):
            robots = list(members)
            data = [mujoco.MjData(models[robots[0]]) for _ in range(threads)]
            self._runs.append((slice(robots[0], robots[-1] + 1), data))
        self._pool = rollout.Rollout(nthread=threads)
        count = len(self.models)
        start = np.zeros(size)
        mujoco.mj_getState(first, self._runs[0][1][0], start, _STATE)
        self.start = start
        self._state = np.tile(start, (count, 1))
        self._next = np.empty((count, 1, size))
        self._warmstart = np.zeros((count, self._nv))
        self._sensors = np.zeros((count, 1, int(first.nsensordata)))

    @property
    def qpos(self) -> Array:
        """(N, nq)."""
        return self._state[:, 1 : 1 + self._nq]

    @property
    def qvel(self) -> Array:
        """(N, nv)."""
        return self._state[:, 1 + self._nq :]

    @property
    def sensors(self) -> Array:
        """(N, nsensordata), of the state before the newest step."""
        return self._sensors[:, 0]

    def assign(self, robot: int, model: mujoco.MjModel) -> None:
        """Give one robot another model. Raises ValueError where its sizes are not those of the model before."""
        before, after = signature(self.models[robot]), signature(model)
        if before != after:
            raise ValueError(f"robot {robot}: a model of the sizes {before}; found {after}; valid: the same kind")
        self.models[robot] = model

    def step(self, control: Array) -> None:
        """Advance every robot by one physics step under ``control`` (N, nu).

        The solver starts from the acceleration of the step before, which the state does not carry.
        """
        before = self.qvel.copy()
        ctrl = np.ascontiguousarray(control)[:, None, :]
        for robots, data in self._runs:
            self._pool.rollout(
                self.models[robots], data, self._state[robots], ctrl[robots], control_spec=_CONTROL, skip_checks=True,
                nstep=1, initial_warmstart=self._warmstart[robots], state=self._next[robots],
                sensordata=self._sensors[robots],
            )  # fmt: skip
        self._state[:] = self._next[:, 0]
        np.divide(self.qvel - before, self.dt, out=self._warmstart)

    def restart(self, rows: Bools) -> None:
        """Put the robots where ``rows`` is true back to their model's start."""
        self._state[rows] = self.start
        self._warmstart[rows] = 0.0
        self._sensors[rows] = 0.0

    def broken(self) -> Bools:
        """Return which robots have a state that is not finite or that has exploded, (N,)."""
        with np.errstate(invalid="ignore"):
            return np.asarray(~np.isfinite(self._state).all(axis=1) | (np.abs(self.qvel).max(axis=1) > 300.0))

    def close(self) -> None:
        """Stop the workers."""
        self._pool.close()
