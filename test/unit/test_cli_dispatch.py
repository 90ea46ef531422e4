"""The command robot-policies: how a verb is found and run, and what wrong input gets."""

from __future__ import annotations

import argparse
import subprocess
import sys
import types
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from robot_policies import resources
from robot_policies.cli.main import main
from robot_policies.exceptions import InputError

Body = Callable[[argparse.Namespace], int]
Register = Callable[..., None]


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> Register:
    """Replace all verbs by those that the test registers."""
    offered: list[EntryPoint] = []
    monkeypatch.setattr(resources, "entry_points", lambda group: offered if group.endswith("commands") else [])

    def register(name: str, body: Body = lambda args: 0, **replaced: object) -> None:
        module = types.ModuleType(f"verb_{name}")
        module.HELP = f"what {name} does"  # type: ignore[attr-defined]
        module.add_arguments = lambda parser: parser.add_argument("--seconds", type=float)  # type: ignore[attr-defined]
        module.main = body  # type: ignore[attr-defined]
        for key, value in replaced.items():
            setattr(module, key, value) if value is not None else delattr(module, key)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        offered.append(EntryPoint(name, module.__name__, "robot_policies.commands"))

    return register


def fail_with(error: BaseException) -> Body:
    def body(args: argparse.Namespace) -> int:
        raise error

    return body


def refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command line that must be refused; return its one line."""
    try:
        code = main(argv)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else -1
    out, err = capsys.readouterr()
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("robot-policies")
    return err


def test_the_verb_gets_its_arguments_and_its_code_is_returned(verb: Register) -> None:
    seen: list[float] = []

    def body(args: argparse.Namespace) -> int:
        seen.append(args.seconds)
        return 7

    verb("walk", body)
    assert main(["walk", "--seconds", "2.5"]) == 7
    assert seen == [2.5]


def test_the_arguments_come_from_the_command_line(verb: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    verb("walk", lambda args: int(args.seconds))
    monkeypatch.setattr(sys, "argv", ["robot-policies", "walk", "--seconds", "3"])
    assert main() == 3


def test_an_unknown_verb_lists_the_verbs(verb: Register, capsys: pytest.CaptureFixture[str]) -> None:
    verb("walk")
    verb("list")
    assert "unknown verb 'wlak'; valid: list, walk" in refused(["wlak"], capsys)


def test_without_an_installation_the_line_says_so(verb: Register, capsys: pytest.CaptureFixture[str]) -> None:
    assert "not installed" in refused(["walk"], capsys)


@pytest.mark.parametrize("argv", [[], ["--verbose"]])
def test_a_verb_is_needed(argv: list[str], verb: Register, capsys: pytest.CaptureFixture[str]) -> None:
    verb("walk")
    assert "robot-policies" in refused(argv, capsys)


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["walk", "--second", "2"], "--second"),  # no abbreviations: a typing error is not another argument
        (["walk", "--seconds", "two"], "two"),
        (["walk", "extra"], "extra"),
    ],
)
def test_wrong_arguments_get_one_line(
    argv: list[str], says: str, verb: Register, capsys: pytest.CaptureFixture[str]
) -> None:
    verb("walk", fail_with(AssertionError("the verb was started")))
    line = refused(argv, capsys)
    assert says in line
    assert "walk --help" in line


def test_an_error_of_the_package_is_one_line(verb: Register, capsys: pytest.CaptureFixture[str]) -> None:
    verb("walk", fail_with(InputError("robot: asked for go3\npolicy: asked for none")))
    assert refused(["walk"], capsys) == "robot-policies: robot: asked for go3 | policy: asked for none\n"


def test_an_error_of_the_program_is_not_hidden(verb: Register) -> None:
    verb("walk", fail_with(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        main(["walk"])


def test_control_c_ends_as_shells_expect(verb: Register) -> None:
    verb("walk", fail_with(KeyboardInterrupt()))
    assert main(["walk"]) == 130


def test_a_verb_whose_module_is_missing_gets_one_line(
    verb: Register, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    verb("walk")
    monkeypatch.delitem(sys.modules, "verb_walk")
    assert "No module named 'verb_walk'" in refused(["walk"], capsys)


def test_a_module_that_is_no_verb_says_what_it_lacks(verb: Register, capsys: pytest.CaptureFixture[str]) -> None:
    verb("walk", HELP=None, main=None)
    assert "verb_walk lacks HELP, main" in refused(["walk"], capsys)


def test_help_shows_every_verb_even_a_broken_one(verb: Register, capsys: pytest.CaptureFixture[str]) -> None:
    verb("walk")
    verb("broken", add_arguments=None)
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    out = capsys.readouterr().out
    assert stop.value.code == 0
    assert "walk     what walk does" in out
    assert "broken   (unavailable: verb 'broken': verb_broken lacks add_arguments)" in out


def test_only_the_module_that_was_asked_for_is_imported(verb: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    verb("walk")
    verb("train")
    monkeypatch.setitem(sys.modules, "verb_train", None)  # an import of it fails
    assert main(["walk"]) == 0


def run(*argv: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "robot_policies.cli", *argv]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def test_as_a_process_list_says_where_things_lie(tmp_path: Path) -> None:
    done = run("list", "robots", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("robots:\n")
    places = dict(line.split(maxsplit=1) for line in done.stdout.splitlines()[1:])
    assert Path(places["go2"]).is_file()


def test_as_a_process_an_unknown_verb_has_code_2(tmp_path: Path) -> None:
    done = run("wlak", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("buffering", ["PYTHONUNBUFFERED=1", "-u PYTHONUNBUFFERED"], ids=["unbuffered", "buffered"])
def test_a_reader_that_goes_away_is_no_trace(buffering: str, tmp_path: Path) -> None:
    command = f"env {buffering} '{sys.executable}' -m robot_policies.cli list | true"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
