"""Parts of the campaign in processes of their own, several at once where that is asked for."""

from __future__ import annotations

import multiprocessing
import queue
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from sim2real.benchmark.children import end_with_parent
from sim2real.faults.campaign import Cell, Part, Row, make_row
from sim2real.faults.session import Session

POLL = 1.0  # [s] between two looks at whether a process is still there
Tell = Callable[[Cell], None]
Run = Callable[[Part, Path, Any], None]


def run_part(part: Part, scratch: Path, out: Any) -> None:
    """Run one part; put (number, cell that begins or row that is done) into the queue ``out``."""
    session = Session(part, scratch)
    try:
        for row in session.rows(lambda cell: out.put((part.number, cell))):
            out.put((part.number, row))
    finally:
        session.close()


def _work(run: Run, part: Part, scratch: Path, out: Any) -> None:
    """Be the process of one part. Ended, or left alone, it takes down what it has set up."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    end_with_parent()
    run(part, scratch, out)


def run_parts(waiting: Sequence[Part], scratch: Path, jobs: int, tell: Tell, run: Run = run_part) -> Iterator[Row]:
    """Give the rows of all parts as they come, ``jobs`` parts at once.

    Each part has a process of its own: ROS reads its environment once. One that dies leaves a row for each cell that it
    has not told of.
    """
    context = multiprocessing.get_context("spawn")
    out: Any = context.Queue()
    left = list(reversed(waiting))
    at_work: dict[int, tuple[BaseProcess, list[Cell]]] = {}
    try:
        while left or at_work:
            while left and len(at_work) < jobs:
                part = left.pop()
                process = context.Process(target=_work, args=(run, part, scratch, out))
                process.start()
                at_work[part.number] = process, list(part.cells)
            yield from _next(at_work, out, tell)
    finally:
        for left_over, _ in at_work.values():
            left_over.terminate()
            left_over.join()


def _next(at_work: dict[int, tuple[BaseProcess, list[Cell]]], out: Any, tell: Tell) -> Iterator[Row]:
    """Give the row that comes next, and the rows of processes that have ended."""
    ended = [number for number, (process, _) in at_work.items() if process.exitcode is not None]
    try:
        number, news = out.get(timeout=POLL)
    except queue.Empty:
        for number in ended:  # nothing more comes from these
            process, cells = at_work.pop(number)
            for cell in cells:
                yield make_row(cell, "", None, "", f"no run: its process ended with code {process.exitcode}")
        return
    if isinstance(news, Cell):
        tell(news)
        return
    cells = at_work[number][1]
    cells.pop(0)
    if not cells:
        at_work.pop(number)[0].join()
    yield news
