"""The command grid: its commands, what an error is, and the table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from sim2real.evaluation.course import load_course
from sim2real.evaluation.episode import Episode, Job
from sim2real.evaluation.grid import COMMANDS, SECONDS, grid_cards, grid_table
from sim2real.evaluation.plan import Policy, grid_cells

BASE = Job("x", "go2", load_course("flat"), 0.0, 0, SECONDS, (0.0, 0.0, 0.0))
ONE, TWO = Policy("bundles/one", "one"), Policy("bundles/two", "two")


def episode(
    x: float, y: float, turn: float, active_s: float = SECONDS, fell: bool = False, means: Sequence[float] = (0, 0, 0)
) -> Episode:
    metrics = dict(zip(("speed_mps", "lin_vel_y", "ang_vel_z"), means, strict=True)) | {
        "lin_vel_x_abs_error": x, "lin_vel_y_abs_error": y, "ang_vel_z_abs_error": turn, "active_s": active_s,
    }  # fmt: skip
    return Episode(0, not fell, (), fell, metrics, (), (), ())


def test_the_grid_is_the_one_that_policies_are_compared_on() -> None:
    assert len(COMMANDS) == 63 == len(set(COMMANDS))
    assert {x for x, _, _ in COMMANDS} == {-0.6, -0.3, 0.0, 0.3, 0.6, 0.9, 1.2}
    assert {y for _, y, _ in COMMANDS} == {-0.4, 0.0, 0.4} and {z for _, _, z in COMMANDS} == {-1.0, 0.0, 1.0}
    cells = grid_cells(BASE, [ONE, TWO], COMMANDS, ["nominal"], 20)
    assert len(cells) == 126 and all(len(cell.jobs) == 20 for cell in cells)
    assert [cell.job.command for cell in cells[:63]] == list(COMMANDS)


def test_errors_are_means_over_seeds_and_then_over_commands() -> None:
    cells = grid_cells(BASE, [ONE], [(0.3, 0.0, 0.0), (0.6, 0.0, 1.0)], ["nominal"], 2)
    found = [[episode(0.1, 0.0, 0.2), episode(0.3, 0.0, 0.4)], [episode(0.4, 0.1, 0.0), episode(0.4, 0.3, 0.0)]]
    (card,) = grid_cards(cells, found)
    assert card["cells"][0]["mean_abs_error"] == pytest.approx({"lin_vel_x": 0.2, "lin_vel_y": 0, "ang_vel_z": 0.3})
    assert card["mean_abs_error"] == pytest.approx({"lin_vel_x": 0.3, "lin_vel_y": 0.1, "ang_vel_z": 0.15})
    assert (card["seeds"], card["seconds"], card["falls"]) == (2, SECONDS, 0)
    assert json.loads(json.dumps(card)) == card


@pytest.mark.parametrize(("active_s", "error"), [(6.0, 0.1), (4.0, (0.1 * 2 + 0.6 * 2) / 4), (2.0, 0.6), (0.5, 0.6)])
def test_who_has_fallen_stands_still_for_the_rest_of_the_time(active_s: float, error: float) -> None:
    (card,) = grid_cards(
        grid_cells(BASE, [ONE], [(-0.6, 0.0, 0.0)], ["nominal"], 1), [[episode(0.1, 0.0, 0.0, active_s, fell=True)]]
    )
    assert card["mean_abs_error"]["lin_vel_x"] == pytest.approx(error)
    assert card["falls"] == 1


def test_with_the_sway_out_it_is_the_mean_velocity_that_counts() -> None:
    cells = grid_cells(BASE, [ONE], [(0.6, 0.0, -1.0)], ["nominal"], 2)
    found = [[episode(0.3, 0.2, 0.4, means=(0.5, 0.0, -0.9)), episode(0.3, 0.2, 0.4, 4.0, True, (0.6, 0.2, -1.0))]]
    (card,) = grid_cards(cells, found)  # the second one walks half of its time
    assert card["mean_velocity_error"] == pytest.approx({"lin_vel_x": 0.2, "lin_vel_y": 0.05, "ang_vel_z": 0.3})


def test_a_trip_counts_as_a_fall() -> None:
    tripped = replace(episode(0.0, 0.0, 0.0), trips=((1.0, "tilt", "1.2 rad"),))
    (card,) = grid_cards(grid_cells(BASE, [ONE], [(0.0, 0.0, 0.0)], ["nominal"], 1), [[tripped]])
    assert card["falls"] == 1


def test_the_table_has_the_policies_side_by_side() -> None:
    commands = [(0.3, 0.0, 0.0), (0.6, -0.4, 1.0)]
    cells = grid_cells(BASE, [ONE, TWO], commands, ["nominal", "randomized"], 1)
    found = [[episode(0.01 * number, 0.0, 0.0)] for number in range(8)]
    lines = grid_table(grid_cards(cells, found)).splitlines()
    assert lines[0].split() == ["vx", "vy", "wz", "one", "one", "(randomized)", "two", "two", "(randomized)"]
    assert lines[2].split()[:4] == ["0.3", "0", "0", "0.000"] and lines[2].split()[7] == "0.020"
    assert lines[3].split()[:4] == ["0.6", "-0.4", "1", "0.010"]
    assert lines[4].split()[:2] == ["mean", "0.005"]
    assert lines[5].split()[:3] == ["sway", "out", "0.450"]
    assert "1 episodes a command, 2 in all" in lines[7]
