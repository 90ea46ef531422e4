"""The text of a message type with all that it is made of, as MCAP's ``ros2msg`` schemas hold it."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

_PRIMITIVE = {
    *("bool", "byte", "char", "float32", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32"),
    *("int64", "uint64", "string", "wstring"),
}
_ARRAY = re.compile(r"(\[[^\]]*\])?$")
_BOUND = re.compile(r"<=\d+")
_RULE = "=" * 80


def definition(kind: str) -> str:
    """Return the definition of ``kind`` (``sensor_msgs/msg/Imu``) and of every type in it, "" where it is not found."""
    try:
        return "\n".join(_texts(kind, set(), first=True))
    except (OSError, PackageNotFoundError, ValueError):
        return ""


def _texts(kind: str, seen: set[str], first: bool = False) -> list[str]:
    package, _, name = kind.split("/")
    text = (_share(package) / "msg" / f"{name}.msg").read_text(encoding="utf-8")
    texts = [text if first else f"{_RULE}\nMSG: {package}/{name}\n{text}"]
    for part in _parts(text, package):
        if part not in seen:
            seen.add(part)
            texts += _texts(part, seen)
    return texts


def _parts(text: str, package: str) -> list[str]:
    parts = []
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if len(words) < 2 or "=" in words[1]:
            continue
        base = _BOUND.sub("", _ARRAY.sub("", words[0]))
        if base in _PRIMITIVE:
            continue
        owner, _, name = base.rpartition("/")
        parts.append(f"{owner.partition('/')[0] or package}/msg/{name}")
    return parts


def _share(package: str) -> Path:
    if not os.environ.get("AMENT_PREFIX_PATH"):  # the wheels of PyPI lie below the interpreter's own prefix
        return Path(sys.prefix) / "share" / package
    return Path(get_package_share_directory(package))
