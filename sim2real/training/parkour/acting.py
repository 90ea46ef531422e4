"""The networks of a checkpoint as a policy for the training environment, without noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from robot_policies.types import Array32
from sim2real.training.env import Env, Views
from sim2real.training.learner import build_learner, to_tensors
from sim2real.training.parkour.distillation import Distillation
from sim2real.training.parkour.learner import ParkourPPO
from sim2real.training.parkour.refinement import Refinement
from sim2real.training.parkour.score import Act
from sim2real.training.parkour.student import Student
from sim2real.training.parkour.views import HIDDEN, frame_size


def acting(env: Env, values: Mapping[str, Any]) -> Act:
    """Return the policy of a checkpoint: of a student, or of a teacher that goes by its history.

    Args:
        env: of the task, any number of robots; only its sizes are read.
        values: of the checkpoint.
    """
    learner = build_learner(env.task, env)
    learner.load(values, None, True)
    if isinstance(learner, Distillation | Refinement):
        return _student(learner.student, frame_size(env.task.terms))
    assert isinstance(learner, ParkourPPO)
    return _teacher(learner)


def _teacher(learner: ParkourPPO) -> Act:
    def act(views: Views) -> Array32:
        with torch.no_grad():
            return np.asarray(learner.deployed(to_tensors(views)))

    return act


def _student(student: Student, frame: int) -> Act:
    hidden = torch.zeros(0, HIDDEN)

    def act(views: Views) -> Array32:
        nonlocal hidden
        seen = to_tensors(views)
        with torch.no_grad():
            if len(hidden) != len(seen):
                hidden = torch.zeros(len(seen), HIDDEN)
            own = seen["proprio"][:, :frame]
            hidden = student.look(seen, own, hidden)
            return np.asarray(student.act(own, hidden, *student.of_itself(seen["past"], frame)))

    return act
