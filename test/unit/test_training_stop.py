"""Signals end a run in order; a kill and a full disk lose only what came after the last checkpoint."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.train_process import ROOT, SHORT

from sim2real.training.stop import StopSignals

# What the command ``robot-policies`` runs, with room for a change before it.
RUN = """
import os, signal, sys
from robot_policies.cli.main import main
{before}
sys.exit(main(["train", "go2_walk", "--envs", "4", "--threads", "1", *sys.argv[1:]]))
"""
SAVE_ALWAYS = "from sim2real.training import trainer; trainer.SAVE_EVERY = 0.0\n"
KILL_IN_SECOND_SAVE = """
import sim2real.training.checkpoint as checkpoint
real, saves = checkpoint.save, []
def save(*arguments):
    saves.append(1)
    if len(saves) == 2:
        os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)
    real(*arguments)
checkpoint.save = save
"""


def start(*arguments: object, before: str = "") -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", RUN.format(before=before), *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment)


def finish(process: subprocess.Popen[str], seconds: float = 250.0) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=seconds)
    return process.returncode, out, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_a_wish_and_the_second_interrupts(
    number: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(number)
    with StopSignals() as stop:
        assert not stop.asked()
        os.kill(os.getpid(), number)
        assert stop.asked() and stop.number == number
        assert "once more ends at once" in capfd.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
            time.sleep(1.0)
    assert signal.getsignal(number) is before


@pytest.mark.torch
@pytest.mark.slow
def test_sigterm_ends_a_run_with_checkpoint_and_bundle(tmp_path: Path) -> None:
    pytest.importorskip("rsl_rl")
    process = start("--minutes", "30", "--out", tmp_path / "walk", before=SHORT)
    progress, end = tmp_path / "walk.run" / "progress.csv", time.monotonic() + 120.0
    while process.poll() is None and time.monotonic() < end:
        if progress.is_file() and len(progress.read_text().splitlines()) > 2:
            break
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    code, out, err = finish(process)
    assert code == 128 + signal.SIGTERM, err
    assert "stopping after this iteration" in err and out.strip().endswith(f"wrote {tmp_path / 'walk'}")
    assert (tmp_path / "walk" / "policy.yaml").is_file()
    assert sorted(path.name for path in (tmp_path / "walk.run").iterdir()) == [
        "checkpoint.pt", "progress.csv", "progress.png",
    ]  # fmt: skip


@pytest.mark.torch
@pytest.mark.slow
def test_a_kill_in_the_middle_of_a_save_loses_only_what_came_after_the_one_before(tmp_path: Path) -> None:
    pytest.importorskip("rsl_rl")
    from sim2real.training import checkpoint

    run = tmp_path / "walk.run"
    code, _, err = finish(
        start("--minutes", "30", "--out", tmp_path / "walk", before=SAVE_ALWAYS + KILL_IN_SECOND_SAVE)
    )
    assert code == -signal.SIGKILL, err
    assert (run / "checkpoint.pt.partial").is_file()
    assert checkpoint.read(run / "checkpoint.pt")["progress"]["iteration"] == 1
    code, out, err = finish(start("--minutes", "0", "--resume", "--out", tmp_path / "walk", before=SHORT))
    assert code == 0 and out.strip().endswith(f"wrote {tmp_path / 'walk'}"), err


@pytest.mark.torch
@pytest.mark.slow
def test_a_disk_that_stays_full_is_told_and_has_a_code_of_its_own(tmp_path: Path) -> None:
    """A limit on file sizes below that of a checkpoint stands for the full disk."""
    pytest.importorskip("rsl_rl")
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))\n"
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    code, out, err = finish(start("--minutes", "0.02", "--out", tmp_path / "walk", before=limit))
    assert code == 3, err
    assert f"checkpoint not written: File too large ({tmp_path / 'walk.run'}); kept: the one before" in out
    assert [path.name for path in (tmp_path / "walk.run").iterdir()] == ["progress.csv"]
    assert not (tmp_path / "walk").exists()
