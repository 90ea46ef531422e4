"""Robot files: what they give, and how they are refused."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from robot_policies.exceptions import InputError, ResourceError, SchemaError
from robot_policies.resources import find
from robot_policies.robot_spec import RobotSpec, load_robot_spec
from robot_policies.sensor_spec import load_depth_sensor, load_imu_sensor

GO2 = yaml.safe_load(find("robots", "go2").read_text(encoding="utf-8"))
ROBOTS = ("go2", "g1")


@pytest.fixture(params=ROBOTS)
def spec(request: pytest.FixtureRequest) -> RobotSpec:
    return load_robot_spec(request.param)


def saved(tmp_path: Path, data: Any, name: str = "go2") -> Path:
    path = tmp_path / f"{name}.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return path


def test_every_array_has_one_value_per_joint(spec: RobotSpec) -> None:
    count = len(spec.joint_names)
    arrays = {key: value for key, value in vars(spec).items() if isinstance(value, np.ndarray)}
    assert len(arrays) == 7
    for key, value in arrays.items():
        assert value.shape[0] == count, key
        assert np.isfinite(value).all(), key
    assert all(pose.shape == (count,) for pose in spec.poses.values())


def test_arrays_cannot_be_written(spec: RobotSpec) -> None:
    for values in (spec.joint_lower, spec.effort_limit, spec.torque_speed, spec.poses["stand"], spec.stand_stiffness):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 0.0


def test_poses_lie_within_the_limits(spec: RobotSpec) -> None:
    for pose in spec.poses.values():
        assert ((spec.joint_lower <= pose) & (pose <= spec.joint_upper)).all()


def test_the_go2_is_in_sdk_motor_order_with_the_published_limits() -> None:
    spec = load_robot_spec("go2")
    legs, parts = ("FR", "FL", "RR", "RL"), ("hip", "thigh", "calf")
    assert spec.joint_names == tuple(f"{leg}_{part}_joint" for leg in legs for part in parts)
    assert spec.feet == tuple(f"{leg}_foot" for leg in legs)
    assert spec.effort_limit.tolist() == [23.7, 23.7, 45.43] * 4
    assert spec.joint_vel_limit.tolist() == [30.1, 30.1, 15.70] * 4
    assert spec.joint_lower[:3].tolist() == [-1.0472, -1.5708, -2.7227]
    assert spec.joint_upper[6:9].tolist() == [1.0472, 4.5379, -0.83776]
    assert spec.state_rate == 200.0


def test_the_g1_is_in_sdk_motor_order() -> None:
    spec = load_robot_spec("g1")
    leg = ("hip_pitch", "hip_roll", "hip_yaw", "knee", "ankle_pitch", "ankle_roll")
    arm = ("shoulder_pitch", "shoulder_roll", "shoulder_yaw", "elbow", "wrist_roll", "wrist_pitch", "wrist_yaw")
    names = [f"{side}_{part}" for side in ("left", "right") for part in leg] + [
        "waist_yaw",
        "waist_roll",
        "waist_pitch",
    ]
    names += [f"{side}_{part}" for side in ("left", "right") for part in arm]
    assert spec.joint_names == tuple(f"{name}_joint" for name in names)
    assert spec.model is None
    assert spec.feet == ()


def test_the_g1_is_symmetric() -> None:
    """Right limits mirror left ones: pitch, knee and elbow keep their sign, roll and yaw change it."""
    spec = load_robot_spec("g1")
    for index, name in enumerate(spec.joint_names):
        if name.startswith("left_"):
            twin = spec.joint_names.index("right_" + name.removeprefix("left_"))
            low, high = spec.joint_lower[index], spec.joint_upper[index]
            mirrored = (-high, -low) if "roll" in name or "yaw" in name else (low, high)
            assert (spec.joint_lower[twin], spec.joint_upper[twin]) == mirrored, name
            assert spec.effort_limit[twin] == spec.effort_limit[index]


def test_joint_index_maps_by_name(spec: RobotSpec) -> None:
    order = np.random.default_rng(1).permutation(len(spec.joint_names))
    names = [spec.joint_names[place] for place in order]
    assert np.array_equal(spec.joint_index(names), order)
    assert [spec.joint_names[place] for place in spec.joint_index(names[:3])] == names[:3]
    assert spec.joint_index(()).shape == (0,)


def test_joint_index_lists_what_is_wrong_and_what_is_valid() -> None:
    spec = load_robot_spec("go2")
    with pytest.raises(InputError) as caught:
        spec.joint_index(["FR_hip_joint", "FR_knee_joint", "FR_hip_joint"])
    message = str(caught.value)
    assert "unknown FR_knee_joint" in message
    assert "FR_hip_joint twice" in message
    assert "RL_calf_joint" in message
    assert "\n" not in message


def test_joint_index_refuses_a_joint_named_twice() -> None:
    with pytest.raises(InputError, match="each once; found RL_calf_joint twice; valid: FR_hip_joint"):
        load_robot_spec("go2").joint_index(["RL_calf_joint", "RL_calf_joint"])


def test_a_file_by_its_path(tmp_path: Path) -> None:
    by_path = load_robot_spec(saved(tmp_path, GO2))
    by_name = load_robot_spec("go2")
    assert by_path.joint_names == by_name.joint_names
    assert np.array_equal(by_path.torque_speed, by_name.torque_speed)


def test_an_unknown_robot_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ResourceError, match="g1.*go2"):
        load_robot_spec("go3")


def change(*path: Any, to: Any) -> Callable[[dict[str, Any]], None]:
    def apply(data: dict[str, Any]) -> None:
        *way, last = path
        place: Any = data
        for key in way:
            place = place[key]
        if to is KeyError:
            del place[last]
        else:
            place[last] = to

    return apply


FAULTS: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "unknown key": (change("colour", to="grey"), "colour: unknown key; found 'grey'"),
    "missing key": (change("feet", to=KeyError), "feet: asked for, not found"),
    "missing key of a joint": (change("joints", 4, "effort", to=KeyError), "joints.4.effort: asked for, not found"),
    "unknown key of a joint": (change("joints", 0, "gear", to=6.33), "joints.0.gear: unknown key; found 6.33"),
    "text for a number": (change("joints", 2, "effort", to="45.43"), "joints.2.effort: .*found '45.43'"),
    "not finite": (change("joints", 2, "effort", to=float("nan")), "joints.2.effort"),
    "negative effort": (change("joints", 2, "effort", to=-1.0), "joints.2.effort: .*greater than 0"),
    "other format": (change("format", to=2), "format: .*found 2"),
    "other name": (change("name", to="go1"), "name: the name of the file; found go1; valid: go2"),
    "no joints": (change("joints", to=[]), "joints"),
    "range turned round": (change("joints", 0, "range", to=[1.0, -1.0]), "FR_hip_joint.range: .*found 1.0, -1.0"),
    "curve turned round": (change("joints", 0, "torque_speed", to=[30.0, 10.0]), "torque_speed: low before high"),
    "joint twice": (change("joints", 1, "name", to="FR_hip_joint"), "joints: each name once; found FR_hip_joint twice"),
    "foot twice": (change("feet", 1, to="FR_foot"), "feet: each name once; found FR_foot twice"),
    "name with a space": (change("joints", 1, "name", to="a b"), "joints.1.name"),
    "short pose": (change("poses", "stand", to=[0.0]), "poses.stand: .*found 1 numbers; valid: 12 numbers"),
    "pose out of range": (
        change("poses", "stand", 0, to=2.0),
        "FR_hip_joint within its limits; found 2.0",
    ),
    "no sit pose": (change("poses", "sit", to=KeyError), "found no sit; valid: sit: 12 joint positions"),
    "gains of another size": (change("stand_gains", "damping", to=[1.0, 2.0]), "damping: .*found 2; valid: 1 or 12"),
    "no gains": (change("stand_gains", "stiffness", to=[]), "stiffness: .*found 0; valid: 1 or 12"),
    "no state rate": (change("state_rate", to=0.0), "state_rate"),
    "camera without a place": (change("sensors", "depth", "depth", "position", to=KeyError), "position: asked for"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_file_is_refused_with_both_sides(fault: str, tmp_path: Path) -> None:
    apply, message = FAULTS[fault]
    data = copy.deepcopy(GO2)
    apply(data)
    path = saved(tmp_path, data)
    with pytest.raises(SchemaError, match=message) as caught:
        load_robot_spec(path)
    assert all(line.startswith(str(path)) for line in str(caught.value).splitlines())


def test_all_faults_of_a_file_are_said_at_once(tmp_path: Path) -> None:
    data = copy.deepcopy(GO2)
    data["name"], data["joints"][0]["range"] = "go1", [1.0, -1.0]
    with pytest.raises(SchemaError) as caught:
        load_robot_spec(saved(tmp_path, data))
    assert len(str(caught.value).splitlines()) >= 2


def test_sensor_profiles() -> None:
    depth, imu = load_depth_sensor("d435"), load_imu_sensor("imu_mems")
    assert (depth.width, depth.height) == (106, 60)
    assert 2.0 * np.degrees(np.arctan(depth.width / 2.0 / depth.fx)) == pytest.approx(87.0, abs=0.1)
    assert (depth.cx, depth.cy) == ((depth.width - 1) / 2, (depth.height - 1) / 2)
    assert 0.0 < imu.gyro_noise < 0.05


def test_a_profile_of_another_kind_is_refused() -> None:
    with pytest.raises(SchemaError, match="kind"):
        load_depth_sensor("imu_mems")
    with pytest.raises(SchemaError, match="kind"):
        load_imu_sensor("d435")


def test_a_camera_that_sees_nothing_is_refused(tmp_path: Path) -> None:
    data = yaml.safe_load(find("sensors", "d435").read_text(encoding="utf-8"))
    data["near"] = data["far"]
    with pytest.raises(SchemaError, match="near below far; found 10.0 and 10.0"):
        load_depth_sensor(saved(tmp_path, data, "d435"))


def test_the_sensors_that_robots_name_exist(spec: RobotSpec) -> None:
    load_imu_sensor(spec.sensors.imu.sensor)
    for mount in spec.sensors.depth.values():
        load_depth_sensor(mount.sensor)
