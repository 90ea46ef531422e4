"""Memory of a policy that runs for an hour: flat."""

from __future__ import annotations

import gc
import resource
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.bundles import README, contract_of, standing
from helpers.networks import gru

from robot_policies.bundle.write import write_bundle
from robot_policies.control.policy_step import PolicyStep
from robot_policies.robot_spec import load_robot_spec
from robot_policies.types import PolicyInputs, VelocityCommand

SPEC = load_robot_spec("go2")
HOUR = 180_000  # ticks at 50 Hz
TICKS = 20_000
STATE = {"input": "h_in", "output": "h_out", "shape": [1, 1, 8], "reset": "activation"}


def recurrent_contract() -> dict[str, Any]:
    """Everything that keeps something: history of a term and of the group, states, filter."""
    contract = contract_of(SPEC)
    group = contract["observations"]["policy"]
    group["terms"][0]["history"] = {"ages": [2, 1, 0], "fill": "first_frame"}
    group["history"] = {"ages": [0, 1, 2, 3], "fill": "zeros"}
    contract["networks"][0] |= {"states": [STATE]}
    contract["networks"][0]["inputs"][0]["shape"] = [1, 204]
    contract["action"]["filter"] = {"alpha": 0.8}
    return contract


def run(step: PolicyStep, begin: int, ticks: int) -> float:
    checksum = 0.0
    for tick in range(begin, begin + ticks):
        stamp = tick * 20_000_000
        inputs = PolicyInputs(standing(SPEC, stamp), VelocityCommand(stamp, 0.001 * (tick % 500), 0.0, 0.0))
        checksum += float(step(inputs).command.joint_pos[0])
    return checksum


@pytest.mark.slow
def test_neither_python_nor_the_process_grows(tmp_path: Path) -> None:
    files = {"actor.onnx": gru(204, 8, 12), "README.md": README}
    step = PolicyStep(write_bundle(tmp_path / "gru", recurrent_contract(), files, SPEC, ticks=32), SPEC)
    run(step, 0, 1000)
    gc.collect()
    tracemalloc.start()
    run(step, 1000, 200)
    gc.collect()
    traced, resident = tracemalloc.get_traced_memory()[0], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert np.isfinite(run(step, 1200, TICKS // 2))
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - traced
    tracemalloc.stop()
    assert np.isfinite(run(step, 1200 + TICKS // 2, TICKS // 2))
    peak = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resident)
    # One retained record has some 4 kB: 10,000 of them would be 40 MB.
    assert grown < 50_000, f"{grown} bytes after {TICKS // 2} ticks, {grown * HOUR // TICKS * 2} in an hour"
    assert peak < 8_000_000, f"the process grew by {peak} bytes over {TICKS} ticks"
