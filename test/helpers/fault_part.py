"""A part of the fault campaign that is told without being run, for processes that import it by name."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from sim2real.faults.campaign import Part, make_row

CODE = 3


def waits(part: Part, scratch: Path, out: Any) -> None:
    """Write the id of the process, and at its end that it could take down what was there."""
    (scratch / "pid").write_text(str(os.getpid()))
    try:
        time.sleep(300.0)
    finally:
        (scratch / "over").touch()


def told_of(part: Part, scratch: Path, out: Any) -> None:
    """Tell a row for each cell; at ``robot_killed`` the process dies."""
    for cell in part.cells:
        if cell.name == "robot_killed":
            out.close()
            out.join_thread()
            os._exit(CODE)
        out.put((part.number, cell))
        out.put((part.number, make_row(cell, "", None, "", "", True, True)))
