"""Who else writes commands: a message that is not ours, or a writer that the robot file does not allow."""

from __future__ import annotations

from fnmatch import fnmatchcase

from robot_policies.robots.unitree_wire.dds import Link, Reader, Writer

LOOK_NS = 100_000_000  # [ns] between two looks at the writers that there are
HEARD_NS = 500_000_000  # [ns] for which a foreign message counts


class Rivals:
    """Watches the command topic. ``messages`` counts foreign ones as far as they were looked at (one per cycle)."""

    def __init__(self, link: Link, reader: Reader, allowed: tuple[str, ...]) -> None:
        """Watch ``reader``, which must leave out our own messages."""
        self._link, self._reader, self._allowed = link, reader, allowed
        self._writers: dict[int, Writer] = {}
        self._next_look = 0
        self._heard_ns: int | None = None
        self._heard = ""
        self.messages = 0

    def poll(self, now_ns: int) -> None:
        """Look; ``now_ns`` is the monotonic clock."""
        foreign = self._reader.take()
        if foreign or now_ns >= self._next_look:
            self._look()
            self._next_look = now_ns + LOOK_NS
        if foreign:
            self.messages += len(foreign)
            writer = self._writers.get(foreign[-1].sample_info.publication_handle)
            self._heard_ns, self._heard = (
                now_ns,
                "a writer that is not described yet" if writer is None else str(writer),
            )
        elif self._heard_ns is not None and now_ns - self._heard_ns > HEARD_NS:
            self._heard_ns = None

    @property
    def rival(self) -> str:
        """Return who else commands, or may; "" for nobody."""
        if self._heard_ns is not None:
            return f"commands of {self._heard}"
        stray = sorted({str(writer) for writer in self._writers.values() if not self._allows(writer)})
        return f"a writer of commands that allowed_writers does not name: {', '.join(stray)}" if stray else ""

    @property
    def writers(self) -> list[str]:
        """Return all writers of commands but this one, allowed or not."""
        return sorted(str(writer) for writer in self._writers.values())

    def _look(self) -> None:
        handles = self._reader.matched()
        for handle in self._writers.keys() - handles:
            del self._writers[handle]
        for handle in handles - self._writers.keys():
            publication = self._reader.publication(handle)
            if publication is not None and not self._link.is_own(publication):
                self._writers[handle] = self._link.describe(publication)

    def _allows(self, writer: Writer) -> bool:
        names = (writer.address, writer.host, writer.process, writer.name)
        return any(fnmatchcase(name, pattern) for name in names if name for pattern in self._allowed)
