"""Bundles whose ONNX files are not what the contract says, or hold what none may.

Each is refused whole, with what was asked, what was found, and what would be valid.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.broken import Broken, actor, bad_weight, both, cast_input, external, gru_states, put, with_node
from helpers.networks import gru, mlp

BROKEN: Broken = {
    "an input of another name": (
        put("networks/0/inputs/0/name", "observation"),
        "input observation: in the file; found none of that name; valid: obs",
    ),
    "an output of another name": (
        both(put("networks/0/outputs/0/name", "action"), put("action/source/output", "action")),
        "output action: in the file; found none of that name; valid: actions",
    ),
    "an input of another shape": (
        actor(mlp((44, 12))),
        r"input obs: shape \[1, 45\]; found \[1, 44\] in the file; valid: the file's shape",
    ),
    "an input of another rank": (
        put("networks/0/inputs/0/shape", [45]),
        r"input obs: shape \[45\]; found \[1, 45\] in the file",
    ),
    "an output of another shape": (
        actor(mlp((45, 13))),
        r"output actions: shape \[1, 12\]; found \[1, 13\] in the file",
    ),
    "an input of another type": (
        actor(cast_input()),
        "input obs: float32; found float64; valid: float64 in the contract, or another file",
    ),
    "an input without a source": (
        actor(gru(45, 4, 12)),
        "every input of the file; found h_in without a source; valid: h_in, obs",
    ),
    "a state of another shape": (gru_states(1, 1, 8), r"input h_in: shape \[1, 1, 8\]; found \[1, 1, 4\] in the file"),
    "a state that the file has not": (
        put("networks/0/states", [{"input": "h", "output": "g", "shape": [4], "reset": "activation"}]),
        "input h: in the file; found none of that name",
    ),
    "an operator that does not exist": (
        actor(with_node("Telepathy")),
        "a network that runs; found actor.onnx: ONNX Runtime cannot open it: .*Telepathy.*; valid: standard ONNX",
    ),
    "a custom operator": (
        actor(with_node("Gelu", "com.microsoft")),
        "operators of standard ONNX; found com.microsoft::Gelu; valid: the domain ai.onnx, without custom operators",
    ),
    "a random operator": (
        actor(with_node("RandomNormalLike")),
        "operators that give the same result each time; found RandomNormalLike",
    ),
    "a weight that is NaN": (
        actor(bad_weight(float("nan"))),
        "weights w0; found 1 that are not finite; valid: finite numbers",
    ),
    "a weight that is infinite": (actor(bad_weight(float("inf"))), "weights w0; found 1 that are not finite"),
    "no network at all": (
        actor(b"\x00\x01 this is not ONNX"),
        r"networks.actor \(actor.onnx\): (a readable ONNX file|an ONNX model); found",
    ),
    "weights outside the folder": (
        external("../weights.bin"),
        r"external weights: a file in the bundle's folder; found '../weights.bin'; valid: a relative path",
    ),
    "weights that are not there": (
        external("other.bin"),
        "external weights: a file in the bundle's folder; found no file 'other.bin'",
    ),
    "weights that are not listed": (
        both(external("weights.bin"), put("files/weights.bin", ...)),
        "external weights: listed in files; found weights.bin; valid: README.md, actor.onnx",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_refused_with_what_was_asked_found_and_valid(what: str, folder: Path, refused: Callable[[Path], str]) -> None:
    breaker, message = BROKEN[what]
    breaker(folder)
    said = refused(folder)
    assert re.search(message, said), said
    assert all("tiny" in line.split(": ")[0] for line in said.splitlines()), said
