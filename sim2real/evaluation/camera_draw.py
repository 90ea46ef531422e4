"""The depth camera of one episode on a randomised plant: its place, pitch, delay and faults, by the seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from robot_policies.contract import Depth
from sim2real.mujoco.camera_profile import CameraProfile
from sim2real.randomization.depth_faults import varied

_DRAW = 4  # of this seed; others draw the robot and its pushes


def drawn_camera(profile: CameraProfile, depth: Depth, control_dt: float, seed: int, number: int = 0) -> CameraProfile:
    """Return ``profile`` as the camera of one episode.

    Args:
        profile: the nominal camera.
        depth: of the bundle. Its ranges of place and pitch are drawn from around the robot's own mount. So are the
            least and the most delay of the episode's images from its range, as the policy refuses other delays: that
            range ends with the use of an image, which waits for the next tick, until the next one has come.
        control_dt: [s] of the bundle.
        seed: of the episode.
        number: of the camera, where a robot has several.
    """
    random = np.random.default_rng((seed, _DRAW, number))
    reach, pitch = np.asarray(depth.pose.position_range), depth.pose.pitch_range
    x, y, z = (np.asarray(profile.mount.position) + random.uniform(-reach, reach)).tolist()
    mount = replace(profile.mount, position=(x, y, z), pitch=profile.mount.pitch + float(random.uniform(-pitch, pitch)))
    low, high = depth.delay
    latest = max(low, high - 1.0 / profile.rate - control_dt)
    least, most = np.sort(random.uniform(low, latest, 2)).tolist()
    faults = varied(profile.faults, random)
    return replace(profile, mount=mount, delay=least, jitter=most - least, faults=faults)
