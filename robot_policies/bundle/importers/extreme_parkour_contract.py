"""The contract of an Extreme Parkour bundle: groups, wiring, camera."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from robot_policies.bundle.importers import defaults
from robot_policies.bundle.importers import extreme_parkour as source
from robot_policies.bundle.importers.contract_dict import base_dict, term_dict
from robot_policies.bundle.importers.extreme_parkour_depth import STATES
from robot_policies.bundle.importers.extreme_parkour_onnx import ACTIONS, ACTOR_IN, EXPLICIT, HISTORY_LATENT, LATENT
from robot_policies.bundle.importers.policy import Entry, ForeignPolicy
from robot_policies.bundle.importers.refusal import refused
from robot_policies.robot_spec import RobotSpec
from robot_policies.sensor_spec import load_depth_sensor

KIND = "parkour"
# [rad]: a robot that climbs leans far; training ends at 1.5. The robot's safety file says how much of it counts.
TILT = 1.5
# [s]: two and a half images of training. Then what was seen last is held: a robot that rears up sees nothing but sky,
# for 0.2 s on its way over a step of 0.5 m, and to land there would be to fall.
DEPTH_MAX_AGE, DEPTH_LOST = 0.25, "blind"
# [s], age of an image when it is due: 0 in training, where one more image is waited for inside. The files state no
# range; up to what a D435 takes is let through, as with the range of training no real camera would be.
HANDED_OVER = (0.0, 0.142)
ACTION_DELAY = (0.0, 0.02)  # [s]: none at first, then one control step
# [ticks]: what training ends with. Without it the public weights, given true heights, leap 0.5 m in 1 of 20 episodes.
WAITS = 1
# [m], [rad]: of the Go2 port's training (pitch 20 to 25 deg), and of the original (-5 to 5 deg)
PORT = {"position": (0.355, 0.0, 0.065), "pitch": math.radians(22.5), "pitch_range": math.radians(2.5)}
ORIGINAL = {"position": (0.27, 0.0, 0.03), "pitch": 0.0, "pitch_range": math.radians(5.0)}
_HFOV_TOLERANCE = math.radians(2.0)  # the port's own cameras span 86 to 90 deg


def parkour_dict(
    policy: ForeignPolicy, spec: RobotSpec, sees: bool, name: str, licence: str | None, provenance: Mapping[str, str]
) -> dict[str, Any]:
    """Return everything of policy.yaml but ``format`` and ``files``.

    Args:
        policy: with torque limits.
        spec: the robot.
        sees: whether there is a depth network.
        name: of the bundle.
        licence: the user's; None takes the policy's.
        provenance: where it came from and what was compared.
    """
    data = base_dict(policy, spec, name, licence, provenance)
    data |= {
        "kind": KIND,
        "observations": _groups(policy, sees),
        "networks": [_depth_network() if sees else _scan_network(), *_base_networks(sees)],
        "delays": {"action": ACTION_DELAY},
    }
    data["action"] |= {"source": {"network": "actor", "output": "actions"}, "delay": WAITS}
    data["commands"]["velocity"]["lin_vel_x"]["dead_band"] = source.DEAD_BAND
    data["limits"]["tilt"] = TILT
    if sees:
        data["depth"] = {"depth": camera(spec)}
        data["limits"]["inputs"]["depth"] = {"max_age": DEPTH_MAX_AGE, "lost": DEPTH_LOST}
    return data


def defaults_taken(licence: str | None, policy: ForeignPolicy, sees: bool) -> tuple[str, ...]:
    """Return the project's defaults in the bundle, in words."""
    taken = [
        f"state at most {defaults.STATE_MAX_AGE:g} s old, then landing",
        f"command at most {defaults.COMMAND_MAX_AGE:g} s old; an absent or older one means {defaults.ABSENT}",
        f"tilt at most {TILT:g} rad",
        f"start pose: the default positions, every joint within {defaults.START_TOLERANCE:g} rad",
    ]
    if sees:
        taken.append(f"images at most {DEPTH_MAX_AGE:g} s old, then what was seen last is held")
    if licence is None and policy.licence is None:
        taken.append(f"licence: {defaults.LICENCE}")
    return tuple(taken)


def _groups(policy: ForeignPolicy, sees: bool) -> dict[str, Any]:
    terms = [term_dict(entry) for entry in policy.entries]
    # Ten frames before the present one, oldest first: training read the history before it stored the present.
    past = {"ages": list(range(source.FRAMES, 0, -1)), "fill": "zeros_then_first_frame", "mask": list(source.MASK)}
    groups: dict[str, Any] = {
        "proprio": {"terms": terms, "clip": policy.clip},
        "history": {"terms": terms, "history": past, "clip": policy.clip},
    }
    if not sees:
        groups["scan"] = {"terms": [term_dict(_scan())], "clip": policy.clip}
    return groups


def _scan() -> Entry:
    params = {"x": list(source.SCAN_X), "y": list(source.SCAN_Y), "cell": source.SCAN_CELL}
    clip = (-source.SCAN_CLIP, source.SCAN_CLIP)
    size = len(source.SCAN_X) * len(source.SCAN_Y)
    return Entry("height_scan", size, offset=source.SCAN_OFFSET, clip=clip, params=params)


def _scan_network() -> dict[str, Any]:
    size = _scan().size
    return {
        "name": "scan",
        "file": "scan.onnx",
        "period": source.PERIOD,
        "inputs": [{"name": "scan", "shape": [1, size], "source": [{"observation": "scan"}]}],
        "outputs": [{"name": "latent", "shape": [1, LATENT]}],
    }


def _depth_network() -> dict[str, Any]:
    image, size = [1, *source.IMAGE], sum(entry.size for entry in source.proprioception(sees=True))
    return {
        "name": "depth_encoder",
        "file": "depth_encoder.onnx",
        "period": source.PERIOD,
        "inputs": [
            {"name": "image", "shape": image, "source": [{"depth": "depth"}]},
            {"name": "proprio", "shape": [1, size], "source": [{"observation": "proprio"}]},  # 6 and 7 are 0
        ],
        "outputs": [{"name": "latent", "shape": [1, LATENT]}, {"name": "yaw", "shape": [1, 2]}],
        "states": [
            {"input": f"{name}_in", "output": f"{name}_out", "shape": list(shape), "reset": "activation"}
            for name, shape in STATES.items()
        ],
    }


def _base_networks(sees: bool) -> list[dict[str, Any]]:
    """Return estimator, history encoder and actor; the first and the last read the direction that is predicted."""
    size = sum(entry.size for entry in source.proprioception(sees))
    proprio: list[dict[str, Any]] = [{"observation": "proprio"}]
    if sees:
        proprio = [
            {"observation": "proprio", "slice": [0, source.MASK[0]]},
            {"network": "depth_encoder", "output": "yaw", "scale": source.YAW_SCALE},
            {"observation": "proprio", "slice": [source.MASK[-1] + 1, size]},
        ]
    latents = [
        {"network": "depth_encoder" if sees else "scan", "output": "latent"},
        {"network": "estimator", "output": "explicit"},
        {"network": "history_encoder", "output": "latent"},
    ]
    past = [{"observation": "history"}]
    return [
        _network("estimator", "proprio", size, proprio, "explicit", EXPLICIT),
        _network("history_encoder", "history", source.FRAMES * size, past, "latent", HISTORY_LATENT),
        _network("actor", "obs", ACTOR_IN, [*proprio, *latents], "actions", ACTIONS),
    ]


def _network(
    name: str, feed: str, size: int, sources: list[dict[str, Any]], output: str, outputs: int
) -> dict[str, Any]:
    return {
        "name": name,
        "file": f"{name}.onnx",
        "period": 1,
        "inputs": [{"name": feed, "shape": [1, size], "source": sources}],
        "outputs": [{"name": output, "shape": [1, outputs]}],
    }


def camera(spec: RobotSpec) -> dict[str, Any]:
    """Return the depth input for the robot's camera.

    Raises:
        ImportFormatError: it has no camera with the image and field of view of training.
    """
    width, height = source.CAMERA
    for mount in spec.sensors.depth.values():
        sensor = load_depth_sensor(mount.sensor)
        hfov = 2.0 * math.atan(sensor.width / 2.0 / sensor.fx)
        if (sensor.width, sensor.height) == (width, height) and abs(hfov - source.HFOV) <= _HFOV_TOLERANCE:
            pinhole = {key: getattr(sensor, key) for key in ("width", "height", "fx", "fy", "cx", "cy")}
            return _camera(mount.sensor, pinhole, PORT if spec.name == "go2" else ORIGINAL)
    asked = f"a depth camera of {spec.name}, as in training"
    valid = f"{width} x {height} pixels over {math.degrees(source.HFOV):g} deg"
    raise refused(asked, sorted(mount.sensor for mount in spec.sensors.depth.values()) or "none", valid)


def _camera(sensor: str, pinhole: Mapping[str, Any], pose: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "sensor": sensor,
        "intrinsics": dict(pinhole),
        "pose": dict(pose),
        "crop": list(source.CROP),
        "size": list(source.IMAGE),
        "interpolation": "bicubic",
        "near": 0.0,
        "far": source.FAR,
        "invalid": "far",
        "scale": 1.0 / source.FAR,
        "offset": -0.5,
        "rate": 1.0 / (source.PERIOD * source.PHYSICS_DT * source.DECIMATION),
        "delay": HANDED_OVER,
    }
