"""Opens the page in the user's browser, where there is a display and a browser; never waits, and never fails."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from collections.abc import Mapping

DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")


def open_browser(address: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Ask for a browser at ``address`` and return whether one was asked for.

    Without a display nothing is done: what Python would start instead is a browser in the terminal.
    """
    if not any(environment.get(name) for name in DISPLAYS):
        return False
    # In a thread of its own, as some browsers let the caller wait; it ends with the process.
    threading.Thread(target=_open, args=(address,), daemon=True).start()
    return True


def _open(address: str) -> None:
    try:
        webbrowser.open(address)
    except (webbrowser.Error, OSError) as error:
        sys.stderr.write(f"viewer: no browser was opened: {error}\n")
