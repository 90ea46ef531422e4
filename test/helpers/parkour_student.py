"""A few students of parkour on short lanes, without randomization."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from sim2real.randomization.ranges import NOMINAL
from sim2real.training.build import build_env
from sim2real.training.grounds import GroundKind
from sim2real.training.parkour.student_env import StudentEnv
from sim2real.training.parkour.tasks import GO2_PARKOUR_STUDENT
from sim2real.training.parkour.views import frame_size

ROBOTS = 8
STEPS = GroundKind("parkour_steps", 0.5, highest=0.3, lowest=0.1)
GAPS = GroundKind("parkour_gaps", 0.5, highest=0.3, lowest=0.2)
TASK = replace(GO2_PARKOUR_STUDENT, grounds=(STEPS, GAPS), levels=2, tiles=1, randomization=NOMINAL)
FRAME = frame_size(TASK.terms)


@contextmanager
def student_env() -> Iterator[StudentEnv]:
    made = build_env(TASK, ROBOTS, seed=0)
    assert isinstance(made, StudentEnv)
    yield made
    made.batch.close()
