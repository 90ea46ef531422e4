"""Runs jobs in processes, and tells how far it is."""

from __future__ import annotations

import ctypes
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from robot_policies.exceptions import RobotError, expected
from sim2real.evaluation.episode import Episode, Job, run_episode

PR_SET_PDEATHSIG = 1  # linux/prctl.h
LINES = 100  # of progress at most, where standard error is no terminal


def run_jobs(jobs: Sequence[Job], processes: int) -> Iterator[tuple[int, Episode]]:
    """Give the episodes as they end, each with the place of its job.

    Each comes from one of ``processes`` fresh processes, or from this one where it is 1.

    Raises:
        RobotPoliciesError: a job's parts cannot be used.
        RobotError: a process died.
    """
    if processes == 1:
        yield from enumerate(map(run_episode, jobs))
        return
    # spawn: a fork would copy the threads' locks of ONNX Runtime and MuJoCo
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_end_at_once)
    try:
        places = {pool.submit(run_episode, job): place for place, job in enumerate(jobs)}
        for done in as_completed(places):
            yield places[done], done.result()
    except BrokenProcessPool as error:
        raise RobotError(expected("episodes: every process to its end", "one died", "fewer --jobs")) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _end_at_once() -> None:
    """Let Ctrl-C end a worker without a word, as the process that started it tells the outcome, and die with it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def collect(jobs: Sequence[Job], processes: int, done: Callable[[int, Episode], None] | None = None) -> list[Episode]:
    """Run all jobs, tell of the progress on standard error, and return the episodes in the order of the jobs.

    Args:
        jobs: to run.
        processes: to run them in.
        done: is told each episode as it ends, with the place of its job.

    Raises:
        RobotPoliciesError: as ``run_jobs``.
    """
    found: dict[int, Episode] = {}
    with _progress(len(jobs)) as progress:
        for place, episode in run_jobs(jobs, processes):
            found[place] = episode
            progress.add(jobs[place], episode)
            if done is not None:
                done(place, episode)
    return [found[place] for place in range(len(jobs))]


class _Lines:
    """One line for each episode, or for every so many where there are a lot."""

    def __init__(self, total: int) -> None:
        self._total, self._done, self._good, self._begun = total, 0, 0, time.monotonic()
        self._every = max(1, total // LINES)

    def add(self, job: Job, episode: Episode) -> None:
        self._done, self._good = self._done + 1, self._good + episode.success
        if self._done % self._every and self._done != self._total:
            return
        verdict = "ok" if episode.success else "; ".join(episode.failures)
        if self._every > 1:
            verdict = f"{self._good} succeeded so far"
        what = f"{Path(job.bundle).name}, {job.course.name} {job.difficulty:g}, {job.plant}, seed {job.seed}"
        sys.stderr.write(f"[{self._done}/{self._total}, {time.monotonic() - self._begun:.0f} s] {what}: {verdict}\n")
        sys.stderr.flush()


class _Bar:
    """A bar that stays in its line."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._task, self._good = progress, progress.add_task("episodes", total=total, good=0), 0

    def add(self, job: Job, episode: Episode) -> None:
        self._good += episode.success
        self._progress.update(self._task, advance=1, good=self._good)


@contextmanager
def _progress(total: int) -> Iterator[_Lines | _Bar]:
    if not sys.stderr.isatty():
        yield _Lines(total)
        return
    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TextColumn("{task.fields[good]} succeeded"), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield _Bar(progress, total)
