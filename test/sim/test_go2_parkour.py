"""The shipped bundle of parkour: crosses what it sees, and only what it sees; so does the demo through its nodes."""

from __future__ import annotations

import json
import shutil
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy")

from helpers.node_process import ROOT, Probe, free_domain, running
from helpers.planted import in_inputs, in_result, number_at, plant, replayed, steps, whole
from helpers.recorded import calls, rewrite
from nav_msgs.msg import Odometry
from std_srvs.srv import Trigger

from robot_policies.bundle.golden import check_golden
from robot_policies.bundle.load import load_bundle
from robot_policies.contract import Contract
from robot_policies.control.recording.journal import POLICY, ROBOT
from robot_policies.control.recording.steps import Call
from robot_policies.nodes.runtime import BEST_EFFORT
from robot_policies.robot_spec import RobotSpec, load_robot_spec
from sim2real.evaluation import episode
from sim2real.evaluation.course import load_course
from sim2real.evaluation.episode import Job, run_episode
from sim2real.evaluation.world import simulated_cameras

SPEC = load_robot_spec("go2")
PARKOUR, WALK = "go2_parkour", "go2_walk"
OBSTACLES = {"step": 0.35, "gap": 0.45, "hurdle": 0.3, "stairs": 0.15, "ramp": 0.45, "tilt": 0.4}
# What only a simulator knows: none of it may be an input
PRIVILEGED = {"height_scan", "base_lin_vel"}


def job(course: str, difficulty: float, seed: int) -> Job:
    loaded = load_course(course)
    return Job("go2_parkour", "go2", loaded, difficulty, seed, loaded.seconds, (0.8, 0.0, 0.0))


def test_the_networks_still_give_their_golden_outputs() -> None:
    assert check_golden(load_bundle("go2_parkour", SPEC), SPEC).ticks >= 32


def test_nothing_that_only_a_simulator_knows_goes_in() -> None:
    contract = load_bundle("go2_parkour", SPEC).contract
    terms = {term.term for observation in contract.observations.values() for term in observation.terms}
    assert terms and not terms & PRIVILEGED
    assert list(contract.depth) == ["depth"]


@pytest.mark.slow
@pytest.mark.parametrize("course", OBSTACLES)
def test_it_crosses_what_it_sees(course: str) -> None:
    """Of three seeds at least two; scores over 100 are in docs/parkour.md."""
    runs = [run_episode(job(course, OBSTACLES[course], seed)) for seed in range(3)]
    failed = [(run.seed, run.failures) for run in runs if not run.success]
    assert len(failed) <= 1, failed


@pytest.mark.slow
def test_a_camera_that_sees_a_bare_floor_takes_its_skill(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [job("step", OBSTACLES["step"], seed) for seed in range(3)]
    assert sum(run_episode(each).success for each in asked) >= 2

    def bare(contract: Contract, spec: RobotSpec, truth: Any, terrain: str | None, *rest: Any) -> Any:
        return simulated_cameras(contract, spec, truth, None, *rest)

    monkeypatch.setattr(episode, "simulated_cameras", bare)
    assert not any(run_episode(each).success for each in asked)


def place(truth: list[tuple[float, Odometry]]) -> float:
    """Return how far ahead the robot is [m]."""
    return float(truth[-1][1].pose.pose.position.x)


@pytest.fixture(scope="module")
def crossed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the demo reports of a step 1.2 m ahead; behind it the walking policy takes over for a second."""
    folder, domain = tmp_path_factory.mktemp("demo"), free_domain()
    line = [sys.executable, "-m", "robot_policies.cli", "demo", "--headless", "--no-browser", "--seconds", "12"]
    line += ["--terrain", "step:0.35", "--json", str(folder / "report.json"), "--record", str(folder / "runs")]
    with Probe(domain) as probe, running(line, domain, cwd=ROOT) as demo:
        truth = probe.hear(Odometry, "ground_truth/odom", BEST_EFFORT)
        clients = [probe.node.create_client(Trigger, f"policy_node/switch_to/{name}") for name in (WALK, PARKOUR)]
        for client, metres in zip(clients, (3.5, 4.0), strict=True):
            if probe.until(lambda m=metres: demo.poll() is not None or (truth and place(truth) > m), 60.0):
                answer = client.call_async(Trigger.Request())
                probe.until(lambda a=answer: demo.poll() is not None or a.done(), 10.0)
        told, said = demo.communicate(timeout=120.0)
    assert demo.returncode == 0, told + said
    return dict(json.loads((folder / "report.json").read_text()))


@pytest.mark.slow
def test_the_demo_crosses_through_the_nodes(crossed: dict[str, Any]) -> None:
    """The first edge is 1.2 m ahead, the next obstacle nowhere."""
    assert (crossed["policy"], crossed["fell"], crossed["trips"]) == (PARKOUR, False, [])
    assert crossed["distance_m"] > 4.0
    assert crossed["depth_images"] > 60
    assert crossed["depth_to_command_ms"]["p99"] < 33.0


@pytest.mark.slow
def test_the_run_in_real_time_with_depth_and_a_switch_replays_bit_for_bit(crossed: dict[str, Any]) -> None:
    assert (crossed["steps_dropped"], crossed["recording_error"]) == (0, "")
    ticks, cycles = whole(Path(crossed["recording"]))
    assert ticks >= crossed["ticks"] > 500 and cycles > 200 * 12
    records = [step.result for step in steps(Path(crossed["recording"]), POLICY)]
    commanded = [record.command.gain_profile.partition("/")[0] for record in records]
    turns = [name for name, _ in groupby(commanded)]  # more where a busy machine has held up the images
    assert turns[:3] == [PARKOUR, WALK, PARKOUR] and set(turns) == {PARKOUR, WALK}
    images = {record.inputs.depth["depth"].stamp_ns for record in records}
    assert len(images) > 60, "what it saw is in the recording"


@pytest.fixture
def recorded(crossed: dict[str, Any], tmp_path: Path) -> Path:
    """The demo's recording, to be changed."""
    return Path(shutil.copytree(crossed["recording"], tmp_path / "run"))


@pytest.mark.slow
def test_a_changed_pixel_and_a_changed_state_of_the_robot_are_found(recorded: Path) -> None:
    tick = steps(recorded, POLICY)[30]
    plant(recorded, POLICY, tick.number, in_inputs("depth.depth.depth", (20, 50)))
    cycle = [step for step in steps(recorded, ROBOT) if step.result.safe is not None][200]
    plant(recorded, ROBOT, cycle.number, in_inputs("joint_pos", 2))
    done = replayed(recorded)
    assert done.returncode == 1 and "no difference" not in done.stdout
    was, stamp = number_at(tick.result, "inputs.depth.depth.depth", (20, 50)), tick.result.inputs.state.stamp_ns
    place = "stage inputs, field depth.depth.depth[20, 50]"
    assert (
        f"first difference at tick 30 (state {stamp} ns), {place}: recorded {was!r} ({was.hex()}), now " in done.stdout
    )
    was, stamp = number_at(cycle.result, "state.joint_pos", 2), cycle.result.state.stamp_ns
    assert f"(state {stamp} ns), stage state, field joint_pos[2]: recorded {was!r} ({was.hex()}), now " in done.stdout


@pytest.mark.slow
def test_a_changed_output_is_found_and_the_memory_of_the_network_is_covered_from_its_reset(recorded: Path) -> None:
    """The first step records are lost; the activation resets the GRU, so nothing that came before it matters."""
    everything = calls(recorded, POLICY)
    reset = next(place for place, call in enumerate(everything) if call.name == "reset")
    ticks = steps(recorded, POLICY)
    assert reset > 2
    kept: list[Call | None] = [everything[0], None, *everything[2 : reset + 200]]
    rewrite(recorded, POLICY, kept)
    done = replayed(recorded)
    assert done.returncode == 1 and "first difference" not in done.stdout
    count = sum(step.number <= everything[reset + 199].number for step in ticks)
    assert "1 step record missing" in done.stdout and f"policy: {count} ticks" in done.stdout
    rewrite(recorded, POLICY, everything)
    plant(recorded, POLICY, ticks[40].number, in_result("action.raw", 5))
    done = replayed(recorded)
    was = number_at(ticks[40].result, "action.raw", 5)
    assert "first difference at tick 40 " in done.stdout and "stage action, field raw[5]: recorded" in done.stdout
    assert f"now {was!r} ({was.hex()})" in done.stdout
