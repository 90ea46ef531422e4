"""Writes a bundle: contract, files, hashes and golden data, complete or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Union

import numpy as np
import yaml

from robot_policies.bundle.folder_check import CONTRACT, GOLDEN, name_fault
from robot_policies.bundle.golden import SEED, TICKS, Reference, check_golden, make_golden
from robot_policies.bundle.hashing import sha256
from robot_policies.bundle.load import Bundle, bundle_faults, load_bundle, read_contract
from robot_policies.contract import FORMAT
from robot_policies.exceptions import BundleError, expected
from robot_policies.robot_spec import RobotSpec

Content = Union[bytes, str, Path]  # bytes, text, or the path of a file to copy


def write_bundle(
    folder: Path,
    contract: Mapping[str, Any],
    files: Mapping[str, Content],
    spec: RobotSpec,
    reference: Reference | None = None,
    seed: int = SEED,
    ticks: int = TICKS,
) -> Bundle:
    """Write a bundle, check it as the loader does, golden data included, and only then put it at ``folder``.

    Args:
        folder: the new bundle's folder; must not exist, or be empty.
        contract: everything of policy.yaml but ``format`` and ``files``: plain values, tuples and numpy numbers.
        files: relative path -> content of every file but policy.yaml and golden.npz: the ONNX files, with their
            external weights, and README.md.
        spec: the robot.
        reference: runs the original networks, see ``golden.Reference``.
        seed: of the golden sequence.
        ticks: length of the golden sequence.

    Returns:
        The bundle, loaded from ``folder``.

    Raises:
        BundleError: the folder is taken, or what was given is not a bundle for this robot; one line per fault.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BundleError(expected(f"{folder}: a new folder", "something is there", "a path that does not exist"))
    try:
        return _write(folder, contract, files, spec, (reference, seed, ticks))
    except OSError as error:
        raise BundleError(
            expected(f"{folder}: a place and files to write", error, "a folder that can be written")
        ) from error


def _write(
    folder: Path,
    contract: Mapping[str, Any],
    files: Mapping[str, Content],
    spec: RobotSpec,
    golden: tuple[Reference | None, int, int],
) -> Bundle:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new_bundle_", dir=folder.parent) as scratch:
        stage = Path(scratch) / folder.name
        _write_files(stage, files)
        data = {"format": FORMAT, **plain(contract)}
        names = sorted(path.relative_to(stage).as_posix() for path in stage.rglob("*") if path.is_file())
        listed = {name: sha256(stage / name) for name in names}
        (stage / GOLDEN).touch()
        _write_contract(stage, data, {**listed, GOLDEN: sha256(stage / GOLDEN)})
        draft = load_bundle(stage, spec)
        make_golden(draft, spec, *golden)
        _write_contract(stage, data, {**listed, GOLDEN: sha256(stage / GOLDEN)})
        check_golden(load_bundle(stage, spec), spec)
        if folder.exists():
            folder.rmdir()
        shutil.move(str(stage), str(folder))
    return load_bundle(folder, spec)


def accept_golden(folder: Path, spec: RobotSpec) -> Bundle:
    """Make golden.npz again from what the bundle gives now, and list its new hash: a change that is meant.

    Raises:
        BundleError: the bundle has other faults than its golden.npz; nothing is changed then.
    """
    contract = read_contract(folder)
    faults = [fault for fault in bundle_faults(contract, folder, spec) if not fault.startswith(f"files: {GOLDEN}")]
    if faults:
        raise BundleError("\n".join(f"{folder.name}: {fault}" for fault in faults))
    path = folder / CONTRACT
    text = path.read_text(encoding="utf-8")
    try:
        make_golden(Bundle(contract, folder), spec)
        path.write_text(text.replace(contract.files[GOLDEN], sha256(folder / GOLDEN)), encoding="utf-8")
    except OSError as error:
        raise BundleError(expected(f"{folder}: a bundle that can be written", error, "a copy of your own")) from error
    bundle = load_bundle(folder, spec)
    check_golden(bundle, spec)
    return bundle


def plain(value: Any) -> Any:
    """Return ``value`` as what YAML has words for: mappings, lists, text, numbers at full precision, null."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    return value.item() if isinstance(value, np.generic) else value


def _write_files(stage: Path, files: Mapping[str, Content]) -> None:
    stage.mkdir()
    for name, content in files.items():
        fault = name_fault(name)
        if fault is not None or name == GOLDEN:
            raise BundleError(fault or expected("files", f"{GOLDEN} given", "none: it is made here"))
        path = stage / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            shutil.copyfile(content, path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)


def _write_contract(stage: Path, data: Mapping[str, Any], files: Mapping[str, str]) -> None:
    text = yaml.safe_dump(
        {**data, "files": dict(files)}, sort_keys=False, default_flow_style=None, width=120, allow_unicode=True
    )
    (stage / CONTRACT).write_text(text, encoding="utf-8")
