"""The offline path on the simulated robot: repeatable, seeds differ, falls are seen, and what a landing does."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.bundles import make_bundle
from helpers.offline import SPEC, Kept, constant_bundle, event, kept_run, nan_bundle

from robot_policies.bundle.load import Bundle
from robot_policies.types import Mode
from sim2real.evaluation.course import Vary, load_course
from sim2real.evaluation.episode import Episode, Job, build, run_episode, run_rig
from sim2real.evaluation.schedule import Operator
from sim2real.mujoco.robot import create

COURSE = load_course("flat", 0.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bundles")


@pytest.fixture(scope="module")
def tiny(folder: Path) -> Bundle:
    """A network with random weights, so that every value of the state moves its actions."""
    return make_bundle(folder / "tiny", SPEC)


def simulated(bundle: Bundle, schedule: Any, **options: Any) -> Kept:
    return kept_run(bundle, schedule, robot=create(SPEC, {"clock": "lockstep", **options}))


def numbers(kept: Kept) -> list[bytes]:
    """Return every number of every record as bytes."""
    values = [[record.state, record.safe, *record.trips] for record in kept.records]
    values += [[step.inputs.state, step.action, step.command, *step.observation.groups.values()] for step in kept.steps]
    return [_bytes(item) for row in values for item in row]


def _bytes(value: Any) -> bytes:
    if dataclasses.is_dataclass(value):
        return b"|".join(_bytes(getattr(value, field.name)) for field in dataclasses.fields(value))
    return value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode()


def test_the_same_seed_gives_the_same_records_bit_for_bit(tiny: Bundle) -> None:
    one, two = (simulated(tiny, Operator((0.5, 0.0, 0.1)), seed=3).until(500) for _ in range(2))
    assert len(one.steps) > 30
    assert numbers(one) == numbers(two)


def test_another_seed_gives_other_records(tiny: Bundle) -> None:
    one, two = (simulated(tiny, Operator((0.5, 0.0, 0.1)), seed=seed).until(320) for seed in (3, 4))
    assert len(one.steps) > 0
    same = [np.array_equal(a.action.raw, b.action.raw) for a, b in zip(one.steps, two.steps, strict=False)]
    assert not any(same)


def episode(bundle: Bundle, command: tuple[float, float, float] = (0.0, 0.0, 0.0), **changes: Any) -> Episode:
    return run_episode(job_of(bundle, command, **changes))


def job_of(bundle: Bundle, command: tuple[float, float, float] = (0.0, 0.0, 0.0), **changes: Any) -> Job:
    return dataclasses.replace(Job(str(bundle.folder), "go2", COURSE, 0.0, 0, 4.0, command), **changes)


@pytest.fixture(scope="module")
def stands(folder: Path) -> Bundle:
    return constant_bundle(folder / "stands", SPEC.poses["stand"])


def test_a_policy_that_stands_succeeds_at_zero_command(stands: Bundle) -> None:
    result = episode(stands)
    assert result.success and not result.failures and not result.fell
    assert result.metrics["active_s"] == pytest.approx(4.0, abs=0.006)
    assert result.metrics["drift_m"] < 0.02
    assert 0.25 < result.metrics["base_height_m"] < 0.36
    assert result.metrics["step_hz"] == 0.0
    assert result.modes[-1][1] == "active"


def test_an_episode_can_be_repeated_and_seeds_differ(stands: Bundle) -> None:
    one, again, other = episode(stands), episode(stands), episode(stands, seed=1)
    drop = {"real_time_factor"}
    assert {k: v for k, v in one.metrics.items() if k not in drop} == {
        k: v for k, v in again.metrics.items() if k not in drop
    }
    assert one.metrics["energy_j"] != other.metrics["energy_j"]


def test_seeds_differ_in_the_noise_of_the_sensors_too(stands: Bundle) -> None:
    alike = dataclasses.replace(COURSE, vary=Vary(foot_friction=(0.8, 0.8), added_mass=(0.0, 0.0)))
    one, other = (episode(stands, course=alike, seed=seed) for seed in (0, 1))
    assert one.metrics["energy_j"] != other.metrics["energy_j"]


def test_a_robot_that_lies_down_under_its_policy_has_fallen(folder: Path) -> None:
    """The base comes to lie on the ground without any tilt; the episode ends there."""
    job = job_of(constant_bundle(folder / "sits", SPEC.poses["sit"]))
    result = run_rig(build(job), job, keep_poses=True)
    assert result.fell and not result.success
    assert result.failures[0].startswith("fell at")
    assert result.metrics["tilt_max_rad"] < 0.5
    assert result.metrics["active_s"] < 3.0
    assert result.poses.shape == (pytest.approx(result.metrics["active_s"] * 200, abs=2), 19)


def test_a_robot_that_rolls_over_has_fallen(folder: Path) -> None:
    """Both legs of one side folded: it tips over to that side."""
    pose = SPEC.poses["stand"].copy()
    right = [index for index, name in enumerate(SPEC.joint_names) if name[1] == "R"]
    pose[right] = SPEC.poses["sit"][right]
    pose[[i for i, name in enumerate(SPEC.joint_names) if name.endswith("hip_joint")]] = 0.6
    result = episode(constant_bundle(folder / "tips", pose))
    assert result.fell and not result.success


def test_a_refused_activation_is_the_reason_of_the_failure(folder: Path) -> None:
    """Gains over the bounds of the safety file: the robot half takes no lease with them."""
    from helpers.bundles import contract_of

    stiff = {**contract_of(SPEC)["joints"], "stiffness": [500.0] * 12}
    result = episode(make_bundle(folder / "stiff", SPEC, joints=stiff))
    assert result.failures[0].startswith("activate refused") and "500" in result.failures[0]
    assert result.failures[-1] == "never active"
    assert result.metrics["active_s"] == 0.0


def test_nan_from_the_network_makes_the_simulated_robot_sit_and_it_stands_up_again(folder: Path) -> None:
    """The robot lands on its own legs, stays whole, and works again after reset, without a relaunch."""
    bundle = nan_bundle(folder / "nan")
    ups = [event(20, "arm"), event(30, "stand"), event(300, "activate")]
    schedule = [
        *ups,
        event(400, "velocity_command", 1.0, 0.0, 0.0),
        event(1000, "reset"),
        event(1001, "stand"),
        event(1500, "activate"),
    ]
    kept = simulated(bundle, schedule).until(1600)
    landed = next(index for index, record in enumerate(kept.records) if record.mode is Mode.LANDING)
    trip = kept.records[landed].trips[0]
    assert trip.name == "policy" and "finite" in trip.detail
    assert trip.landing == kept.robot_step.limits.landings["policy", Mode.ACTIVE]
    written = [record.safe for record in kept.records if record.safe is not None]
    assert all(np.isfinite(command.joint_pos).all() for command in written)
    low = min(kept.robot.ground_truth().position[2], 1.0)
    assert low > 0.25  # it stands again
    assert not kept.run.refusals
    assert kept.record(1600).mode is Mode.ACTIVE and not kept.record(1600).trips
