"""Benchmarks through ROS, in two processes: they print, and only what a busy machine cannot break is asserted."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("mujoco")

from helpers.stack import POLICY, Stack, standing_bundle

from robot_policies.robot_spec import load_robot_spec

SPEC = load_robot_spec("go2")
SECONDS = 22.0  # of commanding; the robot node keeps the distribution of all of it
KILLS = 5
LANDING_LIMIT = 0.1  # [s] from the death of a policy to the first landing command, DESIGN section 7


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return standing_bundle(tmp_path_factory.mktemp("bundles") / "standing", SPEC)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def line(name: str, numbers: dict[str, float]) -> str:
    return f"{name:<52}" + "".join(f"  {key} {numbers[key]:8.3f} ms" for key in ("p50", "p95", "p99", "max"))


@pytest.mark.slow
def test_from_a_state_to_its_command(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Budget on two quiet cores: p50 1.3 ms, p99 3 ms."""
    with Stack("robot:=go2") as stack:
        stack.start(POLICY, f"policy:={bundle}")
        stack.stand()
        stack.activate()
        time.sleep(SECONDS)
        stack.probe.spin(1.0)
        robot, policy = stack.values(), stack.values("policy_node")
    with capsys.disabled():
        say("\n" + line("state published -> command received", robot["latency_ms"]))
        say(line("robot node: lateness of a cycle", robot["lateness_ms"]))
        say(line("robot node: a cycle's work", robot["cycle_ms"]))
        say(line("policy node: a tick's work", policy["tick_ms"]))
        say(f"ticks {policy['ticks']}, missed {policy['missed_ticks']}, refusals {robot['refusals']}")
    assert robot["mode"] == "active" and robot["trips"] == []
    assert policy["ticks"] > 0.9 * 50 * SECONDS
    # A command is useful until the next one is due; what is slower than that is not this pipeline at work.
    assert 0.0 < robot["latency_ms"]["p50"] < 20.0


@pytest.mark.slow
def test_from_the_death_of_a_policy_to_the_first_landing_command(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    delays = []
    with Stack("robot:=go2") as stack:
        for _ in range(KILLS):
            said = len(stack.told("policy_node"))
            policy = stack.start(POLICY, f"policy:={bundle}")
            # The dead process's services still look ready for a while, so wait until the new one speaks.
            assert stack.probe.until(lambda said=said: len(stack.told("policy_node")) > said)
            stack.stand()
            stack.activate()
            stack.probe.spin(0.5)
            killed = time.monotonic()
            policy.kill()
            delays.append(stack.first_sent("damping", killed))
            stack.until("mode", "landing:damping")
            assert stack.ask("reset").success
    assert None not in delays, delays
    with capsys.disabled():
        say(f"\npolicy killed -> first landing command [ms]: {', '.join(f'{d * 1e3:.1f}' for d in delays if d)}")
    assert all(delay is not None and delay < LANDING_LIMIT for delay in delays), delays
