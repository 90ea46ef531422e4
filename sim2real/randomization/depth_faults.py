"""How faulty depth cameras of one kind are: factors on what the sensor file says, for training and evaluation alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sim2real.mujoco.depth_faults import DepthFaults

# Factors on noise and holes: cameras of one kind differ, and so do surfaces and light. Estimates. The blind band is
# never wider than the sensor's: its data sheet has 0.195 m at this resolution, 0.7 of it.
NOISE, HOLES, BLIND = (0.5, 1.5), (0.5, 1.5), (0.7, 1.0)


def varied(faults: DepthFaults, random: np.random.Generator) -> DepthFaults:
    """Return ``faults`` as one camera has them."""
    noise, anywhere, edges, blind = (float(random.uniform(*factor)) for factor in (NOISE, HOLES, HOLES, BLIND))
    return replace(
        faults,
        noise=faults.noise * noise,
        hole_random=min(1.0, faults.hole_random * anywhere),
        hole_edges=min(1.0, faults.hole_edges * edges),
        blind_band=faults.blind_band * blind,
    )
