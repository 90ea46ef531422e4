"""What may lie in a bundle's folder: the files that it lists, each with its hash, and nothing that could be run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from robot_policies.bundle.hashing import sha256
from robot_policies.exceptions import expected

CONTRACT = "policy.yaml"
GOLDEN = "golden.npz"
README = "README.md"
REQUIRED = (GOLDEN, README)
# .npz only as golden.npz: the loader reads that one without pickle, and no other at all.
SUFFIXES = (".onnx", ".data", ".bin", ".md", ".txt", ".yaml", ".json", ".csv", ".png", ".jpg")
PLAIN_NAMES = ("LICENSE", "NOTICE", GOLDEN)
MAX_CONTRACT_BYTES = 1 << 20  # a contract with 100 joints has some 10 kB
MAX_FILE_BYTES = 1 << 29  # half a GiB: fifteen times the largest network known here (8.9 million parameters)


def folder_faults(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the files of a bundle: listed against present, kinds, links, sizes, hashes.

    Args:
        folder: the bundle's folder.
        files: relative path -> SHA-256, as the contract lists them.
    """
    faults = [
        expected(f"files: {name}, which every bundle has", "not listed", f"{name}: its SHA-256")
        for name in REQUIRED
        if name not in files
    ]
    present = dict(_present(folder))
    for name, path in sorted(present.items()):
        faults += _kind_faults(name, path)
        if name not in files and name != CONTRACT and not path.is_symlink():
            asked = "files: every file of the folder but policy.yaml"
            faults.append(expected(asked, f"{name}, not listed", sorted(files)))
    for name, digest in files.items():
        faults += _listed_faults(name, digest, present)
    return faults


def name_fault(name: str) -> str | None:
    """Return what is wrong with ``name`` as the path of a file in the folder, or None."""
    path = PurePosixPath(name)
    inside = bool(name) and not path.is_absolute() and ".." not in path.parts and "\\" not in name
    if inside and path.as_posix() == name and name != CONTRACT:
        return None
    return expected("files: paths inside the folder", repr(name), "relative paths without .., and not policy.yaml")


def _present(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield every file, and every link whatever it leads to, below ``folder``. Follows no link."""
    for parent, folders, names in os.walk(folder, followlinks=False):
        links = [name for name in folders if (Path(parent) / name).is_symlink()]
        for name in (*names, *links):
            path = Path(parent) / name
            yield path.relative_to(folder).as_posix(), path


def _kind_faults(name: str, path: Path) -> list[str]:
    if path.is_symlink():
        return [expected("files: plain files", f"{name}, a link to {os.readlink(path)}", "a copy of what it leads to")]
    if not path.is_file():
        return [expected("files: plain files", f"{name}, neither a file nor a folder", "remove it")]
    if path.suffix not in SUFFIXES and name not in PLAIN_NAMES:
        valid = ", ".join((*SUFFIXES, *PLAIN_NAMES))
        return [expected("files: data that cannot be run", name, valid)]
    limit = MAX_CONTRACT_BYTES if name == CONTRACT else MAX_FILE_BYTES
    if path.stat().st_size > limit:
        return [expected(f"files: {name}: its size", f"{path.stat().st_size} bytes", f"at most {limit} bytes")]
    return []


def _listed_faults(name: str, digest: str, present: Mapping[str, Path]) -> list[str]:
    fault = name_fault(name)
    if fault is not None:
        return [fault]
    path = present.get(name)
    if path is None:
        return [expected(f"files: {name}", "no such file in the folder", ", ".join(sorted(present)))]
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
        return []  # said above
    try:
        found = sha256(path)
    except OSError as error:
        return [expected(f"files: {name}: a readable file", error.strerror, "a file that this user may read")]
    if found != digest:
        valid = "the file that was listed, or its new hash if the change was meant"
        return [expected(f"files: {name}: SHA-256 {digest}", found, valid)]
    return []
