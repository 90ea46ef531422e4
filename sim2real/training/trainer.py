"""The training loop: collect, learn, write progress, keep checkpoints, stop in time or when it goes wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from rsl_rl.algorithms import PPO
from tensordict import TensorDict

from robot_policies.exceptions import RobotPoliciesError
from sim2real.training import checkpoint
from sim2real.training.env import Outcome, WalkEnv
from sim2real.training.learner import build_ppo, to_tensors
from sim2real.training.progress import ProgressFile, Watch

SAVE_EVERY = 180.0  # [s]


class DivergedError(RobotPoliciesError, RuntimeError):
    """Training went wrong; the last good checkpoint is kept."""


@dataclass
class Tally:
    """What an iteration collected."""

    reward: float = 0.0  # mean per step and robot
    ended: int = 0
    fell: int = 0
    terms: dict[str, float] = field(default_factory=dict)  # mean per second

    def add(self, outcome: Outcome, steps: int) -> None:
        """Count one of ``steps`` steps."""
        self.reward += float(outcome.reward.mean()) / steps
        self.ended += int(outcome.done.sum())
        self.fell += int(outcome.fell.sum())
        for name, value in outcome.terms.items():
            self.terms[name] = self.terms.get(name, 0.0) + value / steps


class Trainer:
    """One run in one folder; ``run`` may be called again after a pause, by another process too."""

    def __init__(self, env: WalkEnv, folder: Path, seed: int, resume: bool, tell: Callable[[str], None]) -> None:
        """Build the networks, or take them from the folder's checkpoint.

        Raises:
            ResourceError: there is nothing to resume, or it is another task's.
        """
        torch.manual_seed(seed)
        torch.set_num_threads(1)  # more than one spins against other work on the same cores
        self.env, self._folder, self._tell = env, folder, tell
        self.ppo: PPO = build_ppo(env.task, env)
        self.progress = checkpoint.Progress(env.task.name, seed, len(env))
        if resume:
            self.progress = checkpoint.resume(folder / checkpoint.FILE, self.ppo, self.progress)
        folder.mkdir(parents=True, exist_ok=True)
        self._file = ProgressFile(folder / "progress.csv")
        self._watch = Watch()

    def run(self, seconds: float) -> None:
        """Train for ``seconds`` of wall clock, then write the checkpoint; Ctrl-C writes it too.

        Raises:
            DivergedError: with the reason; the last good checkpoint is in the folder.
        """
        self.ppo.train_mode()
        try:
            self._iterate(time.monotonic() + seconds)
        finally:
            if seconds > 0.0 and self._watch.healthy and self._finite():
                self.save()

    def _iterate(self, end: float) -> None:
        """Iterate until ``end`` on the monotonic clock [s], and save every ``SAVE_EVERY``."""
        views, saved = to_tensors(self.env.views()), time.monotonic()
        while (now := time.monotonic()) < end:
            tally, views = self._collect(views)
            losses = self._learn()
            took = time.monotonic() - now
            self._count(took)
            self._report(tally, losses, took, end - time.monotonic())
            wrong = self._watch.check(tally.reward, losses)
            if wrong:
                raise DivergedError(f"training diverged: {wrong}; kept: the checkpoint before")
            if time.monotonic() - saved > SAVE_EVERY and self._watch.healthy:
                saved = time.monotonic()
                self.save()

    def save(self) -> None:
        """Write the checkpoint."""
        checkpoint.save(self._folder / checkpoint.FILE, self.ppo, self.progress)

    def _collect(self, views: TensorDict) -> tuple[Tally, TensorDict]:
        """Let the robots act for one iteration; return what came of it and what they see now."""
        tally, steps = Tally(), self.env.task.ppo.steps
        with torch.inference_mode():
            for _ in range(steps):
                action = self.ppo.act(views)
                outcome = self.env.step(action.numpy())
                views = to_tensors(outcome.views)
                reward = torch.from_numpy(outcome.reward.astype(np.float32))
                time_outs = {"time_outs": torch.from_numpy(outcome.time_out.astype(np.float32))}
                self.ppo.process_env_step(views, reward, torch.from_numpy(outcome.done), time_outs)
                tally.add(outcome, steps)
            self.ppo.compute_returns(views)
        return tally, views

    def _learn(self) -> dict[str, float]:
        """Update the networks. Networks that are no longer finite end the run, whatever error tells it first."""
        failure = None
        try:
            losses: dict[str, float] = self.ppo.update()
        except (RuntimeError, ValueError) as error:
            losses, failure = {}, error
        if self._finite():
            if failure is not None:
                raise failure
            return losses
        raise DivergedError("training diverged: the networks are not finite; kept: the checkpoint before") from failure

    def _finite(self) -> bool:
        networks = (self.ppo.actor, self.ppo.critic)
        return all(bool(torch.isfinite(value).all()) for network in networks for value in network.parameters())

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
            "learning_rate": self.ppo.learning_rate,
            "action_std": float(self.ppo.get_policy().output_std.detach().mean()),
            **{f"loss_{name}": value for name, value in losses.items()},
            **tally.terms,
        }
        self._file.write(row)
        if self.progress.iteration % 10 == 0:
            shown = ("samples_per_s", "seconds_left", "reward_per_s", "velocity_error", "falls", "action_std")
            text = "  ".join(f"{name} {row[name]:.3g}" for name in shown)
            self._tell(f"{self.progress.samples / 1e6:.2f}M  {text}")
