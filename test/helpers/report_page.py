"""Reads a report as a person does: charts by their title, tiles, percentiles, modes, and what it would load."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

import numpy as np
import numpy.typing as npt

VOID = {"meta", "img", "br", "line", "rect", "path"}
Points = npt.NDArray[np.float64]


class ReportPage(HTMLParser):
    """A page. Fails on tags that do not close in their order.

    Attributes:
        lines: title of a chart -> name of a line -> (k, 2) seconds and values.
        tiles: name -> text.
        levels: name of a histogram -> p50, p95, p99, max.
        modes: mode, begin, end.
        pictures: sources of all images.
        text: everything that can be read.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.lines: dict[str, dict[str, Points]] = {}
        self.breaks: dict[str, int] = {}
        self.tiles: dict[str, str] = {}
        self.levels: dict[str, dict[str, float]] = {}
        self.modes: list[tuple[str, float, float]] = []
        self.pictures: list[str] = []
        self.limits: dict[str, int] = {}
        self.text = ""
        self._open: list[tuple[str, dict[str, str]]] = []
        self._title = self._sample = ""
        self.feed(page)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        for name in ("src", "href", "action"):
            assert values.get(name, "data:").startswith("data:"), f"{tag} loads {values[name]}"
        if tag == "figure":
            self._title, self._sample = "", values.get("data-sample", "")
        elif tag == "path":
            self._path(values)
        elif tag == "rect" and values.get("class") == "mode":
            self.modes.append((values["data-mode"], float(values["data-begin"]), float(values["data-end"])))
        elif tag == "img":
            self.pictures.append(values["src"])
        elif tag == "line" and values.get("class") == "limit":
            self.limits[self._title] = self.limits.get(self._title, 0) + 1
        if tag not in VOID:
            self._open.append((tag, values))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        assert tag in VOID, tag

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self._open and self._open[-1][0] == tag, (tag, self._open[-3:])
        self._open.pop()

    def handle_data(self, data: str) -> None:
        tags = [tag for tag, _ in self._open]
        if tags and tags[-1] in ("style", "script"):
            assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|@import|url\(", data)
            return
        self.text += data
        if tags[-2:] == ["figcaption", "b"]:
            self._title = data
        tile = next((values["data-tile"] for _, values in self._open if "data-tile" in values), "")
        if tile and tags[-1] == "b":
            self.tiles[tile] = data
        if tags and tags[-1] == "b" and "data-level" in self._open[-1][1]:
            self.levels.setdefault(self._sample, {})[self._open[-1][1]["data-level"]] = float(data)

    def _path(self, values: dict[str, str]) -> None:
        words = [word.split() for word in re.split("[ML]", values["d"]) if word]
        points = np.array([[float(number) for number in word] for word in words])
        self.lines.setdefault(self._title, {})[html.unescape(values["data-name"])] = points
        self.breaks[f"{self._title}/{values['data-name']}"] = values["d"].count("M") - 1
