"""Loads a bundle, whole or not at all. Nothing in it is executed: data, checked against its contract and the robot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from robot_policies import resources
from robot_policies.bundle.contract_check import contract_faults
from robot_policies.bundle.folder_check import CONTRACT, MAX_CONTRACT_BYTES, folder_faults
from robot_policies.bundle.network_check import network_faults
from robot_policies.bundle.robot_check import kind_faults, robot_faults
from robot_policies.bundle.wiring_check import wiring_faults
from robot_policies.contract import FORMAT, Contract
from robot_policies.exceptions import BundleError, SchemaError, expected
from robot_policies.robot_spec import RobotSpec
from robot_policies.schema import parse, read_yaml


@dataclass(frozen=True, slots=True)
class Bundle:
    """A policy with its contract, checked."""

    contract: Contract
    folder: Path


def load_bundle(path_or_name: str | Path, spec: RobotSpec | None = None) -> Bundle:
    """Return the bundle that a name or the path of a folder leads to.

    Everything is checked but the golden outputs (``golden.check_golden``): form, files and hashes, sizes and wiring,
    the ONNX files, and, where ``spec`` is given, that the bundle is for that robot.

    Args:
        path_or_name: a name (``go2_walk``), a folder, or its policy.yaml.
        spec: the robot that it is to run on.

    Raises:
        ResourceError: there is no such bundle; lists those that there are.
        BundleError: one line per fault, each with what was asked, what was found and what would be valid.
    """
    folder = resources.find("bundles", path_or_name)
    contract = read_contract(folder)
    faults = bundle_faults(contract, folder, spec)
    if faults:
        raise BundleError("\n".join(f"{folder.name}: {fault}" for fault in faults))
    return Bundle(contract, folder)


def read_contract(folder: Path) -> Contract:
    """Return the contract of the bundle in ``folder``: form only.

    Raises:
        BundleError: policy.yaml is missing, too new, or not of the form of ``Contract``.
    """
    path = folder / CONTRACT
    if path.is_symlink() or not path.is_file():
        found = "a link" if path.is_symlink() else "none"
        raise BundleError(expected(f"{folder.name}: {CONTRACT}, a plain file", found, "the folder of a bundle"))
    where = f"{folder.name}/{CONTRACT}"
    if path.stat().st_size > MAX_CONTRACT_BYTES:
        found = f"{path.stat().st_size} bytes"
        raise BundleError(expected(f"{where}: its size", found, f"at most {MAX_CONTRACT_BYTES} bytes"))
    try:
        data = read_yaml(path)
        stated = data.get("format") if isinstance(data, dict) else None
        if isinstance(stated, int) and stated > FORMAT:
            found = f"format {stated}, newer than this package reads"
            raise BundleError(expected(f"{where}: format", found, f"{FORMAT}, or a newer robot_policies"))
        return parse(Contract, data, where)
    except SchemaError as error:
        raise BundleError(str(error)) from error


def bundle_faults(contract: Contract, folder: Path, spec: RobotSpec | None) -> list[str]:
    """Return everything that is wrong with a bundle of the right form; empty where nothing is."""
    wiring, files = wiring_faults(contract), folder_faults(folder, contract.files)
    return [
        *kind_faults(contract),
        *(robot_faults(contract, spec) if spec is not None else []),
        *contract_faults(contract, None if spec is None else spec.feet),
        *wiring,
        *files,
        *network_faults(contract, folder, run=not wiring and not files),
    ]
