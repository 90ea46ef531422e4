"""Every error of the package has one root, so that a caller can catch them all.

A message is an instruction: what was asked, what was found, what would be valid.
"""

from __future__ import annotations

from collections.abc import Iterable


class RobotPoliciesError(Exception):
    """Root of all errors that this package raises on purpose."""


class SchemaError(RobotPoliciesError, ValueError):
    """A YAML file does not have the form that its reader states."""


class ResourceError(RobotPoliciesError, LookupError):
    """A name (robot, bundle, model, course ...) does not lead to exactly one thing."""


class BundleError(RobotPoliciesError, ValueError):
    """A policy bundle is not what it states, or not for this robot."""


class ImportFormatError(RobotPoliciesError, ValueError):
    """A foreign policy cannot become a bundle without guessing."""


class InputError(RobotPoliciesError, ValueError):
    """An input of a step is malformed: size, name, finiteness, stamp or age."""


class RecordingError(RobotPoliciesError, ValueError):
    """A recording cannot be read, or cannot be run again."""


class RobotError(RobotPoliciesError, RuntimeError):
    """A robot or simulator cannot be read or written."""


class LockstepTimeout(RobotError, TimeoutError):
    """The command for a due stamp did not come within the wall-clock limit."""


def expected(asked: str, found: object, valid: Iterable[object] | str) -> str:
    """Return the house form of an error: asked, found, valid.

    Args:
        asked: what was asked for, with its place, such as ``action.scale: one number per joint``.
        found: what was there instead.
        valid: what would be accepted, as a sentence or as the list of names.
    """
    listed = valid if isinstance(valid, str) else ", ".join(str(item) for item in valid) or "(none)"
    return f"{asked}; found {found}; valid: {listed}"
