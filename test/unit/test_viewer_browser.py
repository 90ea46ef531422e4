"""A browser is opened where there is a display, and nothing waits for it or fails without it."""

from __future__ import annotations

import io
import sys
import threading
import time
import webbrowser

import pytest

from robot_policies.nodes.viewer_browser import open_browser

ADDRESS = "http://127.0.0.1:8080"


def test_without_a_display_nothing_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    assert not open_browser(ADDRESS, {"PATH": "/bin", "DISPLAY": ""})
    time.sleep(0.1)
    assert opened == []


@pytest.mark.parametrize("name", ["DISPLAY", "WAYLAND_DISPLAY"])
def test_with_a_display_it_is_opened_and_nobody_waits(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    asked, may_go_on = threading.Event(), threading.Event()

    def slow(address: str) -> bool:
        assert address == ADDRESS
        asked.set()
        return may_go_on.wait(5.0)

    monkeypatch.setattr(webbrowser, "open", slow)
    started = time.monotonic()
    assert open_browser(ADDRESS, {name: ":0"})
    assert time.monotonic() - started < 1.0
    assert asked.wait(5.0)
    may_go_on.set()


@pytest.mark.parametrize("error", [webbrowser.Error("none"), OSError("none")])
def test_a_browser_that_fails_is_one_line(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(address: str) -> bool:
        raise error

    # Not capfd: what is written while it is read is lost.
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    monkeypatch.setattr(webbrowser, "open", fail)
    open_browser(ADDRESS, {"DISPLAY": ":0"})
    end = time.monotonic() + 5.0
    while not said.getvalue() and time.monotonic() < end:
        time.sleep(0.01)
    assert said.getvalue() == "viewer: no browser was opened: none\n"
