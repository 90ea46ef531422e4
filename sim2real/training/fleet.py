"""Which robot has which body and walks on which ground: models that robots share, and the curriculum over grounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import mujoco
import numpy as np
import numpy.typing as npt

from robot_policies.exceptions import ResourceError, expected
from sim2real.randomization.models import Bodies, draw_bodies, join_bodies, varied_models
from sim2real.training.grounds import Grounds, Index
from sim2real.training.model import Plant
from sim2real.training.motion import Bools
from sim2real.training.task import Task

UP, DOWN = 0.8, 0.5  # share of the asked way: more leads a level up, less (or a fall) a level down
ENOUGH = 2.0  # [m] that must have been asked for before a robot is judged


class Fleet:
    """One model for every (ground, body) pair, and the pair of each robot.

    A robot keeps its kind of ground; its level follows what it can do. It gets a new body and ground of its level at
    every restart.
    """

    def __init__(
        self, task: Task, plants: Sequence[Plant], grounds: Grounds, envs: int, rng: np.random.Generator
    ) -> None:
        """Draw the bodies, at least two per ground, and hand the robots out: the kinds in their shares, at level 0.

        Args:
            task: says the shares of the grounds, and what differs between bodies.
            plants: the robot on each of the grounds.
            grounds: the grounds.
            envs: number of robots.
            rng: draws bodies, and later grounds.
        """
        self.grounds, self._rng = grounds, rng
        self.models: list[mujoco.MjModel] = []
        drawn: list[Bodies] = []
        tile: list[int] = []
        for number, plant in enumerate(plants):
            count = _bodies_on(task, grounds, number, envs)
            bodies = draw_bodies(task.randomization, count, rng)
            self.models += varied_models(plant.model, plant.trunk, bodies)
            drawn.append(bodies)
            tile += [number] * count
        self._bodies = join_bodies(drawn)
        self._tile_of = np.array(tile)  # (models,)
        shares = np.cumsum([kind.share for kind in task.grounds])
        self.kind = np.searchsorted(shares / shares[-1], (np.arange(envs) + 0.5) / envs)
        self.level = np.zeros(envs, dtype=np.int64)
        self._review, self._reviewing = task.review, np.zeros(envs, dtype=bool)
        self._top = np.array([grounds.level[grounds.kind == kind].max() for kind in range(len(task.grounds))])
        self.which = np.zeros(envs, dtype=np.int64)  # (N,) index of each robot's model
        self.draw(np.ones(envs, dtype=bool))

    @property
    def tile(self) -> Index:
        """(N,) the ground of each robot."""
        return np.asarray(self._tile_of[self.which])

    @property
    def bodies(self) -> Bodies:
        """What was drawn for each robot's body."""
        return self._bodies.rows(self.which)

    def draw(self, rows: Bools) -> None:
        """Give the robots of ``rows`` a new body and a ground of their kind and level, or of one that they passed."""
        grounds, levels = self.grounds, self._levels(rows)
        for kind, level in {(int(k), int(lv)) for k, lv in zip(self.kind[rows], levels[rows], strict=True)}:
            among = rows & (self.kind == kind) & (levels == level)
            fits = (grounds.kind[self._tile_of] == kind) & (grounds.level[self._tile_of] == level)
            # in order: neighbours share a model, and a core's cache
            self.which[among] = np.sort(self._rng.choice(np.flatnonzero(fits), int(among.sum())))

    def _levels(self, rows: Bools) -> npt.NDArray[np.int64]:
        """Return the levels (N,) to draw grounds of, some of them lower than the robot's own."""
        if self._review == 0.0:
            return self.level
        chosen = self._rng.random(len(rows)) < self._review
        self._reviewing = np.where(rows, chosen, self._reviewing)
        return np.where(self._reviewing, self._rng.integers(0, self.level + 1), self.level)

    def judge(self, rows: Bools, fell: Bools, asked: npt.NDArray[np.float64], done: npt.NDArray[np.float64]) -> None:
        """Move the robots of ``rows`` up or down a level, before they restart.

        Args:
            rows: (N,) robots whose episode has ended.
            fell: (N,)
            asked: (N,) [m] of way that the commands asked for.
            done: (N,) [m] of way along the commands.
        """
        share = done / np.maximum(asked, 1e-6)
        judged = rows & (asked > ENOUGH)
        up = judged & ~fell & (share > UP)
        down = rows & (fell | (judged & (share < DOWN)))
        self.move(up, down)

    def move(self, up: Bools, down: Bools) -> None:
        """Move the robots of ``up`` and ``down`` (N,) a level; one that has passed the last gets a random one.

        Who was on a lower level than its own stays: it has shown nothing new.
        """
        level = self.level + (up & ~self._reviewing) - (down & ~self._reviewing)
        top = self._top[self.kind]
        passed = level > top
        level[passed] = self._rng.integers(0, top[passed] + 1)
        self.level = np.maximum(level, 0)

    def state(self) -> dict[str, npt.NDArray[np.int64]]:
        """Return what a resumed run needs: the levels."""
        return {"level": self.level.copy()}

    def load_state(self, values: Mapping[str, npt.NDArray[np.int64]]) -> None:
        """Take the levels of ``state``; each robot gets a ground of its level at once.

        Raises:
            ResourceError: of another number of robots.
        """
        level = np.asarray(values["level"])
        if level.shape != self.level.shape:
            raise ResourceError(expected("checkpoint: levels of the robots", level.shape, f"{len(self.level)} robots"))
        self.level = np.minimum(level, self._top[self.kind])
        self.draw(np.ones(len(level), dtype=bool))


def _bodies_on(task: Task, grounds: Grounds, tile: int, envs: int) -> int:
    """Return how many bodies one ground gets: the task's variants, spread by the shares of the grounds."""
    kind = grounds.kind[tile]
    share = float(task.grounds[kind].share / sum(each.share for each in task.grounds))
    siblings = int((grounds.kind == kind).sum())
    return min(max(2, round(task.randomization.variants * share / siblings)), max(2, envs))
