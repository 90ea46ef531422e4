"""Bundles whose terms and networks do not add up.

Each is refused whole, with what was asked, what was found, and what would be valid.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.broken import SOURCE, TERMS, Broken, both, gru_states, put, second

BROKEN: Broken = {
    "unknown term": (
        put(f"{TERMS}/0/term", "gyro"),
        r"terms.0 \(gyro\).term: a known observation term; found gyro; valid: base_ang_vel, ",
    ),
    "a term of another size": (
        put(f"{TERMS}/3/size", 11),
        r"\(joint_pos_rel\).size: of joint_pos_rel; found 11; valid: 12 for these joints",
    ),
    "a term that is wrong for the feet": (
        put(f"{TERMS}/0", {"term": "foot_contact", "size": 3, "params": {"threshold": 2.0, "feet": ["FL_foot"]}}),
        "size: of foot_contact; found 3; valid: 1 for these",
    ),
    "a foot that the robot has not": (
        put(f"{TERMS}/0", {"term": "foot_contact", "size": 1, "params": {"threshold": 2.0, "feet": ["tail"]}}),
        r"params.feet; found \['tail'\]; valid: a list of the robot's feet",
    ),
    "a tensor without end": (
        put("networks/0/outputs/0/shape", [1, 1 << 30]),
        "networks.actor: actions: its size; found 1073741824 values; valid: at most 16777216",
    ),
    "a term without its parameter": (
        put(f"{TERMS}/0", {"term": "gait_phase", "size": 2}),
        "params: of gait_phase; found none; valid: period",
    ),
    "a parameter that makes no sense": (
        put(f"{TERMS}/0", {"term": "gait_phase", "size": 2, "params": {"period": 0}}),
        "params.period; found 0; valid: a number over 0",
    ),
    "a parameter that the term has not": (
        put(f"{TERMS}/0/params", {"period": 0.8}),
        "params: of base_ang_vel; found period; valid: no params",
    ),
    "term scale of another size": (
        put(f"{TERMS}/2/scale", [2.0, 2.0]),
        "scale: one number, or one per entry; found 2 numbers; valid: 1 or 3 numbers",
    ),
    "term clip reversed": (
        put(f"{TERMS}/0/clip", [1.0, [2.0, 0.0, 2.0]]),
        r"\(base_ang_vel\).clip: low, then high; found",
    ),
    "group clip reversed": (
        put("observations/policy/clip", [5.0, -5.0]),
        "observations.policy.clip: low, then high; found",
    ),
    "no terms": (
        put(TERMS, []),
        "observations.policy.terms: what the group holds; found none; valid: at least one term",
    ),
    "history of no age": (
        put("observations/policy/history", {"ages": [], "fill": "zeros"}),
        "history.ages: .*; found none; valid: at least one age",
    ),
    "an age twice": (
        put(f"{TERMS}/0/history", {"ages": [0, 1, 1], "fill": "zeros"}),
        r"history.ages: each age once; found \[0, 1, 1\]",
    ),
    "an age beyond reason": (
        put(f"{TERMS}/0/history", {"ages": [5000], "fill": "zeros"}),
        "history.ages: how far back; found 5000; valid: at most 1000 ticks",
    ),
    "a mask outside the frame": (
        put(f"{TERMS}/0/history", {"ages": [0], "fill": "zeros", "mask": [3]}),
        "history.mask: indices within a frame; found 3; valid: 0 to 2",
    ),
    "sizes that do not add up": (
        put(TERMS + "/0", ...),
        r"inputs.obs: 45 values for shape \[1, 45\]; found 42 = 42 from its sources; valid: sources whose sizes add up",
    ),
    "an unknown group": (
        put(f"{SOURCE}/0/observation", "critic"),
        "source.0.observation: a group of observations; found critic; valid: policy",
    ),
    "an unknown camera": (
        put(f"{SOURCE}/0", {"depth": "front"}),
        r"source.0.depth: a declared depth input; found front; valid: \(none\)",
    ),
    "an unknown network": (
        put(f"{SOURCE}/0", {"network": "encoder", "output": "latent"}),
        r"source.0.network: a network earlier in the list; found encoder; valid: \(none\)",
    ),
    "a network that comes later": (
        second(network="late", output="actions"),
        "a network earlier in the list; found late, which is not stepped before",
    ),
    "a network that reads itself": (
        put(f"{SOURCE}/0", {"network": "actor", "output": "actions"}),
        "found actor, which is not stepped before",
    ),
    "an unknown output": (
        put("action/source/output", "action"),
        "action.source.output: an output of actor; found action; valid: actions",
    ),
    "two origins": (
        put(f"{SOURCE}/0/depth", "front"),
        "source.0: exactly one origin; found observation, depth; valid: observation, or network with output",
    ),
    "no origin": (put(f"{SOURCE}/0", {"scale": 2.0}), "source.0: exactly one origin; found none"),
    "no source": (
        put(SOURCE, []),
        "inputs.obs.source: where the input comes from; found nothing; valid: at least one source",
    ),
    "a slice that ends outside": (
        put(f"{SOURCE}/0/slice", [1, 46]),
        r"source.0.slice: start, stop; found \[1, 46\]; valid: start < stop <= 45",
    ),
    "a slice reversed": (
        put(f"{SOURCE}/0/slice", [5, 5]),
        r"source.0.slice: start, stop; found \[5, 5\]; valid: start < stop <= 45",
    ),
    "an action of another size": (
        put("action/source/slice", [0, 11]),
        "action.source: one value per joint; found 11 values; valid: 12 values",
    ),
    "an action of no network": (
        put("action/source", {"observation": "policy"}),
        "action.source: an output of a network; found no network; valid: actor",
    ),
    "no network": (put("networks", []), "networks: at least one; found none; valid: a network"),
    "a network twice": (
        both(second(observation="policy", slice=[0, 1]), put("networks/1/name", "actor")),
        "networks: each name once; found actor twice; valid: unique names",
    ),
    "an output that is also a state": (
        both(gru_states(1, 1, 4), put("networks/0/states/0/output", "actions")),
        "each output tensor once, in outputs or in states; found actions more than once",
    ),
    "initial values of another size": (
        both(gru_states(1, 1, 4), put("networks/0/states/0/initial", [0.0, 1.0])),
        "states.h_in.initial: one number, or one per value; found 2 numbers; valid: 1 or 4",
    ),
    "an integer state that starts at a half": (
        both(gru_states(1, 1, 4), put("networks/0/states/0/dtype", "int64"), put("networks/0/states/0/initial", 0.5)),
        "initial: an integer, for int64; found 0.5; valid: a whole number",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_refused_with_what_was_asked_found_and_valid(what: str, folder: Path, refused: Callable[[Path], str]) -> None:
    breaker, message = BROKEN[what]
    breaker(folder)
    said = refused(folder)
    assert re.search(message, said), said
    assert all("tiny" in line.split(": ")[0] for line in said.splitlines()), said
