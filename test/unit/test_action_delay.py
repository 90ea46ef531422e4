"""An action that training let act later: what is commanded when, and what the network reads of itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.bundles import contract_of

from robot_policies.action.decoder import ActionDecoder
from robot_policies.cli.contract_text import contract_text
from robot_policies.contract import Contract
from robot_policies.exceptions import SchemaError
from robot_policies.robot_spec import load_robot_spec
from robot_policies.schema import parse

SPEC = load_robot_spec("go2")


def contract(**action: Any) -> Contract:
    data = contract_of(SPEC) | {"format": 1, "files": {}}
    data["action"] |= action
    return parse(Contract, data, "test")


def raw(value: float) -> np.ndarray:
    return np.full(12, value, np.float32)


@pytest.mark.parametrize("delay", [0, 1, 2])
def test_what_is_commanded_is_so_many_ticks_old_and_zeros_before(delay: int) -> None:
    step = ActionDecoder(contract(delay=delay, clip=[-1.0, 1.0]), SPEC)
    for _ in range(2):
        given = [0.1, 0.2, 3.0, 0.4]
        processed = [float(step.action(raw(value), k).processed[0]) for k, value in enumerate(given)]
        clipped = [min(value, 1.0) for value in given]
        assert processed == pytest.approx([0.0] * delay + clipped[: len(clipped) - delay])
        step.reset()  # and everything anew


def test_the_network_reads_its_newest_action() -> None:
    step = ActionDecoder(contract(delay=1, clip=[-1.0, 1.0], last_action="raw"), SPEC)
    for value in (0.3, 2.0):
        action = step.action(raw(value), 0)
        np.testing.assert_array_equal(action.last_action, raw(value))
        np.testing.assert_array_equal(action.raw, raw(value))


def test_the_command_is_that_of_the_delayed_action() -> None:
    step, made = ActionDecoder(contract(delay=1), SPEC), contract(delay=1)
    offset, scale = np.array(made.action.offset), np.array(made.action.scale)
    first = step.command(step.action(raw(0.5), 0))
    second = step.command(step.action(raw(-0.5), 20))
    np.testing.assert_allclose(first.joint_pos[::-1], offset * np.ones(12))  # the bundle's order is the reverse
    np.testing.assert_allclose(second.joint_pos[::-1], offset + 0.5 * scale)
    assert second.stamp_ns == 20  # it answers the state of now


def test_a_policy_that_follows_another_one_goes_on_from_its_target() -> None:
    step = ActionDecoder(contract(delay=1), SPEC)
    step.action(raw(0.9), 0)
    target = step.command(ActionDecoder(contract(), SPEC).action(raw(0.25), 0)).joint_pos
    step.meant_by(target)
    np.testing.assert_allclose(step.action(raw(-0.9), 1).processed, raw(0.25), atol=1e-6)
    np.testing.assert_allclose(step.action(raw(0.0), 2).processed, raw(-0.9), atol=1e-6)


@pytest.mark.parametrize("delay", [-1, 11, 0.5])
def test_a_delay_is_a_small_whole_number(delay: float) -> None:
    with pytest.raises(SchemaError, match="delay"):
        contract(delay=delay)


def test_the_contract_in_words_says_it() -> None:
    assert "commanded 1 ticks later" in str(contract_text(contract(delay=1)))
    assert "ticks later" not in str(contract_text(contract()))
