"""Robot file = model: names, limits, masses, motors, sensors and the camera of the Go2."""

from __future__ import annotations

import math

import mujoco
import numpy as np
import pytest

from robot_policies.exceptions import RobotError
from robot_policies.robot_spec import RobotSpec, load_robot_spec
from robot_policies.sensor_spec import load_depth_sensor
from sim2real.mujoco.world import LOOK_GROUP, ModelMap, build_model, map_model, world_spec

OBJ = mujoco.mjtObj


@pytest.fixture(scope="module")
def spec() -> RobotSpec:
    return load_robot_spec("go2")


@pytest.fixture(scope="module")
def model(spec: RobotSpec) -> mujoco.MjModel:
    return build_model(spec)


@pytest.fixture(scope="module")
def places(spec: RobotSpec, model: mujoco.MjModel) -> ModelMap:
    return map_model(spec, model)


def test_the_model_has_the_joints_of_the_file_and_a_free_base(spec: RobotSpec, model: mujoco.MjModel) -> None:
    hinges = [model.joint(i).name for i in range(model.njnt) if model.jnt_type[i] == mujoco.mjtJoint.mjJNT_HINGE]
    assert sorted(hinges) == sorted(spec.joint_names)
    assert (model.nq, model.nv, model.nu) == (19, 18, 12)
    assert model.jnt_type[0] == mujoco.mjtJoint.mjJNT_FREE


def test_joint_ranges_and_peak_torques_agree(spec: RobotSpec, model: mujoco.MjModel, places: ModelMap) -> None:
    ranges = np.array([model.joint(name).range for name in spec.joint_names])
    assert ranges == pytest.approx(np.stack([spec.joint_lower, spec.joint_upper], axis=1))
    assert model.actuator_ctrllimited.all()
    assert model.actuator_ctrlrange[places.ctrl] == pytest.approx(np.stack([-spec.effort_limit, spec.effort_limit], 1))
    assert (model.actuator_gear[:, 0] == 1.0).all()


def test_motors_are_plain_torque_motors(model: mujoco.MjModel) -> None:
    assert (model.actuator_gaintype == mujoco.mjtGain.mjGAIN_FIXED).all()
    assert (model.actuator_biastype == mujoco.mjtBias.mjBIAS_NONE).all()
    assert (model.actuator_gainprm[:, 0] == 1.0).all()


def test_masses(model: mujoco.MjModel) -> None:
    """Unitree's URDF: base 6.921, and per leg hip 0.678, thigh 1.152, calf 0.154, foot 0.04 kg."""
    masses = {model.body(i).name: float(model.body_mass[i]) for i in range(1, model.nbody)}
    assert masses.pop("base") == pytest.approx(6.921)
    for name, mass in masses.items():
        assert mass == pytest.approx({"hip": 0.678, "thigh": 1.152, "calf": 0.194}[name.split("_")[1]]), name
    assert model.body_mass.sum() == pytest.approx(15.017)


def test_inertias_are_possible_and_mirrored(model: mujoco.MjModel) -> None:
    for body in range(1, model.nbody):
        a, b, c = sorted(model.body_inertia[body])
        assert a > 0.0
        assert a + b >= c, model.body(body).name
    for part in ("hip", "thigh", "calf"):
        right, left = model.body(f"FR_{part}"), model.body(f"FL_{part}")
        assert right.inertia == pytest.approx(left.inertia, rel=1e-6)
        assert right.ipos == pytest.approx(left.ipos * [1, -1, 1])
        assert right.pos == pytest.approx(left.pos * [1, -1, 1])


def test_calf_and_foot_are_merged_without_loss(model: mujoco.MjModel) -> None:
    """About the calf's origin, mass moments of the merged body equal those of the two links of the URDF."""
    body = model.body("FL_calf")
    turn = np.zeros(9)
    mujoco.mju_quat2Mat(turn, body.iquat)
    frame = turn.reshape(3, 3)
    merged = frame @ np.diag(body.inertia) @ frame.T + about_origin(float(body.mass[0]), body.ipos)
    calf = np.array([[1.08e-3, 3.4e-7, 1.72e-5], [3.4e-7, 1.1e-3, 8.28e-6], [1.72e-5, 8.28e-6, 3.29e-5]])
    parts = calf + about_origin(0.154, np.array([0.00548, -0.000975, -0.115]))
    parts += 9.6e-6 * np.eye(3) + about_origin(0.04, np.array([0.0, 0.0, -0.213]))
    assert merged == pytest.approx(parts, abs=2e-8)


def about_origin(mass: float, centre: np.ndarray) -> np.ndarray:
    return np.asarray(mass * (centre @ centre * np.eye(3) - np.outer(centre, centre)))


def test_drive_train(model: mujoco.MjModel, places: ModelMap) -> None:
    assert model.dof_armature[places.qvel] == pytest.approx(np.tile([0.01, 0.01, 0.02], 4))
    assert model.dof_damping[places.qvel] == pytest.approx(np.full(12, 0.1))
    assert model.dof_frictionloss[places.qvel] == pytest.approx(np.full(12, 0.2))
    assert not model.dof_damping[:6].any()


def test_time_step_is_half_a_robot_cycle(spec: RobotSpec, model: mujoco.MjModel) -> None:
    assert model.opt.timestep * 2.0 * spec.state_rate == pytest.approx(1.0)


def test_collisions_are_primitives_with_names_and_meet_only_the_world(model: mujoco.MjModel) -> None:
    shapes = mujoco.mjtGeom
    primitive = (shapes.mjGEOM_BOX, shapes.mjGEOM_CYLINDER, shapes.mjGEOM_CAPSULE, shapes.mjGEOM_SPHERE)
    kinds = {int(kind) for kind in primitive}
    solid = [i for i in range(model.ngeom) if model.geom_bodyid[i] and model.geom_contype[i]]
    names = {model.geom(i).name for i in solid}
    assert {int(model.geom_type[i]) for i in solid} <= kinds
    legs = {f"{leg}_{part}" for leg in ("FR", "FL", "RR", "RL") for part in ("hip", "thigh", "calf", "foot")}
    assert {"base"} | legs <= names
    assert "" not in names
    assert not any(model.geom_conaffinity[i] for i in solid)  # so no two parts of the robot collide
    ground = model.geom("ground").id
    assert all(model.geom_contype[i] & model.geom_conaffinity[ground] for i in solid)


def test_feet(spec: RobotSpec, model: mujoco.MjModel) -> None:
    for foot in spec.feet:
        geom, site = model.geom(foot), model.site(foot)
        assert geom.type == mujoco.mjtGeom.mjGEOM_SPHERE
        assert geom.size[0] == pytest.approx(0.022)
        assert site.pos == pytest.approx(geom.pos)
        assert site.size[0] > geom.size[0]  # or the touch sensor would miss contacts
        assert model.geom_bodyid[geom.id] == model.site_bodyid[site.id] == model.body(foot.replace("foot", "calf")).id


def test_the_look_weighs_nothing_and_touches_nothing(spec: RobotSpec, model: mujoco.MjModel) -> None:
    look = model.geom_group == LOOK_GROUP
    assert look.sum() > 50
    assert not model.geom_contype[look].any()
    assert not model.geom_conaffinity[look].any()
    bare = build_model(spec, look=False)
    assert bare.ngeom == model.ngeom - look.sum()
    assert bare.body_mass == pytest.approx(model.body_mass)
    assert bare.body_inertia == pytest.approx(model.body_inertia)


def test_the_imu_is_where_the_file_says(spec: RobotSpec, model: mujoco.MjModel) -> None:
    site = model.site("imu")
    assert model.body(model.site_bodyid[site.id]).name == spec.base_bodies[0]
    assert site.pos == pytest.approx(spec.sensors.imu.position)
    assert site.quat == pytest.approx([1.0, 0.0, 0.0, 0.0])


def test_the_depth_camera_is_where_the_file_says_and_sees_what_its_profile_says(
    spec: RobotSpec, model: mujoco.MjModel
) -> None:
    assert set(spec.sensors.depth) == {model.camera(i).name for i in range(model.ncam)}
    for name, mount in spec.sensors.depth.items():
        camera, sensor = model.camera(name), load_depth_sensor(mount.sensor)
        assert camera.pos == pytest.approx(mount.position)
        turn = np.zeros(9)
        mujoco.mju_quat2Mat(turn, camera.quat)
        optical = turn.reshape(3, 3) @ np.diag([1.0, -1.0, -1.0])  # x right, y down, z forward
        pitch = mount.pitch
        assert optical[:, 2] == pytest.approx([math.cos(pitch), 0.0, -math.sin(pitch)], abs=1e-4)
        assert optical[:, 0] == pytest.approx([0.0, -1.0, 0.0], abs=1e-9)
        fovy = 2.0 * math.degrees(math.atan(sensor.height / 2.0 / sensor.fy))
        assert float(camera.fovy[0]) == pytest.approx(fovy, abs=0.05)


def test_fall_bodies(spec: RobotSpec, model: mujoco.MjModel, places: ModelMap) -> None:
    names = {"base", "FR_thigh", "FL_thigh", "RR_thigh", "RL_thigh"}
    assert set(places.fall_bodies.values()) == names
    assert {model.body(body).name for body in places.fall_bodies} == names


def shuffled(spec: RobotSpec) -> RobotSpec:
    """The same robot with another motor order."""
    order = np.random.default_rng(3).permutation(len(spec.joint_names))
    swapped = {key: value for key, value in vars(spec).items()}
    swapped["joint_names"] = tuple(spec.joint_names[place] for place in order)
    return RobotSpec(**swapped)


def test_the_order_of_the_file_is_what_counts(spec: RobotSpec, model: mujoco.MjModel) -> None:
    other = shuffled(spec)
    places = map_model(other, model)
    for index, name in enumerate(other.joint_names):
        assert places.qpos[index] == model.joint(name).qposadr[0]
        assert places.qvel[index] == model.joint(name).dofadr[0]
        assert model.actuator_trnid[places.ctrl[index], 0] == model.joint(name).id


def without(spec: RobotSpec, kind: str, name: str) -> mujoco.MjModel:
    world = world_spec(spec)
    world.delete(getattr(world, kind)(name))
    return world.compile()


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("actuator", "FL_calf", "a motor on every joint; found none on FL_calf_joint"),
        ("sensor", "imu_gyro", "a sensor named imu_gyro; found none; valid: imu_acc"),
        ("sensor", "RL_foot_force", "a sensor named RL_foot_force"),
    ],
)
def test_a_model_that_lacks_a_part_is_refused(spec: RobotSpec, kind: str, name: str, message: str) -> None:
    with pytest.raises(RobotError, match=message):
        map_model(spec, without(spec, kind, name))


def test_a_joint_that_the_model_lacks_is_named_with_those_it_has(spec: RobotSpec, model: mujoco.MjModel) -> None:
    changed = RobotSpec(**{**vars(spec), "joint_names": ("FR_knee_joint", *spec.joint_names[1:])})
    with pytest.raises(RobotError, match="a joint named FR_knee_joint; found none; valid: base, FR_hip_joint"):
        map_model(changed, model)


def test_a_robot_without_a_model_is_refused() -> None:
    with pytest.raises(RobotError, match="a MuJoCo model of the robot g1; found none"):
        build_model(load_robot_spec("g1"))


def test_terrains_by_name_or_function(spec: RobotSpec) -> None:
    def step(world: mujoco.MjSpec) -> None:
        world.worldbody.add_geom(name="step", type=mujoco.mjtGeom.mjGEOM_BOX, size=[1.0, 1.0, 0.1])

    model = build_model(spec, step)
    assert model.geom("step").type == mujoco.mjtGeom.mjGEOM_BOX
    assert mujoco.mj_name2id(model, OBJ.mjOBJ_GEOM, "ground") < 0
    assert build_model(spec, "flat").geom("ground").type == mujoco.mjtGeom.mjGEOM_PLANE
    with pytest.raises(RobotError, match="found 'moon'; valid: flat"):
        build_model(spec, "moon")
