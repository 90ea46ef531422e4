"""What makes an update of PPO quick on a CPU, with numbers; none of it changes what is learnt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from rsl_rl.algorithms import PPO
from rsl_rl.extensions import Symmetry
from rsl_rl.models import MLPModel
from rsl_rl.storage import RolloutStorage

SAMPLED = 16  # one minibatch row of so many tells how symmetric the actor is
PROBE = 25  # updates, after which the slower choice of threads is tried again
_SAME = 1e-5  # largest relative difference of a product that counts as the same


def fast_products() -> bool:
    """Use the quicker of torch's two libraries for products of 32-bit matrices, where its results are the same.

    ``medium`` lets torch ask oneDNN, which uses AVX-512 on every processor that has it, 2.3 times as fast as MKL on one
    that is not Intel's. It also lets oneDNN round to 16 bits where the processor multiplies those faster; there it is
    switched off again.

    Returns:
        Whether it is on.
    """
    left, right = torch.randn(64, 256, generator=_fixed()), torch.randn(256, 64, generator=_fixed())
    torch.set_float32_matmul_precision("highest")
    exact = left @ right
    torch.set_float32_matmul_precision("medium")
    same = bool(((left @ right) - exact).abs().max() < _SAME * exact.abs().max())
    if not same:
        torch.set_float32_matmul_precision("highest")
    return same


def _fixed() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch use ``count`` threads for a while, and one before and after: the simulation has threads of its own."""
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(1)


class SampledSymmetry(Symmetry):
    """rsl-rl's symmetry, which also runs the actor on every minibatch just to tell how symmetric it is.

    That costs a seventh of an update. Here a sixteenth of the rows is asked, without gradients.
    """

    def compute_loss(self, actor: MLPModel, batch: RolloutStorage.Batch, original_batch_size: int) -> torch.Tensor:
        """Return the loss where it is learnt from, and an estimate of it where it is only told."""
        if self.use_mirror_loss:
            return super().compute_loss(actor, batch, original_batch_size)
        rows = torch.arange(0, original_batch_size, SAMPLED)
        with torch.no_grad():
            seen, _ = self.data_augmentation_func(env=self.env, obs=batch.observations[rows], actions=None)
            action = actor(seen)
            _, mirrored = self.data_augmentation_func(env=self.env, obs=None, actions=action[: len(rows)])
            return torch.nn.functional.mse_loss(action[len(rows) :], mirrored[len(rows) :])


def sample_symmetry(ppo: PPO) -> None:
    """Replace the symmetry of ``ppo``, if it has one, by the sampled one."""
    found = ppo.symmetry
    if found is not None:
        ppo.symmetry = SampledSymmetry(
            found.env, found.data_augmentation_func, found.use_data_augmentation, found.use_mirror_loss,
            found.mirror_loss_coeff,
        )  # fmt: skip


class ThreadChoice:
    """Chooses one thread or several for each update, by which was quicker: that depends on who else uses the cores."""

    def __init__(self, most: int) -> None:
        """Choose between 1 and ``most``."""
        self._seconds = dict.fromkeys((1, most), 0.0)  # of the last update of each; 0: not tried
        self._calls = 0

    def next(self) -> int:
        """Return how many threads the next update gets; now and then the slower choice, to see whether it still is."""
        self._calls += 1
        quick, slow = min(self._seconds, key=self._quickness), max(self._seconds, key=self._quickness)
        return slow if self._calls % PROBE == 0 else quick

    def took(self, count: int, seconds: float) -> None:
        """Take note of how long an update with ``count`` threads took."""
        self._seconds[count] = seconds

    def _quickness(self, count: int) -> float:
        return self._seconds[count]
