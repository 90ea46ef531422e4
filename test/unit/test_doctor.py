"""How the doctor runs its checks, that none of them can hang it, and its command."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from robot_policies.cli.main import main
from robot_policies.doctor import finding
from robot_policies.doctor.finding import Check, Finding, child, run, worst
from robot_policies.exceptions import RobotError, RobotPoliciesError

OK, WARN, FAIL = (Finding("x", level, "found") for level in finding.LEVELS)


# How checks are run.


def test_a_line_says_level_check_what_was_found_and_what_to_do() -> None:
    assert str(Finding("disk", "WARN", "1 GB free", "make room")) == "WARN disk: 1 GB free; do: make room"
    assert str(Finding("clock", "OK", "even")) == "OK   clock: even"


def test_the_worst_counts() -> None:
    assert [worst(found) for found in ([], [OK], [OK, WARN], [FAIL, WARN, OK])] == [0, 0, 1, 2]


def test_checks_run_side_by_side_in_their_order() -> None:
    def slow(name: str) -> Callable[[], Finding]:
        return lambda: time.sleep(0.4) or Finding(name, "OK", "")  # type: ignore[func-returns-value]

    begun = time.monotonic()
    found = run([Check(name, slow(name)) for name in "abcd"])
    assert [one.check for one in found] == list("abcd")
    assert time.monotonic() - begun < 1.2


def test_a_check_that_hangs_is_left_behind_and_said() -> None:
    begun = time.monotonic()
    found = run([Check("stuck", lambda: time.sleep(60) or OK, 0.3), Check("good", lambda: OK)])  # type: ignore[func-returns-value]
    assert time.monotonic() - begun < 5.0
    assert (found[0].level, found[0].found) == ("FAIL", "no answer within 0.3 s")
    assert found[1] is OK


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_check_that_raises_is_a_finding() -> None:
    def ours() -> Finding:
        raise RobotError("asked;\n  found; valid")

    def broken() -> Finding:
        raise KeyError("x")

    found = run([Check("ours", ours), Check("broken", broken)])
    assert (found[0].level, found[0].found) == ("FAIL", "asked; found; valid")
    assert (found[1].level, found[1].found) == ("FAIL", "the check itself broke; the trace is above")


def test_a_process_that_hangs_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hangs.py").write_text("import time, os\nprint(os.getpid(), flush=True)\ntime.sleep(60)\n")
    (tmp_path / "fails.py").write_text("import sys\nsys.exit('what went wrong')\n")
    (tmp_path / "talks.py").write_text("print('noise')\nprint('{\"a\": 1}')\nprint('more')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    begun = time.monotonic()
    with pytest.raises(RobotPoliciesError, match="no answer within 0.5 s"):
        child("hangs", limit=0.5)
    assert time.monotonic() - begun < 10.0
    with pytest.raises(RobotPoliciesError, match="what went wrong"):
        child("fails", limit=20.0)
    assert child("talks", limit=20.0) == {"a": 1}


# The command.


def command(*arguments: str) -> int:
    return main(["doctor", *arguments])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--robot", "go9"), "go9"),
        (("--json", "/no/such/folder/x.json"), "--json; found /no/such"),
        (("--recordings", "/no/such"), "--recordings; found /no/such"),
        (("--only", "wheels"), "--only: a check; found wheels; valid: versions, bundles, ROS"),
    ],
)
def test_a_wrong_argument_is_one_line(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(*arguments) == 2
    said = capsys.readouterr().err
    assert words in said and len(said.splitlines()) == 1


def test_an_interface_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--interface", "eth99", "--only", "interface", "--only", "multicast", "--only", "domain") == 2
    lines = capsys.readouterr().out.splitlines()
    assert [line[:4] for line in lines[:3]] == ["OK  ", "FAIL", "FAIL"]
    assert "interface: interface: the network interface" in lines[1] and "no 'eth99' on this machine" in lines[1]
    assert lines[3] == "1 OK, 0 WARN, 2 FAIL: something is missing"


def test_the_exit_code_and_the_json_are_the_worst(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "d.json"
    for domain, code in (("7", 0), ("120", 1), ("300", 2)):
        monkeypatch.setenv("ROS_DOMAIN_ID", domain)
        assert command("--only", "domain", "--json", str(path)) == code
        told = json.loads(path.read_text())
        assert told["worst"] == finding.LEVELS[code]
        assert [one["check"] for one in told["findings"]] == ["domain"]
        assert bool(told["findings"][0]["todo"]) is bool(code)
