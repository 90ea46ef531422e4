"""The picture of a run: every column that matters, drawn from a file that is not always tidy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'robot_policies[train]'")
from matplotlib.axes import Axes  # noqa: E402
from PIL import Image  # noqa: E402

from sim2real.training import curves  # noqa: E402
from sim2real.training.progress import ProgressFile  # noqa: E402


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[list[float], list[float]]]:
    """What is drawn, by title: the raw curve."""
    seen: dict[str, tuple[list[float], list[float]]] = {}
    title, plot, latest = Axes.set_title, Axes.plot, {}

    def plotting(axes: Axes, x: np.ndarray, y: np.ndarray, **style: object) -> object:
        latest.setdefault(axes, (list(x), list(y)))
        return plot(axes, x, y, **style)

    def titling(axes: Axes, text: str, **style: object) -> object:
        seen[text] = latest[axes]
        return title(axes, text, **style)

    monkeypatch.setattr(Axes, "plot", plotting)
    monkeypatch.setattr(Axes, "set_title", titling)
    return seen


def write(path: Path, iterations: range, **more: float) -> None:
    file = ProgressFile(path)
    for number in iterations:
        row = {"iteration": number, "samples": 1_000_000 * number, "seconds": 60.0 * number, "seconds_left": 5.0}
        file.write({**row, "reward_per_s": 0.1 * number, "learning_rate": 1e-3 / number, "ended": 3, **more})


def test_the_picture_has_a_curve_for_each_column_that_is_no_clock(tmp_path: Path, drawn: dict) -> None:
    write(tmp_path / "progress.csv", range(1, 11), trot=0.5, loss_value=0.25)
    curves.draw(tmp_path / "progress.csv", tmp_path / "progress.png")
    assert list(drawn) == ["reward per second", "learning rate", "trot", "loss value"]
    assert drawn["reward per second"][0] == pytest.approx(range(1, 11))  # millions of samples
    assert drawn["reward per second"][1] == pytest.approx([0.1 * number for number in range(1, 11)])
    with Image.open(tmp_path / "progress.png") as picture:
        pixels = np.asarray(picture.convert("RGB"), dtype=int)
        assert picture.format == "PNG" and picture.width > 1000
    assert (np.abs(pixels - (31, 78, 140)).sum(axis=2) < 30).sum() > 200  # curves are there


def test_terms_that_came_later_and_steps_that_were_done_again(tmp_path: Path, drawn: dict) -> None:
    path = tmp_path / "progress.csv"
    write(path, range(1, 7))
    write(path, range(4, 9), pose=-0.5)  # went back to iteration 3, with another term
    curves.draw(path, tmp_path / "progress.png")
    assert drawn["reward per second"][0] == pytest.approx(range(1, 9))
    assert np.isnan(drawn["pose"][1][:3]).all() and drawn["pose"][1][3:] == pytest.approx(5 * [-0.5])


def test_long_runs_are_thinned_to_means(tmp_path: Path, drawn: dict) -> None:
    write(tmp_path / "progress.csv", range(1, 1602))
    curves.draw(tmp_path / "progress.csv", tmp_path / "progress.png")
    x, y = drawn["reward per second"]
    assert len(x) == 320 and y[0] == pytest.approx(0.3) and x[0] == pytest.approx(3.0)


def test_a_run_of_one_iteration_has_no_picture(tmp_path: Path) -> None:
    write(tmp_path / "progress.csv", range(1, 2))
    curves.draw(tmp_path / "progress.csv", tmp_path / "progress.png")
    assert not (tmp_path / "progress.png").exists()
