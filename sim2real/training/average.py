"""The mean of several trained networks of one task, weight by weight, which may act better than each of them.

Runs that go on from one another stay close enough for that (Wortsman et al., "Model soups: averaging weights of
multiple fine-tuned models improves accuracy without increasing inference time", ICML 2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from robot_policies.exceptions import InputError, ResourceError, expected
from sim2real.training import checkpoint


def average(paths: Sequence[Path], task: str) -> dict[str, Any]:
    """Return the values of a checkpoint whose actor is the mean of others', all of which weigh the same.

    What only training needs (critic, optimiser) is the first one's; ``progress`` is a list of all, under ``parts``.

    Args:
        paths: of two checkpoints or more.
        task: that each of them was trained for.

    Raises:
        InputError: fewer than two, or one twice.
        ResourceError: one cannot be read, is of another task, or of other sizes.
    """
    if len(paths) < 2 or len({path.resolve() for path in paths}) < len(paths):
        raise InputError(expected("--average: checkpoints", " ".join(map(str, paths)), "two or more that differ"))
    all_values = [checkpoint.read(path) for path in paths]
    sizes = _sizes(all_values[0])
    for path, values in zip(paths, all_values, strict=True):
        if (found := values["progress"]["task"]) != task:
            raise ResourceError(expected(f"checkpoint {path}: of task {task}", found, "checkpoints of one task"))
        if _sizes(values) != sizes:
            raise ResourceError(
                expected(f"checkpoint {path}: networks as in {paths[0]}", "others", "those of one task")
            )
    states = [values["actor_state_dict"] for values in all_values]
    return {
        **all_values[0],
        "progress": {"parts": [values["progress"] for values in all_values]},
        "actor_state_dict": {name: _mean([state[name] for state in states]) for name in sizes},
    }


def _sizes(values: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in values["actor_state_dict"].items()}


def _mean(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the mean in double precision, so that the order of the parts changes nothing."""
    return torch.stack([part.double() for part in parts]).mean(0).to(parts[0].dtype)
