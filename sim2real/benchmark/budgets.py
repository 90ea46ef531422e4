"""The budgets, on two quiet cores: durations in us, by the name that is printed; ``least_`` is a minimum."""

from __future__ import annotations

from collections.abc import Mapping

BUDGETS: Mapping[str, Mapping[str, float]] = {
    "tick": {"p50_us": 60.0, "p99_us": 200.0},
    "tick_paced": {"p50_us": 400.0, "p99_us": 1000.0},
    "state_to_command": {"p50_us": 1300.0, "p99_us": 3000.0},
    "taken_to_tick": {"p99_us": 300.0},
    "tick_lateness": {"p99_us": 1000.0},
    "depth_to_command": {"p50_us": 8000.0, "p99_us": 15_000.0},  # without the wait for the tick
    "depth_total": {"p99_us": 35_000.0},  # with it: one control period and 15 ms
    "driver_500hz": {"p50_us": 270.0, "p99_us": 550.0},
    "wake_500hz": {"p99_us": 200.0},
    "wake_500hz_loaded": {"p99_us": 200.0},  # with SCHED_FIFO
    "policy_killed_to_landing": {"max_us": 100_000.0},
    "all_nodes_real_time_factor": {"least_value": 0.99},  # of a clock that cannot run ahead
    "all_nodes_cores": {"value": 1.0},  # half of the two stay free
    "offline_real_time_factor": {"least_value": 20.0},
}
