"""The film strip: pictures in reading order, a PNG that others read, and one line where there is no GL."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import pytest

from robot_policies.exceptions import RobotError
from sim2real.mujoco.filmstrip import GAP, HEIGHT, WIDTH, grid, png, write_strip

BALL = """<mujoco><visual><headlight ambient="1 1 1" diffuse="0 0 0"/></visual><worldbody><body name="ball">
<joint name="x" type="slide" axis="1 0 0"/><geom size="0.3" rgba="{rgba}"/></body></worldbody></mujoco>"""
Image = pytest.importorskip("PIL.Image", reason="Pillow reads the PNG back")


def test_grid_reads_left_to_right_and_top_to_bottom() -> None:
    """Five pictures in three columns: two rows, the missing sixth is white."""
    sheet = grid([np.full((2, 3, 3), 10 * index, dtype=np.uint8) for index in range(5)], columns=3)
    assert sheet.shape == (2 * 2 + GAP, 3 * 3 + 2 * GAP, 3)
    assert [int(sheet[0, column * (3 + GAP), 0]) for column in range(3)] == [0, 10, 20]
    assert [int(sheet[2 + GAP, column * (3 + GAP), 0]) for column in range(3)] == [30, 40, 255]


def test_png_is_read_back_by_another_program(tmp_path: Path) -> None:
    """Every pixel of a random image survives."""
    image = np.random.default_rng(0).integers(0, 256, (17, 31, 3), dtype=np.uint8)
    (tmp_path / "random.png").write_bytes(png(image))
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "random.png")), image)


@pytest.fixture
def model() -> mujoco.MjModel:
    """A red ball on a rail."""
    return mujoco.MjModel.from_xml_string(BALL.format(rgba="1 0 0 1"))


def _write(model: mujoco.MjModel, path: Path) -> None:
    try:
        write_strip(model, np.array([[0.0], [5.0], [-5.0]]), path, columns=2)
    except RobotError as error:
        if "a working GL" in str(error):
            pytest.skip(f"no GL on this machine: {error}")
        raise


def test_the_camera_follows_the_body(model: mujoco.MjModel, tmp_path: Path) -> None:
    """Wherever the ball is, each picture has it, red, in its middle."""
    _write(model, tmp_path / "strip.png")
    sheet = np.asarray(Image.open(tmp_path / "strip.png"))
    assert sheet.shape == (2 * HEIGHT + GAP, 2 * WIDTH + GAP, 3)
    for row, column in ((0, 0), (0, 1), (1, 0)):
        red, green, _ = sheet[row * (HEIGHT + GAP) + HEIGHT // 2, column * (WIDTH + GAP) + WIDTH // 2]
        assert red > 2 * int(green)
    assert sheet[HEIGHT + GAP + 5, WIDTH + GAP + 5].tolist() == [255, 255, 255]


def test_without_gl_there_is_one_line_and_no_file(
    model: mujoco.MjModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GL that cannot work is an error of one line that names the variable."""
    monkeypatch.setenv("MUJOCO_GL", "disabled")
    with pytest.raises(RobotError, match="MUJOCO_GL=disabled") as caught:
        write_strip(model, np.zeros((1, 1)), tmp_path / "strip.png")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "strip.png").exists()


def test_a_place_that_cannot_be_written_is_named(model: mujoco.MjModel, tmp_path: Path) -> None:
    """The line names the file, not GL."""
    with pytest.raises(RobotError, match=r"missing/strip\.png"):
        _write(model, tmp_path / "missing" / "strip.png")
