"""The command ``robot-policies VERB``: finds the verb, reads its arguments, runs it.

Verbs are entry points of the group ``robot_policies.commands``, so that another package can add one. Each is a module
with ``HELP``, ``add_arguments(parser)`` and ``main(args)``, which returns the exit code. Only the module of the verb
that was asked for is imported.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn, Protocol, cast

from robot_policies import resources
from robot_policies.exceptions import ResourceError, RobotPoliciesError

PROGRAM = "robot-policies"
REFUSED = 2  # as argparse: nothing was started
INTERRUPTED = 130  # 128 + SIGINT, as shells count


class Command(Protocol):
    """What the module of a verb holds."""

    HELP: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the arguments of the verb."""
        ...

    def main(self, args: argparse.Namespace) -> int:
        """Run the verb and return its exit code."""
        ...


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage around it."""

    def error(self, message: str) -> NoReturn:
        self.exit(REFUSED, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb.

    Args:
        argv: the arguments after the program's name; ``sys.argv[1:]`` where None.

    Returns:
        The exit code: the verb's own, 2 where anything asked for is wrong, 130 after Ctrl-C.
    """
    try:
        code = _dispatch(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
        return code
    except RobotPoliciesError as error:
        print(f"{PROGRAM}: {' | '.join(str(error).splitlines())}", file=sys.stderr)
        return REFUSED
    except BrokenPipeError:
        # The reader of standard output has gone (`| head`): keep the interpreter from flushing into it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return REFUSED
    except KeyboardInterrupt:
        return INTERRUPTED


def _dispatch(argv: list[str]) -> int:
    verbs = sorted(resources.plugins("commands"))
    if not argv or argv[0].startswith("-"):
        return _overview(verbs, argv)
    if argv[0] not in verbs:
        listed = ", ".join(verbs) or "(none: the package is not installed; pip install -e .)"
        raise ResourceError(f"unknown verb {argv[0]!r}; valid: {listed}")
    command = _command(argv[0])
    parser = _Parser(prog=f"{PROGRAM} {argv[0]}", description=command.HELP, allow_abbrev=False)
    command.add_arguments(parser)
    return command.main(parser.parse_args(argv[1:]))


def _overview(verbs: list[str], argv: list[str]) -> int:
    """Print the verbs with one line each; without ``--help`` it is an error, as a verb was due."""
    parser = _Parser(prog=PROGRAM, usage=f"{PROGRAM} VERB ...", formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.description = "Run learned policies on robots and simulators."
    if "-h" in argv or "--help" in argv:
        parser.epilog = "\n".join(["verbs:", *(f"  {verb:8} {_help(verb)}" for verb in verbs)])
    parser.parse_args(argv)
    parser.error(f"a verb is needed; valid: {', '.join(verbs)}")


def _help(verb: str) -> str:
    try:
        return _command(verb).HELP
    except ResourceError as error:
        return f"(unavailable: {error})"


def _command(verb: str) -> Command:
    """Import the module of a verb. Raises ``ResourceError`` where it cannot be imported or is not a verb."""
    module = resources.plugin("commands", verb)
    lacking = [name for name in ("HELP", "add_arguments", "main") if not hasattr(module, name)]
    if lacking:
        raise ResourceError(f"verb {verb!r}: {module.__name__} lacks {', '.join(lacking)}")
    return cast(Command, module)
