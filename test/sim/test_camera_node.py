"""The camera node as a user starts it: a process of its own that plays a recording, heard from this one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticArray
from helpers.node_process import Probe, command, free_domain, run_to_end, running
from helpers.realsense import record, sdk, truth
from sensor_msgs.msg import CameraInfo, Image

from robot_policies.nodes import diagnostics
from robot_policies.nodes.conversions import depth_image, to_ns
from robot_policies.nodes.runtime import RELIABLE

MODULE = "robot_policies.nodes.camera_node"

pytestmark = pytest.mark.ros


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("realsense") / "scene.db3"
    record(sdk(), path, 1.0)
    return path


@pytest.fixture
def probe() -> Iterator[tuple[Probe, int]]:
    domain = free_domain()
    with Probe(domain) as probe:
        yield probe, domain


@pytest.mark.parametrize(("encoding", "tolerance"), [("32FC1", 1e-6), ("16UC1", 5.1e-4)])
def test_a_recording_comes_out_as_the_simulated_camera_does(
    probe: tuple[Probe, int], recording: Path, encoding: str, tolerance: float
) -> None:
    ears, domain = probe
    images = ears.hear(Image, "depth/image_rect")
    infos = ears.hear(CameraInfo, "depth/camera_info", RELIABLE)
    reports = ears.hear(DiagnosticArray, "/diagnostics", 10)
    parameters = (f"options.file:={recording}", f"encoding:={encoding}", "frame_prefix:=a/")
    with running(command(MODULE, *parameters), domain):
        assert ears.until(lambda: len(images) >= 20 and infos and reports, 30.0)
        now_ns = time.time_ns()
    image, info = images[-1][1], infos[-1][1]
    np.testing.assert_allclose(depth_image(image).depth, truth(), atol=tolerance)
    assert (image.encoding, image.header.frame_id) == (encoding, "a/depth_optical_frame")
    assert (info.width, info.height, info.k[0], info.k[2], info.k[5]) == (106, 60, 55.85, 52.5, 29.5)
    stamps = [to_ns(message.header.stamp) for _, message in images]
    assert 0 <= now_ns - stamps[-1] < 3_000_000_000
    assert (np.diff(stamps) > 0).all()
    told = [diagnostics.read(report.status[0]) for _, report in reports]
    assert any(values["connected"] for values in told)
    values = told[-1]
    assert values["clock"] == "recorded"
    assert values["device"] == "Software D435"


def test_a_recording_that_ends_is_a_camera_that_went_and_came_back(probe: tuple[Probe, int], recording: Path) -> None:
    ears, domain = probe
    reports = ears.hear(DiagnosticArray, "/diagnostics", 10)
    images = ears.hear(Image, "depth/image_rect")

    def seen(key: str) -> list[Any]:
        return [diagnostics.read(report.status[0])[key] for _, report in reports]

    with running(command(MODULE, f"options.file:={recording}"), domain):
        assert ears.until(lambda: reports and max(seen("reconnects")) >= 2 and len(images) > 30, 60.0)
    assert max(seen("lost")) >= 2


@pytest.mark.parametrize(
    ("parameter", "line"),
    [
        ("backend:=polaroid", "polaroid"),
        ("encoding:=8UC1", "encoding; found 8UC1; valid: 32FC1, 16UC1"),
        ("options.colour:=red", "colour: unknown key"),
        ("options.sensor:=d999", "d999"),
        ("options.file:=/nowhere.db3", "found /nowhere.db3; valid: the path of a .db3 file"),
        ("colour:=red", "known parameters; found colour"),
    ],
)
def test_what_does_not_exist_is_one_line_and_exit_code_2(parameter: str, line: str) -> None:
    sdk()
    done = run_to_end(MODULE, free_domain(), parameter)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert line in done.stderr


def test_no_camera_and_no_libusb_are_one_line_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = tmp_path / "pyrealsense2.py"
    empty = "class context:\n    def query_devices(self):\n        return []\n"
    missing = "raise ImportError('libusb-1.0.so.0: cannot open shared object file: No such file or directory')\n"
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for text, line in ((empty, "a RealSense device; found none"), (missing, "valid: apt-get install libusb-1.0-0")):
        stand_in.write_text(text)
        done = run_to_end(MODULE, free_domain())
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
        assert line in done.stderr
