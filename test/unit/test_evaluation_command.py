"""``robot-policies eval`` as a user starts it: in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.bundles import contract_of, make_bundle
from helpers.offline import SPEC, constant_bundle

from robot_policies.cli.main import main
from robot_policies.robot_spec import load_robot_spec

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def stands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that stands still whatever it is asked."""
    return constant_bundle(tmp_path_factory.mktemp("bundles") / "stands", SPEC.poses["stand"]).folder


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "robot_policies.cli", "eval", *map(str, arguments)]


def run_eval(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(command(*arguments), env=env, capture_output=True, text=True, timeout=120, check=False)


def test_cells_table_and_progress_of_two_processes(stands: Path, tmp_path: Path) -> None:
    out = tmp_path / "cells.json"
    done = run_eval(
        stands, "--course", "flat", "--seeds", 3, "--seconds", 3, "--command", "0,0,0", "--json", out, "--jobs", 2
    )
    assert (done.returncode, len(done.stderr.splitlines())) == (0, 3), done.stderr
    cells = json.loads(out.read_text(encoding="utf-8"))
    assert len(cells) == 1
    cell = cells[0]
    assert (cell["course"], cell["difficulty"], cell["policy"]) == ("flat", 0.0, "tiny")
    assert (cell["seeds"], cell["successes"], cell["rate"]) == (3, 3, 1.0)
    assert cell["ci95"] == pytest.approx([0.4385, 1.0], abs=1e-4)
    assert [episode["seed"] for episode in cell["episodes"]] == [0, 1, 2]
    assert abs(cell["metrics"]["speed_mps"]) < 0.01
    assert [entry["mode"] for entry in cell["episodes"][0]["modes"]] == ["disarmed", "damping", "stand", "active"]
    assert done.stdout.splitlines()[0].startswith("course") and "3/3" in done.stdout.splitlines()[1]


def test_a_bundle_that_does_not_follow_is_told_as_a_failure_not_as_an_error(stands: Path, tmp_path: Path) -> None:
    out = tmp_path / "cells.json"
    done = run_eval(stands, "--seeds", 1, "--seconds", 3, "--command", "0.5,0,0", "--json", out)
    assert done.returncode == 0
    assert "lin_vel_x" in done.stderr and "0.5" in done.stderr
    assert json.loads(out.read_text(encoding="utf-8"))[0]["successes"] == 0


def test_what_cannot_be_ends_the_process_with_2_and_one_line(stands: Path) -> None:
    done = run_eval(stands, "--course", "moon")
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1 and "moon" in done.stderr and "flat" in done.stderr


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run the verb in this process, see that it refuses with 2 and one line, and return the line."""
    try:
        code: object = main(["eval", *map(str, arguments)])
    except SystemExit as ended:
        code = ended.code
    out, err = capsys.readouterr()
    assert (code, out, len(err.splitlines())) == (2, "", 1), err
    return err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--difficulty", "0.7"], ["0.7", "flat", "valid: 0"]),
        (["--course", "step", "--difficulty", "0.2", "0.8"], ["0.8", "0 to 0.7 m"]),
        (["--course", "step", "--difficulty", "0.2", "0.20"], ["0.2 0.2", "once"]),
        (["--course", "rough", "--seconds", "40"], ["rough", "20.0 m", "8 m"]),
        (["--plant", "martian"], ["martian", "randomized"]),
        (["--push", "-1"], ["--push", "-1"]),
        (["--push", "nan"], ["--push", "nan"]),
        (["--strip-seed", "-1"], ["--strip-seed"]),
        (["--grid", "--push", "0.5"], ["--push", "--grid"]),
        (["--grid", "--course", "step"], ["--grid", "step", "flat"]),
        (["--push", "0.5", "--course", "gap"], ["--push", "gap"]),
        (["--grid", "--command", "1,0,0"], ["--grid", "--command"]),
        (["--push", "0.5", "--seconds", "9"], ["--push", "--seconds"]),
        (["--grid", "--filmstrip", "a.png"], ["--grid", "--filmstrip"]),
        (["--robot", "g1"], ["g1", "go2"]),
        (["--robot", "go9"], ["go9", "go2"]),
        (["--command", "1,2"], ["--command", "VX,VY,WZ"]),
        (["--command", "nan,0,0"], ["--command"]),
        (["--seeds", "0"], ["--seeds"]),
        (["--seconds", "1"], ["--seconds", "2 s"]),
        (["--jobs", "many"], ["--jobs"]),
        (["--json", "nowhere/cells.json"], ["nowhere"]),
        (["--filmstrip", "."], ["file"]),
        (["--plot", "nowhere/curve.png"], ["nowhere"]),
        (["--grid", "--plot", "a.png"], ["--grid", "--plot"]),
        (["--card", "moon"], ["moon", "parkour"]),
        (["--card", "parkour", "--nodes"], ["--card", "--nodes"]),
    ],
)
def test_every_argument_is_checked_before_anything_starts(
    stands: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: list[str]
) -> None:
    line = refused(capsys, stands, *arguments)
    assert all(word in line for word in words), line


def test_a_companion_that_cannot_be_one_is_refused(
    stands: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "two names to switch between" in refused(capsys, stands, "--companion", stands)
    assert "moon" in refused(capsys, stands, "--companion", "moon")
    slow = make_bundle(tmp_path / "slow", SPEC, name="slow", timing={"control_dt": 0.04, "decimation": 8}).folder
    assert "companion: control_dt" in refused(capsys, stands, "--companion", slow)


def test_a_pair_is_told_as_one_and_walks_as_its_main_one_while_that_one_can(stands: Path, tmp_path: Path) -> None:
    out = tmp_path / "cells.json"
    given = ("--seeds", 1, "--seconds", 3, "--command", "0.3,0,0", "--json", out, "--jobs", 1)
    alone, pair = ([], ["--companion", stands])
    metrics = []
    for companion in (alone, pair):
        assert main(["eval", "go2_walk", *map(str, [*companion, *given])]) == 0
        (cell,) = json.loads(out.read_text(encoding="utf-8"))
        assert (cell["policy"], cell["successes"]) == ("go2_walk+tiny" if companion else "go2_walk", 1)
        metrics.append({name: value for name, value in cell["metrics"].items() if name != "real_time_factor"})
    assert metrics[0] == metrics[1]


def test_the_same_policy_twice_is_refused(stands: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "twice" in refused(capsys, stands, stands / "policy.yaml")


def test_a_bundle_of_another_robot_beside_a_good_one_is_refused(
    stands: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    humanoid = load_robot_spec("g1")
    other = make_bundle(tmp_path / "humanoid", humanoid, **contract_of(humanoid)).folder
    line = refused(capsys, stands, other)
    assert "g1" in line and "go2" in line


def test_bundles_difficulties_and_plants_are_cells_of_one_table(stands: Path, tmp_path: Path) -> None:
    other = constant_bundle(tmp_path / "sits", SPEC.poses["sit"]).folder
    out = tmp_path / "cells.json"
    done = run_eval(
        stands, other, "--course", "step", "--difficulty", 0.1, 0.2, "--plant", "both", "--seeds", 1, "--seconds", 1,
        "--json", out,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    cells = json.loads(out.read_text(encoding="utf-8"))
    assert [(cell["difficulty"], cell["policy"], cell["plant"]) for cell in cells] == [
        (difficulty, str(policy), plant)  # both bundles have one name, so their paths tell them apart
        for difficulty in (0.1, 0.2)
        for policy in (stands, other)
        for plant in ("nominal", "randomized")
    ]
    assert len(done.stdout.splitlines()) == 9 and "randomized" in done.stdout
    assert [cell["successes"] for cell in cells] == [0] * 8
    assert "came to x" in done.stderr


def test_a_film_strip_of_an_episode_that_is_not_among_the_seeds(stands: Path, tmp_path: Path) -> None:
    strip = tmp_path / "strip.png"
    done = run_eval(
        stands, "--course", "mixed", "--seeds", 1, "--seconds", 0.5, "--filmstrip", strip, "--strip-seed", 7
    )
    assert done.returncode == 0
    assert strip.exists() or "MUJOCO_GL" in done.stderr


def test_pushes_come_walking_and_standing_and_the_bundle_that_stands_follows_only_one(
    stands: Path, tmp_path: Path
) -> None:
    out = tmp_path / "cells.json"
    done = run_eval(stands, "--push", 0.1, "--seeds", 2, "--json", out)
    assert done.returncode == 0, done.stderr
    walking, standing = json.loads(out.read_text(encoding="utf-8"))
    assert (walking["push_mps"], walking["command"], standing["command"]) == (0.1, [0.5, 0, 0], [0, 0, 0])
    assert (walking["successes"], standing["successes"]) == (0, 2)
    assert "0.1 m/s walking" in done.stdout


def test_an_unknown_or_broken_bundle_is_refused(
    stands: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = make_bundle(tmp_path / "broken", SPEC).folder
    (broken / "actor.onnx").write_bytes(b"not a network")
    assert "no_such_bundle" in refused(capsys, "no_such_bundle")
    assert "actor.onnx" in refused(capsys, broken)


def test_a_robot_without_a_model_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    humanoid = load_robot_spec("g1")
    bundle = make_bundle(tmp_path / "humanoid", humanoid, **contract_of(humanoid))
    line = refused(capsys, bundle.folder, "--seeds", 4)
    assert "model" in line and "g1" in line


def test_without_gl_the_card_is_there_and_one_line_says_what_is_not(stands: Path, tmp_path: Path) -> None:
    strip, out = tmp_path / "strip.png", tmp_path / "cells.json"
    done = run_eval(
        stands, "--seeds", 1, "--seconds", 2.5, "--command", "0,0,0", "--filmstrip", strip, "--json", out,
        MUJOCO_GL="disabled",
    )  # fmt: skip
    assert done.returncode == 0 and out.exists() and not strip.exists()
    lines = done.stderr.splitlines()
    assert len(lines) == 2 and lines[0].endswith("seed 0: ok") and "MUJOCO_GL" in lines[1]


def test_ctrl_c_ends_it_at_once_without_a_trace_or_a_file(stands: Path, tmp_path: Path) -> None:
    out = tmp_path / "cells.json"
    arguments = command(stands, "--seeds", 500, "--seconds", 4, "--command", "0,0,0", "--json", out, "--jobs", 2)
    process = subprocess.Popen(
        arguments, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stderr is not None and "seed" in process.stderr.readline()
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=10.0)
    assert process.returncode == 130
    assert "Traceback" not in stderr and not out.exists()


def test_workers_die_with_the_process_that_started_them(stands: Path) -> None:
    arguments = command(stands, "--seeds", 500, "--seconds", 4, "--command", "0,0,0", "--jobs", 2)
    process = subprocess.Popen(
        arguments,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None and "seed" in process.stderr.readline()
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
    workers = [child for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
    assert len(workers) == 2
    process.kill()
    process.communicate(timeout=10.0)  # ends when nobody holds its pipes any more
    deadline = time.monotonic() + 10.0
    while any(Path(f"/proc/{worker}").exists() for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [worker for worker in workers if Path(f"/proc/{worker}").exists()]
