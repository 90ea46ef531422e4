"""The page's own script in a real browser, where one is installed: pointing, zooming, and back."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from typing import Any

import pytest
from helpers.recorded import record

from robot_policies.control.recording.history import History, read_history
from robot_policies.report.page import page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PROBE = """<script>
const told = {errors: []};
window.onerror = message => told.errors.push(String(message));
addEventListener('load', () => {
  const figure = title => [...document.querySelectorAll('figure')]
    .find(f => f.querySelector('b') && f.querySelector('b').textContent === title && f.querySelector('svg.time'));
  const main = figure('forward (x)'), joint = figure('FL_hip_joint'), svg = main.querySelector('svg.time');
  const box = svg.getBoundingClientRect(), left = +svg.dataset.left, wide = +svg.dataset.wide;
  const at = share => box.left + (left + share * wide) * box.width / svg.viewBox.baseVal.width;
  const send = (kind, share) =>
    svg.dispatchEvent(new PointerEvent(kind, {clientX: at(share), clientY: box.top + 40, bubbles: true}));
  const read = f => f.querySelector('.read').textContent;
  const labels = () => [...joint.querySelectorAll('.x text')].map(t => parseFloat(t.textContent));
  const scale = () => joint.querySelector('g.data').transform.baseVal.consolidate().matrix.a;
  told.whole = [scale(), labels()];
  send('pointermove', 0.5);
  told.pointed = [read(main), read(joint), [...main.querySelectorAll('i s')].map(s => s.textContent)];
  told.mode = read(figure('modes and trips'));
  send('pointerleave', 0.5);
  told.left = read(main) + read(joint);
  send('pointerdown', 0.5); send('pointermove', 0.6); send('pointerup', 0.75);
  told.zoomed = [scale(), labels()];
  send('pointermove', 0.5);
  told.zoomedTime = parseFloat(read(main));
  svg.dispatchEvent(new MouseEvent('dblclick', {bubbles: true}));
  told.back = [scale(), labels()];
  document.body.dataset.told = JSON.stringify(told);
});
</script>"""


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    folder = tmp_path_factory.mktemp("script") / "run"
    record(folder, "go2_walk", cycles=400)
    return read_history(folder)


@pytest.fixture(scope="module")
def told(history: History, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the page shows as a pointer moves over it."""
    if CHROMIUM is None:
        pytest.skip("no Chromium here")
    folder = tmp_path_factory.mktemp("browser")
    path = folder / "page.html"
    path.write_text(page(history, pictures=0).replace("<body>", f"<body>{PROBE}"), encoding="utf-8")
    line = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    line += ["--window-size=1300,900", "--virtual-time-budget=3000", "--dump-dom", path.as_uri()]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120)
    found = re.search(r'data-told="([^"]*)"', done.stdout)
    assert found, done.stderr[-500:]
    return dict(json.loads(html.unescape(found[1])))


def test_pointing_shows_the_values_of_that_moment(history: History, told: dict[str, Any]) -> None:
    assert told["errors"] == []
    main, joint, keys = told["pointed"]
    moment = float(main.split()[0])
    span = (history.robot.stamp_ns[-1] - history.start_ns) / 1e9
    assert moment == pytest.approx(span / 2.0, abs=0.01)
    row = round(moment * 200)
    position = history.robot.joint_pos[row, list(history.joint_names()).index("FL_hip_joint")]
    assert float(re.search(r"position (\S+)", joint)[1]) == pytest.approx(position, abs=2e-3)  # type: ignore[index]
    assert keys == ["0.000", ""]  # measured; nothing was asked yet
    assert told["mode"].split()[-1] == history.robot.modes[row].value
    assert told["left"] == ""


def test_dragging_zooms_every_chart_and_a_double_click_shows_all(history: History, told: dict[str, Any]) -> None:
    span = (history.robot.stamp_ns[-1] - history.start_ns) / 1e9
    whole, zoomed, back = told["whole"], told["zoomed"], told["back"]
    assert zoomed[0] == pytest.approx(4.0 * whole[0], rel=1e-3)
    assert all(0.49 * span <= tick <= 0.76 * span for tick in zoomed[1]) and len(zoomed[1]) >= 2
    assert told["zoomedTime"] == pytest.approx(0.625 * span, abs=0.01)
    assert back[0] == pytest.approx(whole[0], rel=1e-6) and back[1] == whole[1]
