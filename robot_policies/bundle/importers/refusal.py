"""How an importer says no."""

from __future__ import annotations

from collections.abc import Iterable

from robot_policies.exceptions import ImportFormatError, expected


def refused(asked: str, found: object, valid: Iterable[object] | str) -> ImportFormatError:
    """Return the error that says what was asked (with its key), what was found, and what would be valid."""
    return ImportFormatError(expected(asked, found, valid))
