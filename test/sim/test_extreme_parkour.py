"""What a policy of Extreme Parkour reads in the simulator, against the physics itself: every sign, order and unit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.offline import SPEC
from helpers.parkour_truth import Truth

from robot_policies.bundle.load import Bundle
from robot_policies.control.policy_step import PolicyStep
from robot_policies.control.robot_step import RobotStep
from robot_policies.safety.limits import load_safety
from robot_policies.types import PolicyRecord
from sim2real.evaluation.course import load_course
from sim2real.evaluation.episode import Job, run_episode
from sim2real.evaluation.height_scan import height_scans
from sim2real.evaluation.offline import OfflineRun
from sim2real.evaluation.schedule import Operator
from sim2real.mujoco.ground import Ground, column
from sim2real.mujoco.robot import MujocoOptions, MujocoRobot

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]

# A step and a block on one side only, so that left and right differ.
GROUND = Ground((column((0.62, -3.0), (3.0, 3.0), 0.18, -0.5), column((-0.48, 0.33), (0.52, 3.0), 0.31, -0.5)))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    from helpers.extreme_parkour import bring, export

    folder: Path = tmp_path_factory.mktemp("ep")
    return bring(export(folder / "export", sees=False), folder / "bundle").bundle


@pytest.fixture(scope="module")
def seen(bundle: Bundle) -> list[tuple[PolicyRecord, Truth]]:
    """Return what the policy read and what was true, from activation on; the robot is pushed about meanwhile."""
    robot = MujocoRobot(SPEC, MujocoOptions(clock="lockstep", noise=0.0), GROUND.add_to)
    made: list[tuple[PolicyRecord, Truth]] = []
    run = OfflineRun(
        robot,
        RobotStep(SPEC, load_safety("go2", SPEC)),
        PolicyStep(bundle, SPEC),
        Operator((0.5, 0.0, 0.4)),
        on_policy=[lambda record: made.append((record, Truth.of(robot.model, robot._data)))],
        scans=height_scans(bundle.contract, robot.ground_truth, GROUND),
    )
    pushed = False
    for _ in range(1000):  # 5 s; it stands up in less than 2 s
        run.cycle()
        if len(made) == 20 and not pushed:
            robot.push((0.5, -0.4, 0.3), (0.6, -0.4, 0.5))
            pushed = True
        if len(made) == 60:
            return made
    raise AssertionError(f"only {len(made)} ticks: {run.refusals}")


def proprio(record: PolicyRecord) -> np.ndarray:
    return record.observation.groups["proprio"]


def test_angles_and_rates(seen: Any) -> None:
    turned = np.array([truth.roll_pitch_yaw for _, truth in seen])
    assert np.abs(turned[:, :2]).max(axis=0).min() > 0.05  # both are felt
    for record, truth in seen:
        np.testing.assert_allclose(proprio(record)[0:3], 0.25 * truth.ang_vel, atol=1e-5)
        np.testing.assert_allclose(proprio(record)[3:5], truth.roll_pitch_yaw[:2], atol=1e-5)


def test_the_heading_goes_to_the_left_with_a_positive_rate(seen: Any) -> None:
    start = seen[0][1].roll_pitch_yaw[2]
    for tick in range(0, 60, 5):
        record, truth = seen[tick]
        error = start + 0.4 * 0.02 * tick - truth.roll_pitch_yaw[2]
        np.testing.assert_allclose(proprio(record)[6:8], np.clip(error, -0.6, 0.6), atol=1e-5)
        for later, _ in seen[tick + 1 : tick + 5]:
            assert (proprio(later)[6:8] == proprio(record)[6:8]).all()
    assert len({float(proprio(record)[6]) for record, _ in seen}) == 12


def test_joints_by_their_names(seen: Any, bundle: Bundle) -> None:
    joints = bundle.contract.joints
    for record, truth in seen:
        for place, (name, default) in enumerate(zip(joints.names, joints.default_joint_pos, strict=True)):
            assert proprio(record)[13 + place] == pytest.approx(truth.joint_pos[name] - default, abs=1e-5)
            assert proprio(record)[25 + place] == pytest.approx(0.05 * truth.joint_vel[name], abs=1e-5)


def test_contacts_by_their_feet(seen: Any) -> None:
    """The sensors are one physics step behind the contacts, so a few ticks differ where a foot lands or leaves."""
    feet = ("FR_foot", "FL_foot", "RR_foot", "RL_foot")
    now = np.array([[truth.foot_force[foot] > 2.0 for foot in feet] for _, truth in seen])
    held = now.copy()
    held[1:] |= now[:-1]
    read = np.array([proprio(record)[49:53] for record, _ in seen])
    assert set(np.unique(read)) == {-0.5, 0.5}
    agree = np.array([[np.mean((read[:, i] > 0) == held[:, j]) for j in range(4)] for i in range(4)])
    lifts = [foot for foot in range(4) if not held[:, foot].all()]
    assert len(lifts) > 1
    assert np.diag(agree).min() > 0.9
    for foot in lifts:
        assert agree[foot].argmax() == foot


def test_last_action_and_target(seen: Any, bundle: Bundle) -> None:
    default = np.array(bundle.contract.joints.default_joint_pos)
    for (record, _), (after, _) in zip(seen[:-1], seen[1:], strict=True):
        np.testing.assert_array_equal(proprio(after)[37:49], record.action.raw)
        # what was trained: an action acts one control step later, and is read at once
        target = default + 0.25 * np.clip(record.action.raw, -4.8, 4.8)
        np.testing.assert_allclose(after.command.joint_pos, target, atol=1e-6)
    np.testing.assert_allclose(seen[0][0].command.joint_pos, default, atol=1e-6)


def test_the_scan_is_what_a_ray_finds(seen: Any, bundle: Bundle) -> None:
    """Away from edges, where the corners of a cell are not all on one height."""
    term = bundle.contract.observations["scan"].terms[0]
    compared, found = 0, set()
    for record, truth in seen[::10]:
        scan = record.observation.groups["scan"]
        for place, (x, y) in enumerate((x, y) for x in term.params["x"] for y in term.params["y"]):
            heights = truth.ground_around(x, y, 0.06)
            if len(set(np.round(heights, 6))) == 1:
                expected = np.clip(truth.position[2] - 0.3 - heights[0], -1.0, 1.0)
                assert scan[place] == pytest.approx(expected, abs=1e-5), (place, x, y)
                compared += 1
                found.add(round(float(heights[0]), 3))
    assert compared > 400
    assert found == {0.0, 0.18, 0.31}


@pytest.mark.parametrize("sees", [False, True], ids=["scan", "depth"])
def test_an_episode_on_a_course(sees: bool, tmp_path: Path) -> None:
    from helpers.extreme_parkour import bring, export

    folder = bring(export(tmp_path / "export", sees=sees), tmp_path / "bundle").bundle.folder
    course = load_course("step", 0.4)
    episode = run_episode(Job(str(folder), "go2", course, 0.4, 0, 1.0, course.command))
    assert episode.refusals == ()
    assert not [name for _, name, _ in episode.trips if name == "policy"]
    assert "active" in [mode for _, mode in episode.modes]


@pytest.mark.slow
@pytest.mark.ros
def test_the_policy_that_sees_runs_through_the_nodes(tmp_path: Path, ros_domain_id: int) -> None:
    from helpers.extreme_parkour import bring, export

    folder = bring(export(tmp_path / "export", sees=True), tmp_path / "bundle").bundle.folder
    line = [sys.executable, "-m", "robot_policies.cli", "run", "--policy", str(folder), "--camera", "--headless"]
    options = ["--seconds", "1", "--velocity", "0.5,0,0", "--terrain", "step:0.4", "--json"]
    done = subprocess.run([*line, *options, str(tmp_path / "report.json")], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "on go2: 1.0 s" in done.stdout
