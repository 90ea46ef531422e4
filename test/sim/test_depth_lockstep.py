"""Images in lockstep: the simulator waits for those that are due, however busy the machine is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("mujoco")

from helpers.seeing import seeing_bundle
from helpers.stack import ACTIVATE, CONFIGURE, POLICY, Stack
from sensor_msgs.msg import JointState

from robot_policies.bundle.load import load_bundle
from robot_policies.control.policy_step import PolicyStep
from robot_policies.control.robot_step import RobotStep
from robot_policies.nodes.conversions import to_ns
from robot_policies.robot_spec import load_robot_spec
from robot_policies.safety.limits import load_safety
from robot_policies.types import PolicyRecord
from sim2real.evaluation.offline import OfflineRun
from sim2real.evaluation.schedule import Event, Listed
from sim2real.evaluation.world import simulated_cameras
from sim2real.mujoco.robot import create

CAMERA = "sim2real.bridges.depth_camera_node"
SPEC = load_robot_spec("go2")
TERRAIN = "step:0.2"
CYCLE_NS, SECOND = 5_000_000, 10**9
SECONDS = 3
CLOCK = ("use_sim_time:=true",)
BUSY = "while True: pass"


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Other work on every core, at a higher priority than the nodes have."""
    with ExitStack() as stack:
        for _ in range(count):
            process = subprocess.Popen([sys.executable, "-c", BUSY])
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield


@contextmanager
def seeing_stack(bundle: Path, *camera: str) -> Iterator[Stack]:
    with Stack("clock:=lockstep", "speed:=1.0", f"options.terrain:={TERRAIN}", *CLOCK) as stack:
        stack.start(POLICY, f"policy:={bundle}", *CLOCK)
        stack.start(CAMERA, f"terrain:={TERRAIN}", *camera, *CLOCK)
        yield stack


def configured(stack: Stack) -> None:
    """Stand, and wait until the policy has seen enough images to know their delay."""
    stack.stand()
    assert stack.change(CONFIGURE)
    assert stack.probe.until(lambda: measured(stack)["n"] >= 60, 60.0), stack.values("policy_node")


def measured(stack: Stack) -> dict[str, float]:
    found: dict[str, float] = stack.values("policy_node").get("depth_delay_ms", {}).get("depth", {"n": 0})
    return found


def through_ros(bundle: Path, cores: int) -> tuple[dict[int, list[float]], dict[str, int]]:
    """Return targets by stamp, and stamps of the modes."""
    with seeing_stack(bundle) as stack:
        commands = stack.probe.hear(JointState, "joint_command", 1000)
        configured(stack)
        assert stack.change(ACTIVATE)
        assert stack.probe.until(lambda: commands, 10.0)
        first = to_ns(commands[0][1].header.stamp)
        end = first + SECONDS * SECOND
        with busy(cores):
            assert stack.probe.until(lambda: to_ns(commands[-1][1].header.stamp) > end, 100.0)
        stack.probe.until(lambda: stack.values().get("mode") == "active", 10.0)
        modes = {mode: stamp for mode, stamp in stack.values()["modes"]}
        assert stack.values()["trips"] == []
        return {to_ns(message.header.stamp): list(message.position) for _, message in commands}, modes


def offline(bundle: Path, modes: dict[str, int], until_ns: int) -> dict[int, list[float]]:
    """Return the targets of the same run without ROS. A mode shows in the cycle after it was asked for."""
    asked = {"arm": modes.get("damping", modes["stand"]), "stand": modes["stand"], "activate": modes["active"]}
    targets: dict[int, list[float]] = {}

    def keep(record: PolicyRecord) -> None:
        targets[record.command.stamp_ns] = record.command.joint_pos.tolist()

    robot = create(SPEC, {"clock": "lockstep", "terrain": TERRAIN})
    loaded = load_bundle(bundle, SPEC)
    cameras = simulated_cameras(loaded.contract, SPEC, robot.ground_truth, TERRAIN, 0)
    events = Listed([Event(stamp - CYCLE_NS, kind) for kind, stamp in asked.items()])  # type: ignore[arg-type]
    step = RobotStep(SPEC, load_safety(SPEC.name, SPEC))
    OfflineRun(robot, step, PolicyStep(loaded, SPEC), events, on_policy=[keep], cameras=cameras).run(until_ns)
    return targets


@pytest.mark.slow
def test_on_a_busy_machine_every_target_is_that_of_the_run_without_ros(tmp_path: Path) -> None:
    """Each target hangs on the newest image: one that came a tick late, or never, would show."""
    bundle = seeing_bundle(tmp_path / "seeing", SPEC, effect=0.02, period=1).folder
    ros, modes = through_ros(bundle, os.cpu_count() or 1)
    alone = offline(bundle, modes, max(ros))
    assert len(ros) > 0.5 * SECONDS * 50, "this process may miss some, not most"
    assert set(ros) <= set(alone)
    different = [stamp for stamp in sorted(ros) if ros[stamp] != alone[stamp]]
    assert different == [], f"{len(different)} of {len(ros)}, first after {different[0] - modes['active']} ns"
    changes = np.abs(np.diff(np.array([alone[stamp] for stamp in sorted(alone)]), axis=0)).max(axis=1)
    assert 0.4 < (changes > 1e-9).mean() < 0.65, "up to 30 of 50 ticks a second have a new image"


@pytest.mark.slow
def test_a_camera_that_dies_ends_the_run_with_its_name_and_one_that_ends_does_not(tmp_path: Path) -> None:
    bundle = seeing_bundle(tmp_path / "seeing", SPEC).folder
    with seeing_stack(bundle) as stack:
        camera = stack.start(CAMERA, f"terrain:={TERRAIN}", *CLOCK, rest=("-r", "__node:=other_camera"))
        configured(stack)
        camera.send_signal(2)
        assert camera.wait(20.0) == 0
        before = measured(stack)["n"]
        cycles = stack.values()["cycles"]
        assert stack.probe.until(lambda: stack.values()["cycles"] > cycles + 2000, 30.0), "the others go on"
        assert before >= 60
        killed = stack.start(CAMERA, f"terrain:={TERRAIN}", *CLOCK, rest=("-r", "__node:=third_camera"))
        stack.probe.spin(5.0)
        killed.kill()
        assert stack.robot.wait(30.0) == 2
        assert stack.robot.stderr is not None
        said = stack.robot.stderr.read()
        assert "lockstep: all that /third_camera has to give by stamp" in said and "nothing said for 5 s" in said


@pytest.mark.slow
@pytest.mark.parametrize(("delay", "least", "most"), [(0.02, 20, 45), (0.15, 150, 175)])
def test_a_camera_of_another_delay_than_trained_is_refused_with_numbers(
    tmp_path: Path, delay: float, least: int, most: int
) -> None:
    bundle = seeing_bundle(tmp_path / "seeing", SPEC).folder
    with seeing_stack(bundle, f"delay:={delay}", "jitter:=0.0") as stack:
        configured(stack)
        assert not stack.change(ACTIVATE)
        message = stack.values("policy_node")["message"]
    assert "depth depth: a delay from capture to use as trained" in message
    assert "valid: 80 to 142 ms as trained" in message
    low, high = (int(number) for number in re.findall(r"found (\d+) to (\d+) ms", message)[0])
    assert least <= low < high <= most, message


@pytest.mark.slow
def test_a_delay_that_changes_while_the_robot_moves_is_told_and_the_policy_comes_back_after_it(tmp_path: Path) -> None:
    """A second camera begins to publish the same images, too early; then it ends."""
    bundle = seeing_bundle(tmp_path / "seeing", SPEC, lost="stand").folder
    with seeing_stack(bundle) as stack:
        configured(stack)
        assert stack.change(ACTIVATE)
        stack.until("commanding", "seeing", "policy_node")
        early = ("delay:=0.02", "jitter:=0.0")
        other = stack.start(CAMERA, f"terrain:={TERRAIN}", *early, *CLOCK, rest=("-r", "__node:=early_camera"))
        told = stack.until("commanding", "stand", "policy_node", limit=40.0)
        assert re.search(r"a delay from capture to use as trained; found \d+ to \d+ ms", told["message"])
        assert "valid: 80 to 142 ms as trained" in told["message"]
        assert stack.values()["mode"] == "active", "it stands as the bundle says; the robot is not landed"
        other.send_signal(2)
        assert other.wait(20.0) == 0
        stack.until("commanding", "seeing", "policy_node", limit=40.0)
        assert measured(stack)["p5"] >= 80.0
        assert stack.values()["trips"] == []
