"""What ``robot-policies run`` prints of a run."""

from __future__ import annotations

from typing import Any

import pytest

from robot_policies.cli.run import _tell

FOUR = {"p50": 1.0, "p95": 2.0, "p99": 3.0, "max": 4.0}
BLIND: dict[str, Any] = {
    "policy": "go2_walk", "robot": "go2", "seconds": 5.0, "speed_mps": None, "distance_m": None, "command_mps": 0.0,
    "fell": False, "latency_ms": FOUR, "trips": [], "error": "",
}  # fmt: skip
SEES = {
    **BLIND,
    "depth_to_command_ms": {name: 5 * value for name, value in FOUR.items()},
    "depth_tick_wait_ms": FOUR,
    "depth_network_wait_ms": dict.fromkeys(FOUR, 40.0),
    "depth_total_ms": {name: 6 * value for name, value in FOUR.items()},
    "depth_images": 50,
    "depth_images_of_unknown_delay": 0,
    "depth_delay_ms": {
        "depth": {"n": 60, "p5": 95.0, "p50": 120.0, "p95": 150.0, "trained": [80.0, 142.0], "as_trained": True}
    },
}


def test_a_blind_policy_has_no_line_on_depth(capsys: pytest.CaptureFixture[str]) -> None:
    _tell(BLIND, None)
    assert (
        capsys.readouterr().out == "go2_walk on go2: 5.0 s, no fall, latency p50/p95/p99/max 1.00/2.00/3.00/4.00 ms\n"
    )


def test_own_cost_waits_and_delay_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    _tell(SEES, None)
    assert capsys.readouterr().out.splitlines()[1] == (
        "depth to command p50/p95/p99/max 5.00/10.00/15.00/20.00 ms, "
        "with the wait for the tick 6.00/12.00/18.00/24.00 ms (wait 1.00/2.00/3.00/4.00 ms, "
        "for a slower network 40.00/40.00/40.00/40.00 ms more), 50 images; "
        "depth 95 to 150 ms from capture to use, trained for 80 to 142"
    )


def test_a_camera_that_does_not_know_its_delay_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    _tell({**SEES, "depth_images_of_unknown_delay": 50, "depth_delay_ms": {"depth": {"n": 0}}}, None)
    said = capsys.readouterr().out.splitlines()[1]
    assert said.endswith("50 images, from their receipt: the camera does not say when its delay was over")


@pytest.mark.parametrize(
    ("names", "told"), [(["state_age", "tilt"], True), (["tilt", "command_age"], False), ([], False)]
)
def test_where_something_came_too_late_first_it_says_what_to_do(
    capsys: pytest.CaptureFixture[str], names: list[str], told: bool
) -> None:
    _tell({**BLIND, "trips": [{"name": name, "mode": "active", "detail": "0.1 s"} for name in names]}, None)
    said = capsys.readouterr()
    assert [line.split()[1] for line in said.out.splitlines()[1:]] == names
    assert ("this computer was too busy: end other programs" in said.err) == told
