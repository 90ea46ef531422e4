"""A part of the fault campaign that is told without being run, for processes that import it by name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sim2real.faults.campaign import Part, make_row

CODE = 3


def told_of(part: Part, scratch: Path, out: Any) -> None:
    """Tell a row for each cell; at ``robot_killed`` the process dies."""
    for cell in part.cells:
        if cell.name == "robot_killed":
            out.close()
            out.join_thread()
            os._exit(CODE)
        out.put((part.number, cell))
        out.put((part.number, make_row(cell, "", None, "", "", True, True)))
