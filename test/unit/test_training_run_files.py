"""Files of a run are replaced whole: a kill or a full disk leaves the old ones."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sim2real.training.run_files import has_checkpoint, replace_file

ROOT = Path(__file__).resolve().parents[2]

# Replaces a file, and is killed at one call of one function of os.
KILLED = """
import os, signal, sys
from pathlib import Path
from sim2real.training.run_files import replace_file

def killing(real, calls):
    def call(*arguments):
        nonlocal calls
        calls -= 1
        if calls == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments)
    return call

name, calls, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
setattr(os, name, killing(getattr(os, name), calls))
replace_file(folder / "a", b"new", keep=folder / "before")
"""


def test_the_new_content_is_there_and_the_old_one_is_kept(tmp_path: Path) -> None:
    path, before = tmp_path / "a", tmp_path / "before"
    for content in (b"1", b"2", b"3"):
        replace_file(path, content, keep=before)
    assert path.read_bytes() == b"3" and before.read_bytes() == b"2"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a", "before"]


def test_a_full_disk_changes_nothing_and_room_later_is_used(tmp_path: Path) -> None:
    path, before = tmp_path / "a", tmp_path / "before"
    path.write_bytes(b"old")
    before.write_bytes(b"older")
    (tmp_path / "a.partial").symlink_to("/dev/full")  # every write to it fails as on a full disk
    with pytest.raises(OSError, match="No space left") as caught:
        replace_file(path, b"new" * 100_000, keep=before)
    assert caught.value.errno == errno.ENOSPC
    assert (path.read_bytes(), before.read_bytes()) == (b"old", b"older")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a", "before"]
    replace_file(path, b"new", keep=before)
    assert (path.read_bytes(), before.read_bytes()) == (b"new", b"old")


@pytest.mark.parametrize(("name", "calls", "found"), [
    ("fsync", 1, {"a": b"old", "before": b"older"}),  # written, not flushed
    ("replace", 1, {"a": b"old", "before": b"older"}),
    ("replace", 2, {"before": b"old"}),
    ("fsync", 2, {"a": b"new", "before": b"old"}),
])  # fmt: skip
def test_killed_at_any_step_one_whole_file_is_left(
    name: str, calls: int, found: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "before").write_bytes(b"older")
    command = [sys.executable, "-c", KILLED, name, str(calls), str(tmp_path)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    left = {path.name: path.read_bytes() for path in tmp_path.iterdir() if not path.name.endswith(".partial")}
    assert left == found
    replace_file(tmp_path / "a", b"newest")  # what was left beside does not disturb
    assert (tmp_path / "a").read_bytes() == b"newest" and not (tmp_path / "a.partial").exists()


def test_the_content_is_on_the_disk_before_it_gets_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    real = {"fsync": os.fsync, "replace": os.replace}
    for name, function in real.items():
        monkeypatch.setattr(os, name, lambda *given, n=name, f=function: (done.append(n), f(*given))[1])
    replace_file(tmp_path / "a", b"1")
    assert done == ["fsync", "replace", "fsync"]  # the last one is of the folder


def test_either_checkpoint_is_enough_to_go_on(tmp_path: Path) -> None:
    assert not has_checkpoint(tmp_path)
    for name in ("checkpoint.pt", "checkpoint.previous.pt"):
        (tmp_path / name).touch()
        assert has_checkpoint(tmp_path)
        (tmp_path / name).unlink()
