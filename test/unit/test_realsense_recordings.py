"""The RealSense driver on recordings, its options, and an SDK that is missing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.realsense import read, record, sdk, truth

from robot_policies.cameras import realsense
from robot_policies.exceptions import ResourceError, SchemaError
from robot_policies.robot_spec import load_robot_spec

GO2 = load_robot_spec("go2")


@pytest.fixture(scope="module")
def rs() -> Any:
    return sdk()


def test_a_recording_gives_the_images_again_with_present_stamps(rs: Any, tmp_path: Path) -> None:
    path = tmp_path / "scene.db3"
    assert record(rs, path, 0.6) == 18
    camera = realsense.create(GO2, {"file": str(path)})
    images = [read(camera) for _ in range(10)]
    health = camera.health()
    camera.close()
    for image in images:
        np.testing.assert_allclose(image.depth, truth(), atol=1e-6)
    assert abs(time.time_ns() - images[-1].stamp_ns) < 2_000_000_000
    assert np.median(np.diff([image.stamp_ns for image in images])) == pytest.approx(1e9 / 30, rel=0.1)
    assert health["clock"] == "recorded"


@pytest.mark.parametrize("name", ["gone.db3", "old.bag"])
def test_a_recording_that_is_none_is_refused(rs: Any, tmp_path: Path, name: str) -> None:
    (tmp_path / "old.bag").write_bytes(b"")
    with pytest.raises(ResourceError, match=rf"a recording of librealsense; found .*{name}; valid: .*\.db3 file"):
        realsense.create(GO2, {"file": str(tmp_path / name)})


def test_options_are_checked(rs: Any) -> None:
    with pytest.raises(SchemaError, match="colour: unknown key"):
        realsense.create(GO2, {"colour": "red"})
    with pytest.raises(ResourceError, match="a depth camera of the robot go2; found no tail; valid: depth"):
        realsense.create(GO2, {"camera": "tail"})


@pytest.mark.parametrize(
    ("error", "line"),
    [
        ("libusb-1.0.so.0: cannot open shared object file", "valid: apt-get install libusb-1.0-0"),
        ("No module named 'pyrealsense2'", r"valid: pip install 'robot_policies\[realsense\]'"),
    ],
)
def test_a_missing_sdk_is_one_line(monkeypatch: pytest.MonkeyPatch, error: str, line: str) -> None:
    def missing(name: str) -> Callable[[], None]:
        raise ImportError(error)

    monkeypatch.setitem(sys.modules, "pyrealsense2", None)
    monkeypatch.setattr(realsense.importlib, "import_module", missing)
    with pytest.raises(ResourceError, match=line) as raised:
        realsense.create(GO2, {})
    assert error in str(raised.value)
    assert "\n" not in str(raised.value)
