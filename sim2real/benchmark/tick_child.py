"""In a process of its own, prepared as the nodes are: what a tick costs, and how late its pacing wakes.

``python -m sim2real.benchmark.tick_child RESULT TICKS SECONDS WHAT...`` with WHAT among the names of ``PARTS``.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from robot_policies.control.pacing import MonotonicClock, Pacer, freeze_garbage, prepare
from robot_policies.control.recording.journal import POLICY, Journal
from sim2real.benchmark.recorded_tick import recorded
from sim2real.benchmark.walk import Tick, Walk, record, take

PERIOD_NS = 20_000_000  # [ns], 50 Hz
WARM_UP = 100  # ticks that are not counted
BLOCK, REST_S = 200, 0.01  # a rest after each block of ticks, so that SCHED_FIFO does not use up its share of the core
Samples = dict[str, list[int]]


def back_to_back(walk: Walk, ticks: int) -> Samples:
    """Take ticks one after the other."""
    taken = list(_with_rests(take(walk, WARM_UP + ticks)))[WARM_UP:]
    return _stages(taken, "")


def paced(walk: Walk, ticks: int) -> Samples:
    """Take ticks on absolute deadlines: caches are cold at each, and the wake-up is late by something."""
    pacer, taken, late = Pacer(PERIOD_NS, MonotonicClock()), list[Tick](), list[int]()
    first = -pacer.wait() + time.monotonic_ns()
    for tick in take(walk, ticks):
        taken.append(tick)
        late.append(pacer.wait())
    drift = time.monotonic_ns() - first - len(late) * PERIOD_NS
    return {**_stages(taken[1:], "_paced"), "pacing_lateness": late[1:], "pacing_drift": [drift]}


def sleeping(walk: Walk, ticks: int) -> Samples:
    """Take ticks as a loop does that sleeps for a period after its work: it drifts by the work and the wake-up."""
    late = list[int]()
    start = time.monotonic_ns()
    for number, _ in enumerate(take(walk, ticks), 1):
        time.sleep(PERIOD_NS / 1e9)
        late.append(time.monotonic_ns() - start - number * PERIOD_NS)
    return {"sleep_after_work_lateness": late, "sleep_after_work_drift": [late[-1]]}


def recording(walk: Walk, ticks: int) -> Samples:
    """Note the steps of the walk on absolute deadlines, as the policy node does once a command is on its way."""
    samples = list[int]()
    with tempfile.TemporaryDirectory() as folder:
        journal, pacer = Journal(Path(folder), POLICY, say), Pacer(PERIOD_NS, MonotonicClock())
        for record_ in walk.ticks[:ticks]:
            pacer.wait()
            begun = time.perf_counter_ns()
            journal.note("__call__", (record_.inputs, None), {}, record_, None)
            journal.flush()
            samples.append(time.perf_counter_ns() - begun)
        journal.close()
    return {"recording_paced": samples}


PARTS: dict[str, Callable[[Walk, int], Samples]] = {
    "tick": back_to_back,
    "paced": paced,
    "sleeping": sleeping,
    "recording": recording,
    "recorded": recorded,
}


def _with_rests(ticks: Iterator[Tick]) -> Iterator[Tick]:
    for number, tick in enumerate(ticks, 1):
        yield tick
        if number % BLOCK == 0:
            time.sleep(REST_S)


def _stages(taken: list[Tick], suffix: str) -> Samples:
    names = [field.name for field in dataclasses.fields(Tick)]
    return {f"{'tick' if name == 'whole' else name}{suffix}": [getattr(t, name) for t in taken] for name in names}


def say(text: str) -> None:
    """Say a warning where the benchmark looks for one."""
    sys.stderr.write(f"{text}\n")


def main() -> int:
    """Measure and write the samples [ns] as JSON."""
    result, ticks, seconds, *parts = sys.argv[1:]
    in_time = max(round(float(seconds) * 1e9 / PERIOD_NS), 2)
    counts = {part: WARM_UP + int(ticks) if part == "tick" else in_time for part in parts}
    walk = record(max(counts.values()))
    prepare(say)
    samples: Samples = {}
    for part in parts:
        samples |= PARTS[part](walk, counts[part] - (WARM_UP if part == "tick" else 0))
        freeze_garbage()
    Path(result).write_text(json.dumps(samples), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
