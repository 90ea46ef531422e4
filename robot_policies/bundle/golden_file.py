"""``golden.npz``: a sequence of inputs with everything that the policy makes of it. Read without pickle.

Names in the file (T ticks, K of them at which a network is stepped, n joints in robot order)::

    format, seed                     integers
    joint_names                      (n,) text, the robot's order
    state.<field>                    (T, ...) every field of RobotState
    command.given, command.values    (T,) truth, (T, 3): velocity commands, stamped as their states
    depth.<name>.stamps, .images     (K,) [ns], (K, height, width) [m]: every image once; the newest counts
    height_scan.base, .ground        (T,), (T, points) [m], where the bundle reads it
    network.<name>.input.<tensor>    (K, ...) what the network read
    network.<name>.output.<tensor>   (K, ...) what it gave
    action.raw, action.processed     (T, n) in the bundle's joint order
    target                           (T, n) joint positions, in robot order [rad]
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from robot_policies.exceptions import BundleError, expected
from robot_policies.robot_spec import RobotSpec
from robot_policies.types import DepthImage, HeightScan, PolicyInputs, RobotState, VelocityCommand, owned

FORMAT = 1
MIN_TICKS = 32
MAX_BYTES = 1 << 29  # unpacked: half a GiB
MAX_ARRAYS = 4096
STATE_FIELDS = (
    "joint_pos",
    "joint_vel",
    "joint_effort",
    "base_quat_wxyz",
    "base_ang_vel",
    "base_lin_acc",
    "foot_force",
    "base_lin_vel",
)
Arrays = Mapping[str, npt.NDArray[Any]]


def save_arrays(path: Path, arrays: Arrays) -> None:
    """Write ``arrays``; the same arrays give the same bytes."""
    np.savez_compressed(path, **cast(Any, arrays))


def load_arrays(path: Path) -> Arrays:
    """Return every array of the file.

    Raises:
        BundleError: it is not a plain npz, holds Python objects or numbers that are not finite, or is too large.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            size, count = sum(info.file_size for info in archive.infolist()), len(archive.infolist())
        if size > MAX_BYTES or count > MAX_ARRAYS:
            found = f"{count} arrays, {size} bytes unpacked"
            raise BundleError(expected(f"{path.name}: its size", found, f"at most {MAX_ARRAYS}, {MAX_BYTES} bytes"))
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, KeyError, SyntaxError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, BundleError):
            raise
        reason = " ".join(str(error).split())[:200]
        raise BundleError(
            expected(f"{path.name}: arrays without Python objects", reason, "a file of make_golden")
        ) from error
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise BundleError(
                expected(f"{path.name}: {name}: finite numbers", "NaN or infinity", "a file of make_golden")
            )
    return arrays


def take(arrays: Arrays, name: str, shape: Sequence[int]) -> npt.NDArray[Any]:
    """Return an array of numbers of the file. Raises ``BundleError`` where it is missing or of another shape."""
    array = arrays.get(name)
    if array is None:
        raise BundleError(expected(f"golden.npz: {name}", "no such array", "a file of make_golden for this contract"))
    if array.shape != tuple(shape) or array.dtype.kind not in "biuf":
        found = f"{array.dtype} of shape {list(array.shape)}"
        raise BundleError(
            expected(f"golden.npz: {name}: numbers of shape {list(shape)}", found, "the contract's sizes")
        )
    return array


def pack_inputs(inputs: Sequence[PolicyInputs], spec: RobotSpec) -> dict[str, npt.NDArray[Any]]:
    """Return ``inputs`` as arrays."""
    states = [item.state for item in inputs]
    arrays = {f"state.{name}": np.array([getattr(state, name) for state in states]) for name in STATE_FIELDS}
    arrays["state.stamp_ns"] = np.array([state.stamp_ns for state in states], dtype=np.int64)
    arrays["joint_names"] = np.array(spec.joint_names)
    commands = [item.velocity_command for item in inputs]
    arrays["command.given"] = np.array([command is not None for command in commands])
    arrays["command.values"] = np.array([(0.0, 0.0, 0.0) if c is None else _axes(c) for c in commands])
    scans = [item.height_scan for item in inputs if item.height_scan is not None]
    if scans:
        arrays["height_scan.base"] = np.array([scan.base for scan in scans])
        arrays["height_scan.ground"] = np.array([scan.ground for scan in scans])
    for name in inputs[0].depth:
        images = {item.depth[name].stamp_ns: item.depth[name].depth for item in inputs}
        arrays[f"depth.{name}.stamps"] = np.array(list(images), dtype=np.int64)
        arrays[f"depth.{name}.images"] = np.array(list(images.values()))
    return arrays


def unpack_inputs(arrays: Arrays, spec: RobotSpec, depth: Sequence[str]) -> list[PolicyInputs]:
    """Return the inputs that ``pack_inputs`` wrote.

    Raises:
        BundleError: they are missing, too few, of other sizes, of another format, or of a robot with another joint
            order.
    """
    stated = int(take(arrays, "format", ()))
    if stated != FORMAT:
        raise BundleError(expected("golden.npz: format", stated, f"{FORMAT}, or a file made anew by this package"))
    names = arrays.get("joint_names")
    if names is None or tuple(map(str, names.reshape(-1))) != spec.joint_names:
        found = "no names" if names is None else ", ".join(map(str, names.reshape(-1)))
        raise BundleError(expected("golden.npz: joint_names: the robot's order", found, spec.joint_names))
    stamps = arrays.get("state.stamp_ns", np.zeros(0, dtype=np.int64)).reshape(-1)
    count = len(stamps)
    if count < MIN_TICKS:
        raise BundleError(expected("golden.npz: its length", f"{count} ticks", f"at least {MIN_TICKS}"))
    widths = {"base_quat_wxyz": 4, "foot_force": len(spec.feet)}
    widths |= {name: len(spec.joint_names) for name in STATE_FIELDS if name.startswith("joint")}
    fields = [owned(take(arrays, f"state.{name}", (count, widths.get(name, 3)))) for name in STATE_FIELDS]
    given = take(arrays, "command.given", (count,))
    values = take(arrays, "command.values", (count, 3))
    images = {name: _images(arrays, name) for name in depth}
    scans = _scans(arrays, stamps.tolist())
    result = []
    for i, stamp in enumerate(stamps.tolist()):
        state = RobotState(stamp, *(field[i] for field in fields))
        command = VelocityCommand(stamp, *values[i].tolist()) if given[i] else None
        newest = {name: [image for image in all_ if image.stamp_ns <= stamp] for name, all_ in images.items()}
        shown = {name: held[-1] for name, held in newest.items() if held}
        result.append(PolicyInputs(state, command, shown, scans[i]))
    return result


def _scans(arrays: Arrays, stamps: Sequence[int]) -> list[HeightScan | None]:
    ground = arrays.get("height_scan.ground")
    if ground is None:
        return [None] * len(stamps)
    points = ground.shape[1] if ground.ndim == 2 else 0
    heights = owned(take(arrays, "height_scan.ground", (len(stamps), points)))
    base = take(arrays, "height_scan.base", (len(stamps),)).tolist()
    return [HeightScan(stamp, base[i], heights[i]) for i, stamp in enumerate(stamps)]


def _images(arrays: Arrays, name: str) -> list[DepthImage]:
    stamps = arrays.get(f"depth.{name}.stamps", np.zeros(0, dtype=np.int64)).reshape(-1)
    images = arrays.get(f"depth.{name}.images", np.zeros((0, 0, 0), dtype=np.float32))
    if len(stamps) == 0 or len(stamps) != len(images) or images.ndim != 3:
        found = f"{len(stamps)} stamps, images of shape {list(images.shape)}"
        raise BundleError(expected(f"golden.npz: depth.{name}: one image per stamp", found, "a file of make_golden"))
    return [DepthImage(int(stamp), owned(image, np.float32)) for stamp, image in zip(stamps, images, strict=True)]


def _axes(command: VelocityCommand) -> tuple[float, float, float]:
    return (command.lin_vel_x, command.lin_vel_y, command.ang_vel_z)
