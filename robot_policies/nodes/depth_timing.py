"""From an image to the command that first used it: what the pipeline costs, and what was waited for.

Real time only; in lockstep time stands still while somebody works. All moments are system time, which stamps images
and states alike, on one machine:

    capture --- configured delay --- due --- image here --- a state is captured, its tick --- command published
                                      |-------------|                      |------------------------|   own cost
                                                    |----- wait -----------|

The wait ends with the stamp of the state that the tick is for, so the way of that state and the tick itself are own
cost. A network of a longer period than the control period makes an image wait for its tick too; that is told apart.

When the delay of an image was over is known of a simulated camera, which draws it: it says so on ``depth/due``
(sensor_msgs/TimeReference). A real one does not know; then the own cost counts from the image's receipt, and says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from rclpy.node import Node
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from sensor_msgs.msg import TimeReference

from robot_policies.contract import Contract
from robot_policies.control.timing import Percentiles
from robot_policies.nodes.conversions import to_ns
from robot_policies.types import PolicyRecord

KEPT = 64  # images whose moments are kept
DUES = QoSProfile(depth=16, reliability=QoSReliabilityPolicy.BEST_EFFORT)
PARTS = ("depth_to_command", "depth_tick_wait", "depth_network_wait", "depth_total")


class Use(NamedTuple):
    """The first command from one image [ns].

    ``own`` is from the end of the camera's delay to the published command, less both waits; ``total`` is with the wait
    for the tick, and without that for a network of a longer period.
    """

    own: int
    tick_wait: int
    network_wait: int

    @property
    def total(self) -> int:
        """With the wait for the policy tick."""
        return self.own + self.tick_wait


class DepthTiming:
    """Measures every image that a network reads, at the tick that reads it first."""

    def __init__(self, contract: Contract, now_ns: Callable[[], int] = time.time_ns) -> None:
        """Take the bundle; ``now_ns`` is system time."""
        self._policy, self._now_ns = contract.name, now_ns
        self._periods: dict[str, int] = {}
        for network in contract.networks:
            for source in (source for item in network.inputs for source in item.source):
                if source.depth is not None:
                    self._periods[source.depth] = min(network.period, self._periods.get(source.depth, network.period))
        self._due: dict[str, dict[int, int]] = {name: {} for name in contract.depth}  # by stamp [ns]
        self._here: dict[str, dict[int, int]] = {name: {} for name in contract.depth}
        self._tick: dict[str, tuple[int, int]] = {}  # the newest image that a tick had, and the stamp of the first tick
        self._used: dict[str, int] = {}
        self._numbers = {part: Percentiles() for part in PARTS}
        self._known = self._unknown = 0

    def listen(self, node: Node) -> None:
        """Hear of simulated cameras when the delay of each image is over."""
        for name in self._due:
            topic = "depth" if len(self._due) == 1 else f"{name}/depth"
            node.create_subscription(TimeReference, f"{topic}/due", self._on_due(name), DUES)

    def due(self, name: str, stamp_ns: int, due_ns: int) -> None:
        """Note when the delay of the image captured at ``stamp_ns`` was over."""
        _keep(self._due[name], stamp_ns, due_ns)

    def begin(self) -> None:
        """Forget the images that came before an activation: they have waited for that, not for a tick."""
        for here in self._here.values():
            here.clear()

    def received(self, name: str, stamp_ns: int) -> None:
        """Note that the image captured at ``stamp_ns`` has just come."""
        _keep(self._here[name], stamp_ns, self._now_ns())

    def ticked(self, record: PolicyRecord) -> list[Use]:
        """Note a tick whose command has just been published; return what it first used."""
        published_ns, stamp_ns = self._now_ns(), record.inputs.state.stamp_ns
        uses = []
        for name, image in record.inputs.depth.items():
            if image.stamp_ns != self._tick.get(name, (None, 0))[0]:
                self._tick[name] = (image.stamp_ns, stamp_ns)
            reads = name in self._periods and record.tick % self._periods[name] == 0
            commands = record.command.gain_profile.rpartition("/")[0] == self._policy
            if reads and commands and self._used.get(name) != image.stamp_ns and image.stamp_ns in self._here[name]:
                self._used[name] = image.stamp_ns
                uses.append(self._use(name, image.stamp_ns, stamp_ns, published_ns))
        return uses

    def values(self) -> Mapping[str, Any]:
        """Return the numbers for /diagnostics: nothing where no image was used."""
        if not self._known + self._unknown:
            return {}
        told: dict[str, Any] = {f"{part}_ms": dict(numbers.summary_ms()) for part, numbers in self._numbers.items()}
        return told | {"depth_images": self._known + self._unknown, "depth_images_of_unknown_delay": self._unknown}

    def _use(self, name: str, captured_ns: int, stamp_ns: int, published_ns: int) -> Use:
        here_ns, first_ns = self._here[name][captured_ns], self._tick[name][1]
        due_ns = self._due[name].get(captured_ns)
        self._known, self._unknown = self._known + (due_ns is not None), self._unknown + (due_ns is None)
        tick_wait = max(0, first_ns - here_ns)
        network_wait = max(0, stamp_ns - max(here_ns, first_ns))
        began_ns = here_ns if due_ns is None else due_ns
        use = Use(published_ns - began_ns - tick_wait - network_wait, tick_wait, network_wait)
        for part, value in zip(PARTS, (use.own, use.tick_wait, use.network_wait, use.total), strict=True):
            self._numbers[part].add(value)
        return use

    def _on_due(self, name: str) -> Callable[[TimeReference], None]:
        def callback(message: TimeReference) -> None:
            self.due(name, to_ns(message.header.stamp), to_ns(message.time_ref))

        return callback


def _keep(kept: dict[int, int], key: int, value: int) -> None:
    kept[key] = value
    if len(kept) > KEPT:
        del kept[next(iter(kept))]
