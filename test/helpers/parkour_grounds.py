"""Grounds of parkour for the tests of its teacher: steps and gaps, from low to high."""

from __future__ import annotations

from sim2real.training.grounds import GroundKind

STEPS = GroundKind("parkour_steps", 0.5, highest=0.4, lowest=0.1)
GAPS = GroundKind("parkour_gaps", 0.5, highest=0.6, lowest=0.2)
