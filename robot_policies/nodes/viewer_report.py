"""The page's tables: ages and rates of what comes in, percentiles of the stack, modes and trips."""

from __future__ import annotations

from typing import Any

from robot_policies.nodes.viewer_inputs import DEPTH
from robot_policies.nodes.viewer_source import Source
from robot_policies.nodes.viewer_text import Event, Numbers

# node, key of its diagnostics, what it is
TIMINGS = (
    ("robot_node", "latency_ms", "state to command"),
    ("robot_node", "lateness_ms", "robot wakes late"),
    ("robot_node", "cycle_ms", "robot cycle"),
    ("policy_node", "tick_ms", "policy tick"),
    ("policy_node", "lateness_ms", "policy ticks late"),
    ("depth_camera_node", "render_ms", "depth image"),
)


def numbers(node: Source) -> Numbers:
    """Return what the stack measures, as far as it is told."""
    facts, now_ns = node.facts, node.now_ns()
    inputs = [
        ("robot state", node.inputs.age("joint_states", now_ns), facts.rate("robot_node")),
        ("velocity command", node.velocity.age(now_ns), node.velocity.rate()),
        ("depth image", node.inputs.age(DEPTH, now_ns), _number(facts.nodes.get("depth_camera_node", {}), "rate_hz")),
        ("policy", None, facts.rate("policy_node")),
    ]
    timings = []
    for name, key, what in TIMINGS:
        values = facts.nodes.get(name, {}).get(key)
        if isinstance(values, dict) and facts.alive(name):
            timings.append((what, values))
    counts = {"ticks missed": int(_number(facts.policy, "missed_ticks") or 0)}
    counts["clamped"] = sum(facts.robot.get("clamps", {}).values())
    counts["refused"] = sum(facts.robot.get("refusals", {}).values())
    return Numbers(inputs, timings, counts)


def events(node: Source) -> list[Event]:
    """Return the changes of the mode and the trips that the robot node told, and who of two policies commanded."""
    robot, now_ns = node.facts.robot, node.now_ns()
    changes = [Event((now_ns - stamp) * 1e-9, str(mode)) for mode, stamp in robot.get("modes", [])]
    trips = [
        Event((now_ns - trip["stamp_ns"]) * 1e-9, f"trip {trip['name']} in {trip['mode']}: {trip['detail']}", trip=True)
        for trip in robot.get("trips", [])
    ]
    if len(node.facts.policy.get("policies", ())) < 2:
        return changes + trips  # one policy: it commands as the mode says
    here = node.clock()
    return [*changes, *trips, *(Event(here - at, f"{name} commands") for at, name in node.inputs.switches if name)]


def _number(values: dict[str, Any], key: str) -> float | None:
    value = values.get(key)
    return float(value) if isinstance(value, (int, float)) else None
