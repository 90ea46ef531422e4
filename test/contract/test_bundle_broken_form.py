"""Bundles whose policy.yaml is not of the form.

Each is refused whole, with what was asked, what was found, and what would be valid.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.broken import Broken, grow, put, text

from robot_policies.bundle.folder_check import MAX_CONTRACT_BYTES

BROKEN: Broken = {
    "missing key": (put("action", ...), "policy.yaml: action: asked for, not found"),
    "missing key inside": (put("timing/control_dt", ...), "timing.control_dt: asked for, not found"),
    "unknown key": (put("colour", "red"), "colour: unknown key; found 'red'; valid: remove it"),
    "unknown key inside": (put("action/gain", 2.0), "action.gain: unknown key; found 2.0"),
    "duplicate key": (text("version:", "version: '2'\nversion:"), "keys once each; found version twice"),
    "text for a number": (put("timing/control_dt", "0.02"), "timing.control_dt: .*valid number; found '0.02'"),
    "truth for a number": (put("action/scale", True), "action.scale.float: .*valid number; found True"),
    "number for a list": (put("joints/stiffness", 20.0), "joints.stiffness: .*valid array; found 20.0"),
    "not finite": (text("control_dt: 0.02", "control_dt: .nan"), "timing.control_dt: .*finite number; found"),
    "infinite": (text("tolerance: 0.5", "tolerance: .inf"), "limits.start.tolerance: .*finite number; found"),
    "negative gain": (put("joints/damping/3", -0.1), r"joints.damping.3: .*greater than or equal to 0; found -0.1"),
    "unknown word": (
        put("action/last_action", "before"),
        "action.last_action: .*'raw', 'clipped' or 'filtered'; found 'before'",
    ),
    "bad name": (put("name", "My Policy"), "name: String should match pattern .*; found 'My Policy'"),
    "bad hash": (put("files/README.md", "abc"), "files.README.md: String should match pattern .*; found 'abc'"),
    "not a mapping": (lambda folder: (folder / "policy.yaml").write_text("- 1\n"), "policy.yaml: .*found \\[1\\]"),
    "not YAML": (text("name:", "name: ["), "policy.yaml: a readable YAML file; found: while parsing"),
    "unsafe tag": (
        text("name: tiny", "name: !!python/name:os.system ''"),
        "a readable YAML file; found: could not determine a constructor",
    ),
    "newer format": (put("format", 2), "format; found format 2, newer than this package reads; valid: 1, or a newer"),
    "older format": (put("format", 0), "format: Input should be 1; found 0"),
    "huge contract": (
        grow("policy.yaml", MAX_CONTRACT_BYTES + 1),
        f"its size; found {MAX_CONTRACT_BYTES + 1} bytes; valid: at most",
    ),
    "contract is a link": (
        lambda folder: (
            (folder / "policy.yaml").rename(folder / "p.yaml"),
            os.symlink("p.yaml", folder / "policy.yaml"),
        ),
        "policy.yaml, a plain file; found a link; valid: the folder of a bundle",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_refused_with_what_was_asked_found_and_valid(what: str, folder: Path, refused: Callable[[Path], str]) -> None:
    breaker, message = BROKEN[what]
    breaker(folder)
    said = refused(folder)
    assert re.search(message, said), said
    assert all("tiny" in line.split(": ")[0] for line in said.splitlines()), said
