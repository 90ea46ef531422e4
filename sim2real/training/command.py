"""``robot-policies train``: trains a task of our own and writes its bundle."""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from robot_policies.exceptions import InputError, ResourceError, expected
from robot_policies.robot_spec import load_robot_spec
from sim2real.training.task import Task
from sim2real.training.tasks import TASKS, find_task

HELP = "train a policy in simulation and write its bundle; a run can be continued with --resume"

DIVERGED = 1
TORCH = "pip install 'robot_policies[train]'"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("task", help=f"what to train: {', '.join(TASKS)}")
    parser.add_argument("--minutes", type=float, required=True, help="wall-clock time of training; 0 only exports")
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle; progress goes to OUT.run")
    parser.add_argument("--seed", type=int, default=0, help="of all random draws (default 0)")
    parser.add_argument("--envs", type=int, default=512, help="robots simulated side by side (default 512)")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in OUT.run")


def main(args: argparse.Namespace) -> int:
    """Train, export, score. Returns 0, or 1 where training diverged and the last good checkpoint was exported."""
    task = find_task(args.task)
    run = Path(f"{args.out}.run")
    _check(args, run)
    from sim2real.training.export import check_target

    check_target(args.out)
    return _train(task, args, run)


def _check(args: argparse.Namespace, run: Path) -> None:
    """Refuse what cannot work before anything starts."""
    if not 0.0 <= args.minutes < float("inf"):
        raise InputError(expected("--minutes: how long to train", args.minutes, "0 or more"))
    if not 4 <= args.envs <= 65536 or args.envs % 4:
        raise InputError(expected("--envs: robots side by side", args.envs, "a multiple of 4 from 4 to 65536"))
    if args.seed < 0:
        raise InputError(expected("--seed", args.seed, "0 or more"))
    missing = [name for name in ("torch", "rsl_rl") if find_spec(name) is None]
    if missing:
        raise ResourceError(expected("training: PyTorch and rsl-rl", f"no {' and no '.join(missing)}", TORCH))
    there = (run / "checkpoint.pt").is_file()
    if args.resume and not there:
        raise ResourceError(expected(f"--resume: a checkpoint in {run}", "none", "train without --resume first"))
    if there and not args.resume:
        raise ResourceError(expected(f"{run}: no run before this one", "a checkpoint", "--resume, or another --out"))


def _train(task: Task, args: argparse.Namespace, run: Path) -> int:
    from sim2real.training.build import build_env
    from sim2real.training.trainer import DivergedError, Trainer

    trainer = Trainer(build_env(task, args.envs, args.seed), run, args.seed, args.resume, _tell)
    code = 0
    try:
        trainer.run(60.0 * args.minutes)
    except DivergedError as error:
        sys.stderr.write(f"robot-policies train: {error}\n")
        if not (run / "checkpoint.pt").is_file():
            return DIVERGED
        code = DIVERGED
    _finish(task, args.out, run)
    return code


def _finish(task: Task, out: Path, run: Path) -> None:
    """Export the run's checkpoint and say how it walks."""
    from sim2real.training import checkpoint
    from sim2real.training.export import export
    from sim2real.training.network_file import actor_layers, evaluate
    from sim2real.training.score import score

    values = checkpoint.read(run / checkpoint.FILE)
    layers = actor_layers(values["actor_state_dict"])
    lines = [
        score(task, lambda seen: evaluate(layers, seen), command, 10.0).line()
        for command in ((0.8, 0.0, 0.0), (0.0, 0.0, 0.0))
    ]
    export(out, task, load_robot_spec(task.robot), values["actor_state_dict"], _provenance(values, lines), "1.0.0")
    for line in lines:
        _tell(line)
    _tell(f"wrote {out}")


def _provenance(values: dict[str, Any], lines: list[str]) -> dict[str, str]:
    """Return how an actor came about, from the progress in its checkpoint."""
    done = values["progress"]
    return {
        "command": f"robot-policies train {done['task']} --minutes {done['seconds'] / 60:.0f} --seed {done['seed']} "
        f"--envs {done['envs']}",
        "samples": f"{done['samples'] / 1e6:.1f} million",
        "duration": f"{done['seconds'] / 60:.0f} min",
        **{f"score_{number}": line for number, line in enumerate(lines, 1)},
    }


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
