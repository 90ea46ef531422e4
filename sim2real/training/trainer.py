"""The training loop: collect, learn, write progress, keep checkpoints, stop in time or when it goes wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tensordict import TensorDict

from robot_policies.exceptions import RobotPoliciesError
from sim2real.training import checkpoint, curves, run_files, speed
from sim2real.training.env import Env, Outcome
from sim2real.training.learner import build_learner, change_start, to_tensors
from sim2real.training.ppo import Learner
from sim2real.training.progress import ProgressFile, Watch

SAVE_EVERY = 180.0  # [s]
RETRY_EVERY = 30.0  # [s], after a checkpoint that could not be written


class DivergedError(RobotPoliciesError, RuntimeError):
    """Training went wrong; the last good checkpoint is kept."""


def _diverged(reason: str) -> DivergedError:
    return DivergedError(f"training diverged: {reason}; kept: the checkpoint before")


def _never() -> bool:
    return False


@dataclass
class Tally:
    """What an iteration collected."""

    reward: float = 0.0  # mean per step and robot
    ended: int = 0
    fell: int = 0
    terms: dict[str, float] = field(default_factory=dict)  # mean per second

    def add(self, outcome: Outcome, steps: int) -> None:
        """Count one of ``steps`` steps. Raises DivergedError where a reward or what is seen is not finite."""
        seen: dict[str, npt.NDArray[np.floating]] = {
            "reward": outcome.reward,
            **{f"observation {name}": values for name, values in outcome.views.groups.items()},
        }
        for name, values in seen.items():
            good = np.isfinite(values)
            if not good.all():
                robots = np.flatnonzero(~good.reshape(len(good), -1).all(axis=1))
                raise _diverged(f"{name} not finite, of {len(robots)} robots, the first is {robots[0]}")
        self.reward += float(outcome.reward.mean()) / steps
        self.ended += int(outcome.done.sum())
        self.fell += int(outcome.fell.sum())
        for name, value in outcome.terms.items():
            self.terms[name] = self.terms.get(name, 0.0) + value / steps


class Trainer:
    """One run in one folder; ``run`` may be called again after a pause, by another process too."""

    def __init__(
        self, env: Env, folder: Path, seed: int, resume: bool, tell: Callable[[str], None], threads: int = 1,
        start: Path | None = None,
    ) -> None:  # fmt: skip
        """Build the networks, or take them from the folder's checkpoint.

        Args:
            env: the robots.
            folder: of the run.
            seed: of networks and actions.
            resume: whether to go on from the folder's checkpoint.
            tell: is told one line at a time.
            threads: the most that an update may use. With one, equal seeds give equal numbers.
            start: checkpoint that the task starts from; of a student that goes on, its teacher's from now on.

        Raises:
            ResourceError: there is nothing to resume, or it is another task's.
        """
        torch.manual_seed(seed)
        speed.fast_products()
        torch.set_num_threads(1)  # the simulation has threads of its own
        self.env, self._folder, self._tell = env, folder, tell
        self.learner: Learner = build_learner(env.task, env, None if resume else start)
        self.progress = checkpoint.Progress(env.task.name, seed, len(env))
        if resume:
            self.progress = checkpoint.resume(folder, self.learner, self.progress, env, tell)
            if start is not None:
                change_start(self.learner, env, start, self.progress.samples)
        folder.mkdir(parents=True, exist_ok=True)
        self.unsaved = False  # whether the newest checkpoint could not be written
        self._file = ProgressFile(folder / run_files.PROGRESS, self.progress.iteration)
        self._watch, self._stage = Watch(), env.stage  # anew: a resumed run may have other rewards
        self._threads = speed.ThreadChoice(threads)
        self._room = True  # whether the last row of progress could be written

    def run(self, seconds: float, iterations: int | None = None, stopped: Callable[[], bool] = _never) -> None:
        """Train, then write the checkpoint; it is also written where anything but divergence ends the training.

        Args:
            seconds: of wall clock.
            iterations: at most so many; None for no limit.
            stopped: is asked after each iteration whether to end.

        Raises:
            DivergedError: with the reason; the last good checkpoint is in the folder.
        """
        self.learner.train_mode()
        good = True
        try:
            self._iterate(time.monotonic() + seconds, iterations, stopped)
        except DivergedError:
            good = False
            raise
        finally:
            if good and seconds > 0.0 and self._watch.healthy and self._finite():
                self.save()

    def _iterate(self, end: float, iterations: int | None, stopped: Callable[[], bool]) -> None:
        """Iterate until ``end`` on the monotonic clock [s], and save every ``SAVE_EVERY``."""
        views, due = to_tensors(self.env.views()), time.monotonic() + SAVE_EVERY
        last = None if iterations is None else self.progress.iteration + iterations
        while (now := time.monotonic()) < end and self.progress.iteration != last and not stopped():
            self._settle()
            tally, views = self._collect(views)
            losses = self._learn()
            took = time.monotonic() - now
            self._count(took)
            self._report(tally, losses, took, end - time.monotonic())
            wrong = self._watch.check(tally.reward, losses)
            if wrong:
                raise _diverged(wrong)
            if time.monotonic() > due and self._watch.healthy:
                due = time.monotonic() + (SAVE_EVERY if self.save() else RETRY_EVERY)

    def _settle(self) -> None:
        """Change what the task says of the last part of a run, once it has come; judge a new part by itself."""
        if self.env.stage != self._stage:
            self._watch, self._stage = Watch(), self.env.stage
        self.learner.settle(self.progress.samples)

    def save(self) -> bool:
        """Write the checkpoint and the curves; return whether the checkpoint is written, and say why not."""
        try:
            checkpoint.save(self._folder, self.learner, self.progress, self.env)
        except OSError as error:
            self.unsaved = True
            self._tell(f"checkpoint not written: {error.strerror} ({self._folder}); kept: the one before")
            return False
        self.unsaved = False
        try:
            curves.draw(self._folder / run_files.PROGRESS, self._folder / run_files.CURVES)
        except OSError as error:
            self._tell(f"{run_files.CURVES} not written: {error.strerror}")
        return True

    def _collect(self, views: TensorDict) -> tuple[Tally, TensorDict]:
        """Let the robots act for one iteration; return what came of it and what they see now."""
        tally, steps = Tally(), self.env.task.ppo.steps
        with torch.inference_mode():
            for _ in range(steps):
                action = self.learner.act(views)
                outcome = self.env.step(action.numpy())
                tally.add(outcome, steps)
                views = to_tensors(outcome.views)
                reward = torch.from_numpy(outcome.reward.astype(np.float32))
                time_outs = {"time_outs": torch.from_numpy(outcome.time_out.astype(np.float32))}
                self.learner.process_env_step(views, reward, torch.from_numpy(outcome.done), time_outs)
            self.learner.compute_returns(views)
        return tally, views

    def _learn(self) -> dict[str, float]:
        """Update the networks. Networks that are no longer finite end the run, whatever error tells it first."""
        failure, count, begin = None, self._threads.next(), time.monotonic()
        try:
            with speed.threads(count):
                losses: dict[str, float] = self.learner.update()
        except (RuntimeError, ValueError) as error:
            losses, failure = {}, error
        if not self._finite():
            raise _diverged("the networks are not finite") from failure
        if failure is not None:
            raise failure
        self._threads.took(count, time.monotonic() - begin)
        return losses

    def _finite(self) -> bool:
        states = [network.state_dict().values() for network in self.learner.networks]
        return all(bool(torch.isfinite(value).all()) for values in states for value in values)

    def _count(self, took: float) -> None:
        done = self.progress
        samples = done.samples + len(self.env) * self.env.task.ppo.steps
        self.progress = replace(done, iteration=done.iteration + 1, samples=samples, seconds=done.seconds + took)

    def _report(self, tally: Tally, losses: dict[str, float], took: float, left: float) -> None:
        motion, command = self.env.motion, self.env.command
        rate = len(self.env) * self.env.task.ppo.steps / took
        error = float(np.linalg.norm(motion.base_lin_vel[:, :2] - command[:, :2], axis=1).mean())
        row = {
            "iteration": self.progress.iteration,
            "samples": self.progress.samples,
            "seconds": self.progress.seconds,
            "samples_per_s": rate,
            "seconds_left": max(left, 0.0),
            "reward_per_s": tally.reward / self.env.task.control_dt,
            "velocity_error": error,
            "falls": tally.fell,
            "ended": tally.ended,
            "learning_rate": self.learner.learning_rate,
            "action_std": self.learner.spread,
            **{f"loss_{name}": value for name, value in losses.items()},
            **tally.terms,
            **self.env.numbers(),
        }
        self._write(row)
        if self.progress.iteration % 10 == 0:
            shown = ("samples_per_s", "seconds_left", "reward_per_s", "velocity_error", "falls", "action_std")
            text = "  ".join(f"{name} {row[name]:.3g}" for name in shown)
            self._tell(f"{self.progress.samples / 1e6:.2f}M  {text}")

    def _write(self, row: dict[str, float]) -> None:
        """Write one row of progress; a full disk is told once and costs rows, not the run."""
        try:
            self._file.write(row)
            self._room = True
        except OSError as error:
            if self._room:
                self._tell(f"{run_files.PROGRESS} not written: {error.strerror}; training goes on")
            self._room = False
