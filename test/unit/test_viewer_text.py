"""What the page says: numbers with their units, and nothing from the wire unescaped."""

from __future__ import annotations

import math

import numpy as np
import pytest

from robot_policies.nodes.viewer_depth import ANCHORS, NOTHING, TABLE, coloured, gradient
from robot_policies.nodes.viewer_text import (
    ALARM,
    MODE_COLOURS,
    SHOWN,
    Event,
    Numbers,
    Status,
    depth_html,
    history_html,
    numbers_html,
    policies_html,
    status_html,
)

EVIL = "<script>x</script>"
PERCENTILES = {"p50": 0.5, "p95": 1.0, "p99": 2.0, "max": 40.0}


def test_the_status_names_everything_with_its_unit() -> None:
    text = status_html(Status("go2", "active", (0.8, -0.1, 0.2), (0.79, 0.0, 0.21), 12.34, 0.997, "", "ok", "walk"))
    for part in (
        "go2 &middot; walk",
        "+0.80",
        "-0.10 m/s",
        "+0.21 rad/s",
        "12.3 m gone",
        "1.00 &times; real time",
        "ok",
    ):
        assert part in text, part
    assert MODE_COLOURS["active"] in text
    assert MODE_COLOURS["landing"] in status_html(Status("", "landing:sit", None, None, None, None))
    assert "no states" in status_html(Status("", "stand", None, None, None, None))


def of_two(**more: str) -> str:
    return status_html(Status("go2", "active", None, None, None, None, policies=("sees", "blind"), **more))  # type: ignore[arg-type]


def test_of_two_policies_the_one_that_commands_is_marked_and_why_not_the_other() -> None:
    assert "sees commands" in of_two(commanding="sees", wanted="sees")
    assert " wanted" not in of_two(commanding="sees", wanted="sees")
    text = of_two(commanding="blind", wanted="sees", why_not="depth: no image")
    assert "blind commands" in text and "sees commands" not in text and "sees is wanted: depth: no image" in text
    assert "stand commands" in of_two(commanding="stand", wanted="sees", why_not="depth: no image")
    blind = of_two(commanding="sees", wanted="sees", why_not="it does not see")
    assert "it does not see" in blind and " wanted" not in blind
    inactive = of_two(wanted="sees", why_not="depth: no image")
    assert "commands" not in inactive and "no image" not in inactive and ">sees<" in inactive
    alone = status_html(Status("go2", "active", None, None, None, None, policy="a", policies=("a",), commanding="a"))
    assert "commands" not in alone


def test_a_recording_says_where_it_is_in_place_of_the_clock() -> None:
    assert "no states" not in of_two(played="recorded, 1.00 of 2.00 s, paused")
    assert "1.00 of 2.00 s" in of_two(played="recorded, 1.00 of 2.00 s, paused")


def test_nothing_from_the_wire_is_taken_for_html() -> None:
    texts = [
        status_html(Status(EVIL, EVIL, None, None, None, None, EVIL, EVIL, EVIL)),
        of_two(commanding=EVIL, wanted=EVIL + "2", why_not=EVIL, played=EVIL),
        policies_html(Status("", "", None, None, None, None, policies=(EVIL, "b"), commanding="b")),
        history_html([Event(1.0, EVIL)]),
        numbers_html(Numbers([], [], {EVIL: 1})),
    ]
    assert all("<script" not in text and "&lt;script" in text for text in texts)


def test_ages_rates_and_percentiles() -> None:
    inputs = [("robot state", 0.0042, 199.96), ("depth image", None, None), ("old", 75.0, 1.0)]
    text = numbers_html(Numbers(inputs, [("tick", PERCENTILES)], {"clamped": 3}))
    for part in ("4 ms", "200.0 Hz", "&ndash;", "75 s", "0.50", "40.00", "clamped 3"):
        assert part in text, part


def test_the_newest_events_come_first_and_trips_are_red() -> None:
    events = [Event(float(ago), f"mode{ago:03d}") for ago in range(100, 0, -1)]
    text = history_html([*events, Event(0.5, "trip tilt", trip=True), Event(150.0, "long ago")])
    assert text.index("trip tilt") < text.index("mode001") < text.index("mode002")
    assert f"color:{ALARM}" in text.split("mode001")[0]
    assert f"color:{ALARM}" not in text.split("mode001")[1]
    assert text.count("ago<") == SHOWN
    assert "2.5 min ago" in history_html([Event(150.0, "long ago")])


def test_the_scale_of_a_depth_image_is_said() -> None:
    text = depth_html(0.2, 3.0, 0.061, (60, 106))
    for part in ("0.2 m", "1.6 m", "&ge; 3.0 m", "106 &times; 60", "61 ms ago", "black: no return", gradient()):
        assert part in text, part


def test_near_is_light_and_far_is_dark_and_no_return_is_black() -> None:
    depth = np.array([[0.1, 0.2, 1.6, 3.0, 50.0], [0.0, -1.0, math.nan, math.inf, 0.2]], np.float32)
    picture = coloured(depth, 0.2, 3.0)
    assert (picture.shape, picture.dtype) == ((2, 5, 3), np.uint8)
    assert tuple(picture[0, 0]) == tuple(picture[0, 1]) == ANCHORS[0]
    assert tuple(picture[0, 3]) == tuple(picture[0, 4]) == ANCHORS[-1]
    assert [tuple(pixel) for pixel in picture[1, :4]] == 4 * [NOTHING]
    light = TABLE.astype(float) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(light) <= 0.0).all()


@pytest.mark.parametrize("far", [0.5, 10.0])
def test_the_ends_of_the_scale_are_those_that_are_asked_for(far: float) -> None:
    assert tuple(coloured(np.array([[far]], np.float32), 0.2, far)[0, 0]) == ANCHORS[-1]
