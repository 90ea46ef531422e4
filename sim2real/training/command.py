"""``robot-policies train``: trains a task of our own and writes its bundle."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from robot_policies.exceptions import BundleError, InputError, ResourceError, expected
from robot_policies.robot_spec import load_robot_spec
from sim2real.training.backend import DEVICES, choose_device
from sim2real.training.run_files import has_checkpoint
from sim2real.training.stop import StopSignals
from sim2real.training.task import Task
from sim2real.training.tasks import TASKS, find_task

HELP = "train a policy in simulation and write its bundle; a run can be continued with --resume"

DIVERGED = 1
NOT_WRITTEN = 3
TORCH = "pip install 'robot_policies[train]'"
NEEDED = ("torch", "rsl_rl", "matplotlib")
CHECKPOINTS = Path(__file__).parent / "checkpoints"
SPIN = "1000"  # turns of idle threads; libgomp's own take an update from 1 s to 22 s where others use the cores too


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("task", help=f"what to train: {', '.join(TASKS)}")
    parser.add_argument("--minutes", type=float, required=True, help="wall-clock time of training; 0 only exports")
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle; progress goes to OUT.run")
    parser.add_argument("--seed", type=int, default=0, help="of all random draws (default 0)")
    parser.add_argument("--envs", type=int, default=512, help="robots simulated side by side (default 512)")
    parser.add_argument("--threads", type=int, default=_cores(), help="of simulation and learning (default: all cores)")
    parser.add_argument(
        "--device", choices=DEVICES, default="auto", help="where robots are simulated (default: a GPU if any)"
    )
    parser.add_argument(
        "--start", type=Path, help="checkpoint of the task that this one starts from (default: the shipped one)"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in OUT.run")
    help_text = "do not train: write the bundle of the mean of these checkpoints of the task, with --minutes 0"
    parser.add_argument("--average", type=Path, nargs="+", metavar="FILE", help=help_text)


def main(args: argparse.Namespace) -> int:
    """Train, export, score.

    Returns:
        0; 1 where training diverged and the last good checkpoint was exported; 3 where a full disk kept the newest
        checkpoint or the bundle from being written; 128 + its number after a signal, with checkpoint and bundle.
    """
    task = find_task(args.task)
    run = Path(f"{args.out}.run")
    _check(task, args, run)
    from sim2real.training.export import check_target

    check_target(args.out)
    if args.average:
        from sim2real.training.average import average

        return _finish(task, args.out, average(args.average, task.name), judged=True)
    with StopSignals() as stop:
        code = _train(task, args, run, stop)
        if has_checkpoint(run):
            from sim2real.training import checkpoint

            code = max(code, _finish(task, args.out, checkpoint.newest(run, _tell), judged=not stop.number))
    return code or (stop.number and 128 + stop.number)


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _check(task: Task, args: argparse.Namespace, run: Path) -> None:
    """Refuse what cannot work before anything starts."""
    if not 0.0 <= args.minutes < float("inf"):
        raise InputError(expected("--minutes: how long to train", args.minutes, "0 or more"))
    if not 4 <= args.envs <= 65536 or args.envs % 4:
        raise InputError(expected("--envs: robots side by side", args.envs, "a multiple of 4 from 4 to 65536"))
    if args.seed < 0:
        raise InputError(expected("--seed", args.seed, "0 or more"))
    if not 1 <= args.threads <= 1024:
        raise InputError(expected("--threads", args.threads, "1 to 1024"))
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ResourceError(expected(f"training: {', '.join(NEEDED)}", f"no {' and no '.join(missing)}", TORCH))
    if args.average and (args.minutes or args.resume or args.start or task.kind == "parkour"):
        asked = "--average: a task that has a bundle, and no training"
        valid = "--minutes 0 without --start and --resume, not for a teacher"
        given = "".join(f" --{name}" for name in ("start", "resume") if getattr(args, name))
        raise InputError(expected(asked, f"{task.name} --minutes {args.minutes:g}{given}", valid))
    there = has_checkpoint(run)
    if args.resume and not there:
        raise ResourceError(expected(f"--resume: a checkpoint in {run}", "none", "train without --resume first"))
    if args.start is not None and (not task.starts_from or (args.resume and task.kind != "student")):
        such = [name for name, other in TASKS.items() if other.starts_from]
        found = "--resume, which goes on by itself" if task.starts_from else f"{task.name}, which starts from nothing"
        asked = "--start: a new run that starts from another's, or a student that goes on under another teacher"
        raise InputError(expected(asked, found, such))
    if there and not args.resume:
        raise ResourceError(expected(f"{run}: no run before this one", "a checkpoint", "--resume, or another --out"))


def _train(task: Task, args: argparse.Namespace, run: Path, stop: StopSignals) -> int:
    """Train; return ``DIVERGED``, ``NOT_WRITTEN`` or 0."""
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN)  # read once, when torch is imported
    from sim2real.training.build import build_env
    from sim2real.training.trainer import DivergedError, Trainer

    device = choose_device(args.device)
    _tell(f"{args.envs} robots on {'MuJoCo Warp, cuda' if device == 'cuda' else f'{args.threads} threads'}")
    env = build_env(task, args.envs, args.seed, args.threads, device)
    trainer = Trainer(env, run, args.seed, args.resume, _tell, args.threads, _start(task, args))
    try:
        trainer.run(60.0 * args.minutes, stopped=stop.asked)
    except DivergedError as error:
        sys.stderr.write(f"robot-policies train: {error}\n")
        return DIVERGED
    return NOT_WRITTEN if trainer.unsaved else 0


def _start(task: Task, args: argparse.Namespace) -> Path | None:
    """Return the checkpoint that a run starts from, or goes on under, if its task starts from another."""
    if not task.starts_from or (args.resume and args.start is None):
        return None
    return args.start or CHECKPOINTS / f"{task.starts_from}.pt"


def _finish(task: Task, out: Path, values: dict[str, Any], judged: bool) -> int:
    """Export a checkpoint's values and say how they do; return ``NOT_WRITTEN`` where the disk is full.

    Lanes take a minute or two to judge: whoever ended the run with a signal does not wait for them.
    """
    if task.kind == "parkour":
        for told in _passes(task, values) if judged else []:
            _tell(told)
        _tell(f"trained: a teacher, which knows its ground; no bundle, {out}.run is what a student learns from")
        return 0
    try:
        lines = _export_walk(task, out, values) if task.kind == "walk" else _export_student(task, out, values, judged)
    except (OSError, BundleError) as error:
        reason = error if isinstance(error, OSError) else error.__cause__
        if not isinstance(reason, OSError):
            raise
        kept = f"--minutes 0 --resume; the checkpoint is in {out}.run"
        valid = f"room on the disk, then {'the same again' if 'parts' in values['progress'] else kept}"
        sys.stderr.write(f"robot-policies train: {expected(f'{out}: to write the bundle', reason.strerror, valid)}\n")
        return NOT_WRITTEN
    for line in lines:
        _tell(line)
    _tell(f"wrote {out}")
    return 0


def _export_walk(task: Task, out: Path, values: dict[str, Any]) -> list[str]:
    """Write the bundle; return how it walks, in lines."""
    from sim2real.training.export import export
    from sim2real.training.network_file import actor_layers, evaluate
    from sim2real.training.score import score

    layers = actor_layers(values["actor_state_dict"])
    lines = [
        score(task, lambda seen: evaluate(layers, seen), command, 10.0).line()
        for command in ((0.8, 0.0, 0.0), (0.0, 0.0, 0.0))
    ]
    told = _provenance(values, lines)
    export(out, task, load_robot_spec(task.robot), values["actor_state_dict"], told, task.version)
    return lines


def _export_student(task: Task, out: Path, values: dict[str, Any], judged: bool) -> list[str]:
    """Write the bundle of a student; return how many lanes it passes, in a line."""
    from sim2real.training.parkour.student_bundle import export_student

    lines = _passes(task, values) if judged else []
    export_student(out, task, load_robot_spec(task.robot), values["actor_state_dict"], _provenance(values, lines))
    return lines


def _passes(task: Task, values: dict[str, Any]) -> list[str]:
    """Return how many robots pass the lanes that a parkour policy should pass, in a line."""
    from sim2real.training.build import build_env
    from sim2real.training.parkour.acting import acting
    from sim2real.training.parkour.score import line, pass_rates

    sizes = build_env(replace(task, grounds=task.grounds[:1], levels=1, tiles=1), 4, 0)
    return [line(pass_rates(task, acting(sizes, values)))]


def _provenance(values: dict[str, Any], lines: list[str]) -> dict[str, str]:
    """Return how an actor came about, from the progress in its checkpoint."""
    parts = values["progress"].get("parts", [values["progress"]])
    commands = [
        f"robot-policies train {done['task']} --minutes {done['seconds'] / 60:.0f} --seed {done['seed']} "
        f"--envs {done['envs']}"
        for done in parts
    ]
    return {
        "command": commands[0] if len(commands) == 1 else f"the mean of {'; '.join(commands)}",
        "samples": " and ".join(f"{done['samples'] / 1e6:.1f} million" for done in parts),
        "duration": " and ".join(f"{done['seconds'] / 60:.0f} min" for done in parts),
        **{f"score_{number}": line for number, line in enumerate(lines, 1)},
    }


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
