"""What the networks of parkour see, group by group: sizes, scales, mirrors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from robot_policies.types import Array, Array32
from sim2real.randomization.actuators import Actuators
from sim2real.randomization.models import Bodies
from sim2real.training.mirror import Mirror, frame_mirror, join, named, plain
from sim2real.training.task import ObservationTerm

# The grid of Extreme Parkour, without its outer columns: lanes are as wide as they are.
SCAN_X = np.round(np.arange(-0.45, 1.2001, 0.15), 2)  # [m] ahead of the base
SCAN_Y = np.round(np.arange(-0.45, 0.4501, 0.15), 2)  # [m] to the left
SCAN = np.array([(x, y) for x in SCAN_X for y in SCAN_Y])
STANDS = 0.3  # [m] of the base over the ground, that a scan takes for zero
PAST = tuple(range(11))  # ages of the frames that are kept: the present and ten before it
YAW_LIMIT = 1.5  # [rad], as Extreme Parkour's depth network can say
VELOCITY_SCALE = 2.0  # of the base's velocity, as in Extreme Parkour
LATENT = 20  # of the body
SCAN_LATENT = 32  # of the ground
VELOCITY = 3
YAW = 2  # errors to the near and to the far goal
HIDDEN = 128  # of the student's GRU
FEATURES = 64  # of an image, and of what goes into the GRU
FRAMES = 10  # past frames that the history encoder reads
RECENT = 5  # newest frames that the velocity estimator reads

_POLAR = (1.0, -1.0, 1.0)


def frame_size(terms: Sequence[ObservationTerm], feet: int = 4) -> int:
    """Return the size of one frame: the terms, the asked speed and the feet's contacts."""
    return sum(term.size for term in terms) + 1 + feet


def frame(terms: Array32, speed: Array, contact: npt.NDArray[np.bool_]) -> Array32:
    """Return one frame of all robots: terms (N, t), asked speed (N, 1) [m/s], contacts (N, f) as -0.5 or 0.5."""
    return np.concatenate([terms, speed, contact - 0.5], axis=1).astype(np.float32)


def hidden(bodies: Bodies, actuators: Actuators) -> Array32:
    """Return what was drawn of each robot, near 1 in size, (N, 7 + 3 n)."""
    columns = (
        bodies.friction[:, None],
        bodies.added_mass[:, None] / 2.0,
        20.0 * bodies.com_shift,
        actuators.delay[:, None] / 2.0,
        actuators.state_delay[:, None] / 2.0,
        5.0 * (actuators.stiffness - 1.0),
        5.0 * (actuators.damping - 1.0),
        5.0 * (actuators.strength - 1.0),
    )
    return np.concatenate(columns, axis=1).astype(np.float32)


def mirrors(terms: Sequence[ObservationTerm], joints: Sequence[str], feet: Sequence[str]) -> Mapping[str, Mirror]:
    """Return the mirror of each group that the policy reads."""
    own = join(frame_mirror(terms, joints), plain([1.0]), named(feet, [1.0] * len(feet)))
    yaw, velocity = plain([-1.0, -1.0]), plain(_POLAR)
    factors = named(joints, [1.0] * len(joints))
    drawn = join(plain([1.0, 1.0]), plain(_POLAR), plain([1.0, 1.0]), factors, factors, factors)
    return {
        "proprio": join(own, yaw),
        "scan": scan_mirror(),
        "hidden": drawn,
        "estimate": velocity,
        "critic": join(own, yaw, velocity, scan_mirror(), drawn),
    }


def scan_mirror() -> Mirror:
    """Return the mirror of the heights at ``SCAN``: y becomes -y."""
    index = np.arange(len(SCAN)).reshape(len(SCAN_X), len(SCAN_Y))[:, ::-1].ravel()
    return Mirror(index, np.ones(len(index)))
