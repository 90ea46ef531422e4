"""In a process of its own: the eager tick on the recorded walk, back to back and paced.

``python -m sim2real.benchmark.eager_child RESULT TICKS SECONDS``. Its targets must be ours, to single precision.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from robot_policies.control.pacing import Pacer, prepare
from robot_policies.exceptions import RobotError, expected
from robot_policies.safety.limits import load_safety
from sim2real.benchmark.eager import EagerTick
from sim2real.benchmark.tick_child import BLOCK, PERIOD_NS, REST_S, WARM_UP, say
from sim2real.benchmark.walk import Walk, record

CLOSE = 1e-4  # [rad], of two chains of single precision arithmetic


def take(walk: Walk, count: int) -> Iterator[int]:
    """Take ``count`` ticks and yield what each took [ns], after those that fill its past.

    Raises:
        RobotError: a target is not ours.
    """
    limits = load_safety(walk.spec.name, walk.spec)
    contract = walk.bundle.contract
    tick = EagerTick(contract, walk.bundle.folder / contract.networks[0].file, walk.spec, limits)
    tick.start(walk.ticks[0].action.last_action, walk.ticks[0].command.joint_pos)
    for number in range(1, count + 1):
        ours = walk.ticks[number]
        following = walk.states[walk.start + number * walk.decimation]
        begun = time.perf_counter_ns()
        target = tick(ours.inputs, following)
        took = time.perf_counter_ns() - begun
        if number <= max(tick.ages):  # it does not know the frames from before the first tick
            tick.start(ours.action.last_action, ours.command.joint_pos)
            continue
        apart = float(np.abs(target - ours.command.joint_pos).max())
        if apart > CLOSE:
            raise RobotError(expected(f"eager tick {number}: our target", f"{apart:.2g} rad away", f"{CLOSE:g} rad"))
        yield took


def main() -> int:
    """Measure and write the samples [ns] as JSON."""
    result, ticks, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    torch.set_num_threads(1)
    in_time = max(round(seconds * 1e9 / PERIOD_NS), 2)
    walk = record(max(WARM_UP + ticks, in_time))
    prepare(say)
    back_to_back, paced, pacer = list[int](), list[int](), Pacer(PERIOD_NS)
    for number, took in enumerate(take(walk, WARM_UP + ticks), 1):
        back_to_back.append(took)
        if number % BLOCK == 0:
            time.sleep(REST_S)
    for took in take(walk, in_time):
        paced.append(took)
        pacer.wait()
    samples = {"eager_tick": back_to_back[WARM_UP:], "eager_tick_paced": paced[1:]}
    Path(result).write_text(json.dumps(samples), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
