"""The verb ``train`` in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# What the command ``robot-policies`` runs, with room for a change before it.
RUN = """
import sys
from robot_policies.cli.main import main
{before}
sys.exit(main(["train", *sys.argv[1:]]))
"""

# For ``before``: two robots are judged over a tenth of a second.
SHORT = """
from sim2real.training import score
judge = score.score
score.score = lambda task, actor, command, seconds: judge(task, actor, command, 0.1, robots=2)
"""


def run(*arguments: object, before: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", RUN.format(before=before), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
