"""A first judgement of parkour: how many robots of the training environment pass given lanes.

The score that counts is that of ``robot-policies eval``, which runs the bundle through the deployed pipeline.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from robot_policies.types import Array32
from sim2real.training.build import build_env
from sim2real.training.env import Views
from sim2real.training.grounds import GroundKind
from sim2real.training.task import Task

# What a parkour policy of ours should pass: metres, radians, and the whole of the mixed lane
CELLS: Mapping[str, float] = {
    "step": 0.45, "gap": 0.6, "hurdle": 0.4, "stairs": 0.2, "ramp": 0.52, "tilt": 0.52, "mixed": 1.0,
}  # fmt: skip
SECONDS = 60.0  # [s]: twice what the longest lane takes
SPEED = (0.7, 0.9)  # [m/s]

Act = Callable[[Views], Array32]  # views of all robots to raw actions (N, joints)


def pass_rates(
    task: Task, act: Act, cells: Mapping[str, float] = CELLS, robots: int = 32, seed: int = 1
) -> dict[str, float]:
    """Return the share of the robots that reach the end of each lane at their first try.

    Args:
        task: of parkour; its randomisation holds, pushes too.
        act: the policy.
        cells: names of terrains, with a difficulty.
        robots: on each.
        seed: of lanes and robots.

    Raises:
        RobotError, ResourceError: no such terrain, or one that is no lane.
    """
    grounds = tuple(GroundKind(name, 1.0, highest=value, lowest=value) for name, value in cells.items())
    commands = replace(task.commands, lin_vel_x=SPEED)
    lanes = replace(task, grounds=grounds, levels=1, tiles=4, commands=commands, episode=SECONDS)
    env = build_env(lanes, robots * len(cells), seed)
    env.age[:] = 0
    arrived = np.zeros(len(env), dtype=bool)
    going, kind = ~arrived, env.fleet.kind.copy()
    for step in range(lanes.episode_steps):
        outcome = env.step(act(env.views()))
        in_time = step + 1 < lanes.episode_steps
        arrived |= going & outcome.time_out & in_time
        going &= ~outcome.done
        if not going.any():
            break
    env.batch.close()
    return {name: float(arrived[kind == number].mean()) for number, name in enumerate(cells)}


def line(rates: Mapping[str, float]) -> str:
    """Return the score as one line."""
    return "passed: " + ", ".join(f"{name} {CELLS.get(name, 0.0):g} {rate:.0%}" for name, rate in rates.items())
