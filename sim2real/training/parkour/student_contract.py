"""The student of parkour in the words of the bundle's contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from robot_policies.bundle.write import plain
from robot_policies.robot_spec import RobotSpec
from sim2real.training.export import contract_of
from sim2real.training.parkour import depth_input
from sim2real.training.parkour.env import REFRESH
from sim2real.training.parkour.views import (
    FRAMES,
    HIDDEN,
    LATENT,
    RECENT,
    SCAN_LATENT,
    VELOCITY,
    YAW,
    YAW_LIMIT,
    frame_size,
)  # fmt: skip
from sim2real.training.task import Task

CONTACT = 2.0  # [N], as Extreme Parkour; training takes any contact
IMAGE_AGE = 0.23  # [s]: the oldest image of training when it comes, and one more image lost; stopped within 0.25 s
SLOWEST = 0.2  # [m/s], below which a command means standing, as Extreme Parkour
TILT = 1.3  # [rad]: a robot that climbs leans far; training ends at 1.25


def student_contract(task: Task, spec: RobotSpec, provenance: Mapping[str, str], version: str) -> dict[str, Any]:
    """Return everything of policy.yaml but ``format`` and ``files``."""
    data = contract_of(task, spec, provenance, version)
    size = frame_size(task.terms, len(spec.feet))
    terms = _terms(task, spec)
    data |= {
        "kind": "parkour",
        "observations": {
            "frame": {"terms": terms},
            "heading": {"terms": [_heading()]},
            "recent": {"terms": terms, "history": {"ages": list(range(RECENT)), "fill": "first_frame"}},
            "past": {"terms": terms, "history": {"ages": list(range(FRAMES, 0, -1)), "fill": "first_frame"}},
        },
        "networks": _networks(size, len(spec.joint_names)),
        "depth": {depth_input.NAME: plain(asdict(depth_input.depth_input(spec)))},
    }
    data["commands"]["velocity"] = _commands(task)
    data["limits"]["inputs"]["depth"] = {"max_age": IMAGE_AGE, "lost": "companion"}
    data["limits"]["tilt"] = TILT
    return data


def _terms(task: Task, spec: RobotSpec) -> list[dict[str, Any]]:
    own = [{"term": t.term, "size": t.size, "scale": t.scale, "noise": t.noise} for t in task.terms]
    feet = {"threshold": CONTACT, "feet": list(spec.feet)}
    contact = {"term": "foot_contact", "size": len(spec.feet), "offset": -0.5, "params": feet}
    return [*own, {"term": "forward_command", "size": 1}, contact]


def _heading() -> dict[str, Any]:
    return {"term": "heading_error", "size": 1, "params": {"limit": YAW_LIMIT, "period": REFRESH}}


def _commands(task: Task) -> dict[str, Any]:
    low, high = task.commands.lin_vel_x
    return {
        "lin_vel_x": {"range": [low, high], "dead_band": SLOWEST},
        "lin_vel_y": {"range": [0.0, 0.0]},
        # The heading that is asked for turns with it; a robot on obstacles does not turn faster.
        "ang_vel_z": {"range": [-0.6, 0.6], "dead_band": 0.0},
        "absent": "zero",
    }


def _networks(frame: int, joints: int) -> list[dict[str, Any]]:
    memory = {"input": "memory_in", "output": "memory_out", "shape": [1, 1, HIDDEN], "reset": "activation"}
    depth = {
        "name": "depth_encoder",
        "file": "depth_encoder.onnx",
        "period": REFRESH,
        "inputs": [
            {"name": "image", "shape": [1, *depth_input.SIZE], "source": [{"depth": depth_input.NAME}]},
            {
                "name": "frame",
                "shape": [1, frame + 1],
                "source": [{"observation": "frame"}, {"observation": "heading"}],
            },
        ],
        "outputs": [{"name": "latent", "shape": [1, SCAN_LATENT]}, {"name": "yaw", "shape": [1, YAW]}],
        "states": [memory],
    }
    sources: list[dict[str, Any]] = [
        {"observation": "frame"},
        {"network": "depth_encoder", "output": "yaw", "scale": YAW_LIMIT},
        {"network": "depth_encoder", "output": "latent"},
        {"network": "estimator", "output": "velocity"},
        {"network": "history_encoder", "output": "latent"},
    ]
    size = frame + YAW + SCAN_LATENT + VELOCITY + LATENT
    return [
        depth,
        _network("estimator", ("recent", RECENT * frame, [{"observation": "recent"}]), ("velocity", VELOCITY)),
        _network("history_encoder", ("history", FRAMES * frame, [{"observation": "past"}]), ("latent", LATENT)),
        _network("actor", ("observation", size, sources), ("action", joints)),
    ]


def _network(name: str, feed: tuple[str, int, list[dict[str, Any]]], output: tuple[str, int]) -> dict[str, Any]:
    return {
        "name": name,
        "file": f"{name}.onnx",
        "period": 1,
        "inputs": [{"name": feed[0], "shape": [1, feed[1]], "source": feed[2]}],
        "outputs": [{"name": output[0], "shape": [1, output[1]]}],
    }
