"""Bundles whose folder holds what it should not, or lacks what it should hold.

Each is refused whole, with what was asked, what was found, and what would be valid.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.broken import Broken, add, grow, link, put
from helpers.bundles import edit

from robot_policies.bundle.folder_check import MAX_FILE_BYTES

HASH = "0" * 64

BROKEN: Broken = {
    "changed file": (
        lambda f: (f / "README.md").write_text("x"),
        "files: README.md: SHA-256 [0-9a-f]{64}; found [0-9a-f]{64}; valid: the file that was listed",
    ),
    "missing file": (
        lambda f: (f / "actor.onnx").unlink(),
        "files: actor.onnx; found no such file in the folder; valid: README.md, golden.npz, policy.yaml",
    ),
    "unlisted file": (
        add("notes.txt", listed=False),
        "every file of the folder but policy.yaml; found notes.txt, not listed; valid: README.md, actor.onnx",
    ),
    "unlisted file below": (add("more/notes.txt", listed=False), "found more/notes.txt, not listed"),
    "no golden data": (
        put("files/golden.npz", ...),
        "files: golden.npz, which every bundle has; found not listed; valid: golden.npz",
    ),
    "no README": (put("files/README.md", ...), "files: README.md, which every bundle has; found not listed"),
    "a link": (
        link("README.md", "/etc/hostname"),
        "files: plain files; found README.md, a link to /etc/hostname; valid: a copy",
    ),
    "a dangling link": (link("notes.txt", "nowhere"), "files: plain files; found notes.txt, a link to nowhere"),
    "a link to a folder": (link("more", "/etc"), "files: plain files; found more, a link to /etc"),
    "a file outside": (
        put("files/..", HASH),
        "files: paths inside the folder; found '..'; valid: relative paths without ..",
    ),
    "a file above": (
        put("networks/0/file", "../actor.onnx"),
        "networks.actor.file: one of files; found ../actor.onnx; valid: README.md, actor.onnx",
    ),
    "an absolute path": (
        lambda f: edit(f, lambda data: data["files"].update({"/etc/passwd": HASH})),
        "paths inside the folder; found '/etc/passwd'",
    ),
    "TorchScript": (add("policy.pt"), "files: data that cannot be run; found policy.pt; valid: .onnx, .data"),
    "a pickle": (add("policy.pkl"), "data that cannot be run; found policy.pkl"),
    "a script": (add("setup.py", b"print()"), "data that cannot be run; found setup.py"),
    "a second npz": (add("more.npz"), "data that cannot be run; found more.npz"),
    "a library": (add("ops.so"), "data that cannot be run; found ops.so"),
    "a huge file": (
        grow("README.md", MAX_FILE_BYTES + 1),
        f"files: README.md: its size; found {MAX_FILE_BYTES + 1} bytes; valid: at most {MAX_FILE_BYTES} bytes",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_refused_with_what_was_asked_found_and_valid(what: str, folder: Path, refused: Callable[[Path], str]) -> None:
    breaker, message = BROKEN[what]
    breaker(folder)
    said = refused(folder)
    assert re.search(message, said), said
    assert all("tiny" in line.split(": ")[0] for line in said.splitlines()), said
