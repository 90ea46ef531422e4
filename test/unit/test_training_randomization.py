"""What is drawn stays in its range, changes the model where it should, and only there."""

from __future__ import annotations

from dataclasses import replace

import mujoco
import numpy as np

from robot_policies.robot_spec import load_robot_spec
from sim2real.randomization.actuators import draw_actuators, redraw
from sim2real.randomization.models import draw_bodies, varied_models, vary
from sim2real.randomization.ranges import NOMINAL, Randomization
from sim2real.training.build import load_model

RANGES = Randomization()


def test_bodies_stay_in_their_ranges_and_use_them() -> None:
    bodies = draw_bodies(RANGES, 2000, np.random.default_rng(0))
    for values, (low, high) in ((bodies.friction, RANGES.friction), (bodies.added_mass, RANGES.base_mass)):
        assert low <= values.min() < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < values.max() <= high
    assert (np.abs(bodies.com_shift) <= RANGES.base_com).all()
    assert (np.abs(bodies.com_shift).max(axis=0) > 0.9 * np.array(RANGES.base_com)).all()


def test_vary_changes_trunk_and_friction_of_a_copy_only() -> None:
    plant = load_model(load_robot_spec("go2"), 0.005)
    model, trunk = plant.model, plant.model.body("base").id
    before = model.body_mass.copy(), model.body_inertia.copy(), model.body_ipos.copy(), model.geom_friction.copy()
    varied = vary(model, "base", 0.5, 1.5, np.array([0.01, 0.02, 0.03]))
    for old, now in zip(
        before, (model.body_mass, model.body_inertia, model.body_ipos, model.geom_friction), strict=True
    ):
        np.testing.assert_array_equal(old, now)
    others = np.arange(model.nbody) != trunk
    np.testing.assert_array_equal(varied.body_mass[others], model.body_mass[others])
    assert varied.body_mass[trunk] == model.body_mass[trunk] + 1.5
    ratio = varied.body_mass[trunk] / model.body_mass[trunk]
    np.testing.assert_allclose(varied.body_inertia[trunk], ratio * model.body_inertia[trunk])
    np.testing.assert_allclose(varied.body_ipos[trunk] - model.body_ipos[trunk], [0.01, 0.02, 0.03])
    assert (varied.geom_friction[:, 0] == 0.5).all()
    assert varied.body_subtreemass[0] == mujoco.mj_getTotalmass(varied)


def test_friction_decides_how_far_a_robot_slides() -> None:
    plant = load_model(load_robot_spec("go2"), 0.0025)
    travelled = []
    for friction in (0.05, 1.0):
        model = vary(plant.model, "base", friction, 0.0, np.zeros(3))
        data = mujoco.MjData(model)
        data.qpos[list(plant.qpos)] = load_robot_spec("go2").poses["sit"]
        data.qvel[0] = 1.0
        for _ in range(400):
            mujoco.mj_step(model, data)
        travelled.append(data.qpos[0])
    assert travelled[0] > 1.4 * travelled[1]


def test_nominal_draws_nothing() -> None:
    rng = np.random.default_rng(0)
    bodies, actuators = draw_bodies(NOMINAL, 9, rng), draw_actuators(NOMINAL, 9, 12, rng)
    assert not bodies.added_mass.any() and not bodies.com_shift.any()
    assert (actuators.stiffness == 1).all() and (actuators.damping == 1).all() and (actuators.strength == 1).all()
    assert (actuators.delay == 1).all() and not actuators.state_delay.any()


def test_delays_are_whole_cycles_and_mostly_nominal() -> None:
    drawn = draw_actuators(RANGES, 5000, 1, np.random.default_rng(0))
    for delay, least in ((drawn.delay, 1), (drawn.state_delay, 0)):
        assert set(delay.tolist()) == {least, least + 1, least + 2}
        assert 0.6 < (delay == least).mean() < 0.75  # half of all, and a third of the other half
    both = (drawn.delay == 1) & (drawn.state_delay == 0)
    assert both.mean() > 0.5  # the nominal robots have neither delay


def test_redraw_replaces_the_named_rows_only() -> None:
    rng = np.random.default_rng(0)
    actuators = draw_actuators(RANGES, 6, 12, rng)
    before = replace(actuators, stiffness=actuators.stiffness.copy(), strength=actuators.strength.copy())
    rows = np.array([True, False, False, True, False, False])
    redraw(actuators, rows, RANGES, rng)
    for old, now in ((before.stiffness, actuators.stiffness), (before.strength, actuators.strength)):
        np.testing.assert_array_equal(old[~rows], now[~rows])
        assert (old[rows] != now[rows]).all()


def test_varied_models_are_one_per_body() -> None:
    plant = load_model(load_robot_spec("go2"), 0.005)
    bodies = draw_bodies(RANGES, 3, np.random.default_rng(0))
    masses = [float(model.body("base").mass[0]) for model in varied_models(plant.model, "base", bodies)]
    np.testing.assert_allclose(masses, 6.921 + bodies.added_mass)
