"""Finds everything that has a name: robots, bundles, models, courses ... and plug-ins from other packages.

One order for all: an explicit path, then the folders of ``ROBOT_POLICIES_PATH``, then the user's data folder, then what
is shipped. The first level that has the name wins; a name found twice at one level is an error. A folder of the first
two levels is laid out like the shipped one: ``config/<kind>/<name>.yaml``, ``bundles/<name>/policy.yaml``,
``models/<name>.xml``, ``courses/<name>.yaml``, ``terrains/<name>.yaml``, ``cards/<name>.yaml``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from robot_policies.exceptions import ResourceError, expected

PATH_VARIABLE = "ROBOT_POLICIES_PATH"


@dataclass(frozen=True, slots=True)
class _Kind:
    """Where the things of one kind lie: files ``folder/NAME<suffix>``, folders ``folder/NAME`` with ``inside``."""

    word: str  # for messages
    folder: str  # in a folder of ROBOT_POLICIES_PATH and in the user's data folder
    suffix: str = ".yaml"
    inside: str = ""
    package_folder: str = ""  # where shipped as package data: relative to what holds the Python packages

    def things(self, folder: Path) -> dict[str, Path]:
        """Return what lies in ``folder``, by name."""
        if self.inside:
            return {path.parent.name: path.parent for path in folder.glob(f"*/{self.inside}")}
        return {path.stem: path for path in folder.glob(f"*{self.suffix}")}


_CONFIG = {
    "robots": "robot",
    "safety": "safety file",
    "sensors": "sensor",
    "bringup": "bring-up",
    "layouts": "layout",
    "calibration": "calibration",
}
KINDS = {kind: _Kind(word, f"config/{kind}") for kind, word in _CONFIG.items()} | {
    "bundles": _Kind("bundle", "bundles", inside="policy.yaml"),
    "models": _Kind("model", "models", suffix=".xml", package_folder="sim2real/mujoco/models"),
    "terrains": _Kind("terrain", "terrains", package_folder="sim2real/mujoco/terrains"),
    "courses": _Kind("course", "courses", package_folder="sim2real/evaluation/courses"),
    "cards": _Kind("score card", "cards", package_folder="sim2real/evaluation/cards"),
}


def find(kind: str, name: str | Path) -> Path:
    """Return the path of the one thing that ``name`` leads to: a file, or the folder of a bundle.

    Args:
        kind: a key of ``KINDS``.
        name: a name, or a path: a ``Path``, or a string with a slash, or one that ends as the kind's files do.

    Raises:
        ResourceError: unknown kind, nothing of that name (lists the names that exist), or two at one level.
    """
    what = _kind(kind)
    text = str(name)
    if isinstance(name, Path) or os.sep in text or text.endswith(what.inside or what.suffix):
        return _explicit(what, Path(text).expanduser())
    for level in _levels(what):
        found = _once(what, level).get(text)
        if found is not None:
            return found
    names = ", ".join(known for known, _ in listing(kind)) or "(none)"
    raise ResourceError(expected(f"a {what.word} named {text!r}", "none", f"{names}, or a path such as ./{text}"))


def listing(kind: str) -> list[tuple[str, Path]]:
    """Return every name of a kind with the path that ``find`` gives for it, sorted by name.

    Raises:
        ResourceError: unknown kind, or a name twice at one level.
    """
    what = _kind(kind)
    everything: dict[str, Path] = {}
    for level in reversed(_levels(what)):
        everything |= _once(what, level)
    return sorted(everything.items())


def share_folder() -> Path:
    """Return the folder that holds what is shipped (``config``, ``bundles``, ``launch``).

    That is the checkout (also for editable and symlink installations), else ``share/robot_policies`` below the prefix
    that the Python package lies in (pip, colcon).

    Raises:
        ResourceError: the installation lacks its data files.
    """
    package = Path(__file__).resolve().parent
    beside = [package.parent]
    # site-packages, python3.X, lib, PREFIX; Debian's scheme has one more folder, local, in between
    below = [prefix / "share" / package.name for prefix in package.parents[:6]]
    for folder in beside + below:
        if (folder / "package.xml").is_file():
            return folder
    raise ResourceError(expected("the shipped data", f"none around {package}", "install the package again with pip"))


def plugin(group: str, name: str) -> Any:
    """Load the object that an installed distribution offers under ``robot_policies.<group>``.

    Args:
        group: ``robots``, ``cameras``, ``films``, ``commands`` or ``policies``.
        name: the name of the entry point.

    Raises:
        ResourceError: no such name, two distributions offer it, or its module cannot be imported.
    """
    points = plugins(group)
    if name not in points:
        raise ResourceError(expected(f"an entry point {name!r} of robot_policies.{group}", "none", points))
    try:
        return points[name].load()
    except (ImportError, AttributeError) as error:
        raise ResourceError(f"robot_policies.{group} {name}: {points[name].value} cannot be loaded: {error}") from error


def plugins(group: str) -> dict[str, EntryPoint]:
    """Return the entry points of ``robot_policies.<group>`` by name. Raises ``ResourceError`` for a name twice."""
    points: dict[str, EntryPoint] = {}
    for point in sorted(entry_points(group=f"robot_policies.{group}")):
        # One distribution can be seen twice (its folder and its installation); only different targets contradict.
        if points.setdefault(point.name, point).value != point.value:
            both = f"{points[point.name].value} and {point.value}"
            raise ResourceError(expected(f"one entry point {point.name!r} of robot_policies.{group}", both, "one"))
    return points


def _kind(kind: str) -> _Kind:
    if kind not in KINDS:
        raise ResourceError(expected("a kind of resource", repr(kind), KINDS))
    return KINDS[kind]


def _explicit(what: _Kind, path: Path) -> Path:
    thing = path.parent if what.inside and path.name == what.inside else path
    if (thing / what.inside).is_file():  # "" adds nothing
        return thing
    found = "no such path" if not path.exists() else "a folder" if path.is_dir() else "a file"
    valid = f"a folder with {what.inside}" if what.inside else f"the path of a {what.suffix} file"
    raise ResourceError(expected(f"a {what.word} at {path}", found, valid))


def _levels(what: _Kind) -> list[list[Path]]:
    """Return the folders that hold a kind, level by level, the winning level first."""
    given = [Path(part).expanduser() for part in os.environ.get(PATH_VARIABLE, "").split(os.pathsep) if part]
    for folder in given:
        if not folder.is_dir():
            raise ResourceError(expected(f"the folders in {PATH_VARIABLE}", folder, "folders that exist"))
    home = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    user = Path(home).expanduser() / "robot_policies"
    python_root = Path(__file__).resolve().parents[1]
    shipped = python_root / what.package_folder if what.package_folder else share_folder() / what.folder
    return [[folder / what.folder for folder in given], [user / what.folder], [shipped]]


def _once(what: _Kind, folders: list[Path]) -> dict[str, Path]:
    """Return what lies in the folders of one level, by name. Raises ``ResourceError`` for a name twice."""
    found: dict[str, Path] = {}
    for folder in folders:
        for name, path in what.things(folder).items():
            if found.setdefault(name, path).resolve() != path.resolve():
                both = f"{found[name]} and {path}"
                raise ResourceError(expected(f"one {what.word} named {name!r}", both, "one of them removed or renamed"))
    return found
