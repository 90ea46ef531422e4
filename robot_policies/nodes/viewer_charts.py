"""Plots of joint targets against joint positions. No ROS here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from robot_policies.nodes.viewer_plots import CHARTS, SPAN, JointHistory, groups
from robot_policies.types import Array

HEIGHT = 104  # [px]
TARGET, POSITION = "#e8590c", "#1c7ed6"
SERIES = (
    {"label": "s"},
    {"label": "target [rad]", "stroke": TARGET, "width": 1.5},
    {"label": "position [rad]", "stroke": POSITION, "width": 1.5},
    *({"label": side, "stroke": "transparent"} for side in ("least", "most")),  # hold the axis open
)
LEAST = 0.1  # [rad] that an axis spans, so that the noise of a joint that stands still does not fill it
LEGEND = (
    f"<div style='padding:0 12px;font-size:12.5px'><span style='color:{TARGET}'>&#9644;</span> target sent, "
    f"<span style='color:{POSITION}'>&#9644;</span> position [rad], over the last {SPAN:g} s</div>"
)


class Charts:
    """A choice of joints, and a chart for each of the chosen ones."""

    def __init__(self, gui: Any) -> None:
        """Add them at the present place of ``gui``, empty."""
        self._gui = gui
        self._groups: dict[str, tuple[str, ...]] = {"none": ()}
        self._choice = gui.add_dropdown("Show", ("none",))
        gui.add_html(LEGEND)
        self._charts = [self._chart() for _ in range(CHARTS)]

    def offer(self, names: Sequence[str]) -> None:
        """Offer these joints, the first limb chosen."""
        self._groups = groups(names) or {"none": ()}
        self._choice.options = tuple(self._groups)
        self._choice.value = next(iter(self._groups))

    def plot(self, history: JointHistory) -> None:
        """Draw the chosen joints."""
        chosen = [name for name in self._groups.get(self._choice.value, ()) if name in history.names]
        for index, chart in enumerate(self._charts):
            visible = index < len(chosen)
            if chart.visible != visible:
                chart.visible = visible
            if not visible:
                continue
            name = chosen[index]
            if chart.title != name:
                chart.title = name
            times, target, position = history.of(name)
            if len(times) > 1:
                chart.data = (times, target, position, *bounds(position))

    def _chart(self) -> Any:
        nothing = np.zeros(2)
        return self._gui.add_uplot(
            (np.array([-SPAN, 0.0]), *4 * (nothing,)),
            SERIES,
            scales={"x": {"time": False, "range": (-SPAN, 0.0)}, "y": {"auto": True}},
            axes=({"size": 26}, {"size": 50}),
            legend={"show": False},
            height=HEIGHT,
            padding=(4, 14, 0, 0),
            visible=False,
        )


def bounds(position: Array) -> tuple[Array, Array]:
    """Return two lines around ``position`` [rad] that are ``LEAST`` apart."""
    middle = np.full(len(position), np.nanmean(position) if np.isfinite(position).any() else 0.0)
    return middle - LEAST / 2.0, middle + LEAST / 2.0
