"""``--format extreme_parkour``: what the folder may hold, and what is refused, with the reason."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from robot_policies.bundle.golden import check_golden
from robot_policies.bundle.load import load_bundle
from robot_policies.exceptions import ImportFormatError, RobotPoliciesError
from robot_policies.robot_spec import load_robot_spec
from robot_policies.sensor_spec import load_depth_sensor

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]

SPEC = load_robot_spec("go2")


@pytest.fixture(scope="module")
def made() -> Any:
    """Return the helper; PyTorch is imported only where the tests run."""
    from helpers import extreme_parkour

    return extreme_parkour


@pytest.fixture(scope="module")
def blind(made: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an export without the vision part."""
    return made.export(tmp_path_factory.mktemp("blind"), sees=False)


@pytest.fixture(scope="module")
def seeing(made: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.export(tmp_path_factory.mktemp("seeing"), sees=True)


def cli(*arguments: object, timeout: float = 250.0) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "robot_policies.cli", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, timeout=timeout)


@pytest.mark.slow
def test_from_the_command_line_to_a_course(blind: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "ep"
    done = cli("import", "--format", "extreme_parkour", blind, bundle, "--robot", "go2", "--name", "ep")
    assert done.returncode == 0, done.stderr
    assert "200 steps, relative difference" in done.stdout
    assert "reads true heights" in done.stderr
    assert sorted(path.name for path in bundle.iterdir()) == [
        "README.md", "actor.onnx", "estimator.onnx", "golden.npz", "history_encoder.onnx", "policy.yaml", "scan.onnx",
    ]  # fmt: skip
    assert cli("check", bundle, "--robot", "go2").returncode == 0
    run = cli("eval", bundle, "--course", "step", "--difficulty", "0.4", "--seeds", "1", "--seconds", "1")
    assert run.returncode == 0, run.stderr
    assert "ep" in run.stdout.split()
    assert "refused" not in run.stdout + run.stderr


@pytest.mark.slow
@pytest.mark.ros
def test_the_nodes_refuse_true_heights(made: Any, blind: Path, tmp_path: Path) -> None:
    bundle = made.bring(blind, tmp_path / "ep").bundle.folder
    line = [sys.executable, "-m", "robot_policies.nodes.policy_node", "--ros-args", "-p", f"policy:={bundle}"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=100)
    assert done.returncode == 2
    assert "reads height_scan: no topic has true heights; valid: robot-policies eval" in done.stdout + done.stderr


def test_the_readme_and_the_provenance(made: Any, seeing: Path, tmp_path: Path) -> None:
    imported = made.bring(seeing, tmp_path / "ep")
    contract = imported.bundle.contract
    assert "made anew from the parameters" in contract.provenance["network"]
    assert "vision_weight.pt" in contract.provenance["source_sha256"]
    text = (imported.bundle.folder / "README.md").read_text(encoding="utf-8")
    for part in (
        "import --format extreme_parkour",
        "200 steps",
        "bundle's own networks'",
        "the export states no camera",
    ):
        assert part in text
    assert str(tmp_path) not in text
    assert check_golden(load_bundle(imported.bundle.folder, SPEC), SPEC).ticks >= 32
    assert imported.comparison.relative < 1e-5


def test_a_depth_network_without_its_own_prefix(made: Any, seeing: Path, tmp_path: Path) -> None:
    import torch

    source = shutil.copytree(seeing, tmp_path / "export")
    state = torch.load(source / "vision_weight.pt")["depth_encoder_state_dict"]
    torch.save(
        {name.removeprefix("base_backbone."): value for name, value in state.items()}, source / "vision_weight.pt"
    )
    assert made.bring(source, tmp_path / "ep").bundle.contract.depth


def test_names_of_runs_before_the_file_names(made: Any, blind: Path, tmp_path: Path) -> None:
    source = tmp_path / "export"
    source.mkdir()
    shutil.copy(blind / "base_jit.pt", source / "000-00-run-25000-base_jit.pt")
    assert made.bring(source, tmp_path / "ep").bundle.contract.kind == "parkour"


def test_an_actor_that_ends_with_tanh(made: Any, tmp_path: Path) -> None:
    imported = made.bring(made.export(tmp_path / "export", sees=False, tanh=True), tmp_path / "ep")
    assert "the actor ends with Tanh" in imported.notes
    assert imported.comparison.relative < 1e-5


def test_the_direction_is_the_operators_only_where_it_is_not_seen(
    made: Any, blind: Path, seeing: Path, tmp_path: Path
) -> None:
    turning = [
        made.bring(source, tmp_path / source.name).bundle.contract.commands.velocity.ang_vel_z.range
        for source in (blind, seeing)
    ]
    assert turning == [(-1.0, 1.0), (0.0, 0.0)]


def rewrite(made: Any, source: Path, change: Callable[[Any], None]) -> None:
    module = made.Exported()
    change(module)
    made.save_base(module, source / "base_jit.pt")


def vision(source: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    import torch

    data = torch.load(source / "vision_weight.pt")
    change(data["depth_encoder_state_dict"])
    torch.save(data, source / "vision_weight.pt")


def relu(made: Any, source: Path) -> None:
    import torch

    made.save_base(made.Exported(activation=torch.nn.ReLU()), source / "base_jit.pt")


def nan(made: Any, source: Path) -> None:
    import torch

    def change(module: Any) -> None:
        with torch.no_grad():
            module.actor.actor_backbone[2].bias[3] = float("nan")

    rewrite(made, source, change)


def another_size(made: Any, source: Path) -> None:
    import torch

    def change(module: Any) -> None:
        module.actor.scan_encoder[0] = torch.nn.Linear(131, 128)

    rewrite(made, source, change)


def pickled(made: Any, source: Path) -> None:
    import torch

    torch.save({"depth_encoder_state_dict": Path("x")}, source / "vision_weight.pt")


REFUSED: dict[str, tuple[bool, Callable[[Any, Path], Any], str]] = {
    "nothing there": (False, lambda made, s: (s / "base_jit.pt").unlink(), "no base_jit.pt in it"),
    "two of them": (False, lambda made, s: shutil.copy(s / "base_jit.pt", s / "b-base_jit.pt"), "one base_jit.pt"),
    "text": (False, lambda made, s: (s / "base_jit.pt").write_text("x"), "a TorchScript file"),
    "another activation": (False, relu, "actions within 0.0001"),
    "not finite": (False, nan, "actor_backbone.2.bias.*not finite|12 finite actions"),
    "another scan": (
        False,
        another_size,
        r"scan_encoder.0.weight: numbers of shape \[128, 132\]; found shape \[128, 131\]",
    ),
    "vision that is text": (
        True,
        lambda made, s: (s / "vision_weight.pt").write_text("x"),
        "vision: a file of torch.save",
    ),
    "vision with objects": (True, pickled, "vision: a file of torch.save"),
    "vision without CNN": (
        True,
        lambda made, s: vision(s, lambda d: [d.pop(k) for k in list(d) if "compression" in k]),
        "vision: one state dict with image_compression; found 0",
    ),
    "vision without GRU": (
        True,
        lambda made, s: vision(s, lambda d: d.pop("rnn.weight_hh_l0")),
        r"vision_weight.pt: rnn.weight_hh_l0: numbers of shape \[1536, 512\]; found 0 parameters",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_export_is_refused(made: Any, blind: Path, seeing: Path, tmp_path: Path, name: str) -> None:
    sees, spoil, named = REFUSED[name]
    source = shutil.copytree(seeing if sees else blind, tmp_path / "export")
    spoil(made, source)
    with pytest.raises(ImportFormatError, match=named):
        made.bring(source, tmp_path / "ep")
    assert not (tmp_path / "ep").exists()


def test_a_robot_of_another_shape_is_refused(made: Any, blind: Path, tmp_path: Path) -> None:
    from robot_policies.bundle.importers.importer import Request, import_policy

    with pytest.raises(RobotPoliciesError, match="extreme_parkour: joint names"):
        import_policy(Request("extreme_parkour", blind, tmp_path / "ep", "g1"))


def test_a_camera_of_another_shape_is_refused(made: Any, tmp_path: Path) -> None:
    from dataclasses import replace

    from robot_policies.bundle.importers.extreme_parkour_contract import camera

    assert camera(SPEC)["intrinsics"]["width"] == 106
    without = replace(SPEC, sensors=replace(SPEC.sensors, depth={}))
    with pytest.raises(ImportFormatError, match="a depth camera of go2, as in training; found none; valid: 106 x 60"):
        camera(without)


def test_what_the_contract_says_of_actions_tilt_and_images(made: Any, seeing: Path, tmp_path: Path) -> None:
    contract = made.bring(seeing, tmp_path / "ep").bundle.contract
    assert (contract.action.delay, contract.action.last_action) == (1, "raw")
    assert contract.limits.tilt == 1.5
    limit, depth = contract.limits.inputs["depth"], contract.depth["depth"]
    assert (limit.max_age, limit.lost) == (0.25, "blind")
    sensor = load_depth_sensor("d435")
    assert depth.delay[0] <= sensor.delay[0] and sensor.delay[1] <= depth.delay[1]  # or the policy would refuse it
