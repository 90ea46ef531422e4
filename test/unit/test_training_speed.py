"""What makes updates quick changes nothing that is learnt."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.torch

torch = pytest.importorskip("torch")
pytest.importorskip("rsl_rl")

from helpers.training import small_trainer  # noqa: E402

from sim2real.training import speed  # noqa: E402
from sim2real.training.learner import build_learner, to_tensors  # noqa: E402


def test_quick_products_are_taken_where_they_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_float32_matmul_precision()
    try:
        same = speed.fast_products()
        assert torch.get_float32_matmul_precision() == ("medium" if same else "highest")
        monkeypatch.setattr(speed, "_SAME", -1.0)  # as on a processor that rounds to 16 bits
        assert not speed.fast_products()
        assert torch.get_float32_matmul_precision() == "highest"
    finally:
        torch.set_float32_matmul_precision(before)


def test_the_random_numbers_of_a_run_are_not_touched() -> None:
    torch.manual_seed(4)
    wanted = torch.rand(3)
    torch.manual_seed(4)
    speed.fast_products()
    assert torch.equal(torch.rand(3), wanted)


def test_threads_are_given_for_the_update_and_taken_back_after_an_error() -> None:
    torch.set_num_threads(1)
    with pytest.raises(KeyError), speed.threads(2):
        assert torch.get_num_threads() == 2
        raise KeyError
    assert torch.get_num_threads() == 1


def test_the_quicker_number_of_threads_is_chosen_and_the_other_tried_again() -> None:
    choice = speed.ThreadChoice(4)
    cost = {1: 0.8, 4: 0.5}
    chosen = []
    for update in range(120):
        if update == 60:
            cost[4] = 2.0  # somebody else uses the cores
        count = choice.next()
        choice.took(count, cost[count])
        chosen.append(count)
    assert chosen[:2] == [1, 4]
    assert chosen[2:60].count(1) == 2 and chosen[2:60].count(4) == 56
    assert chosen[61:].count(4) <= 3


def test_one_thread_is_no_choice() -> None:
    choice = speed.ThreadChoice(1)
    for _ in range(60):
        assert choice.next() == 1
        choice.took(1, 1.0)


def test_the_sampled_symmetry_learns_the_same_and_tells_nearly_the_same(tmp_path: Path) -> None:
    run = small_trainer(tmp_path)
    losses, weights = [], []
    for sampled in (False, True):
        torch.manual_seed(2)
        ppo = build_learner(run.env.task, run.env)
        if sampled:
            speed.sample_symmetry(ppo)
            assert isinstance(ppo.symmetry, speed.SampledSymmetry)
        ppo.train_mode()
        views = to_tensors(run.env.views())
        with torch.inference_mode():
            for step in range(run.env.task.ppo.steps):
                ppo.act(views)
                ppo.process_env_step(views, torch.arange(8.0) + step, torch.zeros(8, dtype=torch.bool), {})
            ppo.compute_returns(views)
        losses.append(ppo.update())
        weights.append(torch.cat([value.flatten() for value in ppo.actor.state_dict().values()]))
    run.env.batch.close()
    assert torch.equal(weights[0], weights[1])
    assert {name: value for name, value in losses[0].items() if name != "symmetry"} == {
        name: value for name, value in losses[1].items() if name != "symmetry"
    }
    assert 0.1 < losses[1]["symmetry"] / losses[0]["symmetry"] < 10.0  # one row stands for eight here


def test_a_symmetry_that_is_learnt_from_is_left_whole(tmp_path: Path) -> None:
    from dataclasses import replace

    from helpers.training import TASK

    run = small_trainer(tmp_path, task=replace(TASK, ppo=replace(TASK.ppo, mirror="loss")))
    assert run.learner.symmetry.use_mirror_loss
    run.run(60.0, iterations=1)
    run.env.batch.close()
    none = small_trainer(tmp_path / "none", task=replace(TASK, ppo=replace(TASK.ppo, mirror="none")))
    assert none.learner.symmetry is None
    none.env.batch.close()
