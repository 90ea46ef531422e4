"""The verb ``train``: what it refuses, in one line, before anything starts; and a short run from end to end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from helpers.train_process import ROOT, run


@pytest.mark.parametrize(("arguments", "said"), [
    (["go2_fly", "--minutes", "1"], "found 'go2_fly'; valid: go2_walk"),
    (["go2_walk", "--minutes", "-1"], "--minutes: how long to train; found -1.0; valid: 0 or more"),
    (["go2_walk", "--minutes", "nan"], "found nan"),
    (["go2_walk", "--minutes", "1", "--envs", "6"], "found 6; valid: a multiple of 4"),
    (["go2_walk", "--minutes", "1", "--seed", "-3"], "--seed; found -3"),
    (["go2_walk"], "--minutes"),
])  # fmt: skip
def test_what_cannot_work_is_one_line_and_exit_2(arguments: list[str], said: str, tmp_path: Path) -> None:
    done = run(*arguments, "--out", tmp_path / "walk")
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert said in done.stderr
    assert not list(tmp_path.iterdir())


def test_without_pytorch_it_says_how_to_install_it(tmp_path: Path) -> None:
    absent = "import sim2real.training.command as train; train.find_spec = lambda name: None"
    done = run("go2_walk", "--minutes", "1", "--out", tmp_path / "walk", before=absent)
    assert done.returncode == 2
    assert "no torch and no rsl_rl and no matplotlib; valid: pip install 'robot_policies[train]'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_importing_the_verb_imports_no_torch() -> None:
    code = "import sys, sim2real.training.command; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=False).returncode == 0


@pytest.mark.torch
def test_resume_without_a_run_and_a_run_without_resume_are_refused(tmp_path: Path) -> None:
    done = run("go2_walk", "--minutes", "1", "--resume", "--out", tmp_path / "walk")
    assert done.returncode == 2 and "--resume: a checkpoint in" in done.stderr
    (tmp_path / "walk.run").mkdir()
    (tmp_path / "walk.run" / "checkpoint.pt").write_bytes(b"")
    done = run("go2_walk", "--minutes", "1", "--out", tmp_path / "walk")
    assert done.returncode == 2 and "--resume, or another --out" in done.stderr


@pytest.mark.torch
@pytest.mark.slow
def test_a_short_run_leaves_a_bundle_and_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "walk"
    done = run("go2_walk", "--minutes", "0.03", "--envs", "16", "--seed", "1", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "asked +0.80 +0.00 +0.00: got" in done.stdout and done.stdout.strip().endswith(f"wrote {out}")
    assert (out / "policy.yaml").is_file()
    more = run("go2_walk", "--minutes", "0.02", "--envs", "16", "--seed", "1", "--out", out, "--resume")
    assert more.returncode == 0, more.stderr
    lines = (tmp_path / "walk.run" / "progress.csv").read_text().splitlines()
    assert lines[0].startswith("iteration,samples") and sum(line.startswith("iteration") for line in lines) == 1
