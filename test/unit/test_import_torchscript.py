"""TorchScript: state wherever a module hides it becomes explicit, or the import is refused with the reason."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.foreign import (
    LEFT_FIRST,
    assert_same,
    bring,
    description,
    inputs_of,
    rl_sar,
    run_bundle,
    signals_of,
    write_yaml,
)
from helpers.foreign_loops import described_loop, rl_sar_loop

from robot_policies.bundle.importers import importer, torchscript
from robot_policies.exceptions import ImportFormatError

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]  # PyTorch says that TorchScript is old

ACTION = {"scale": 0.1, "clip": [-40.0, 40.0], "last_action": "clipped"}


@pytest.fixture
def modules() -> Any:
    """Return the modules to import; PyTorch is imported only where the tests run."""
    import torch
    from helpers import torchscript as made

    torch.manual_seed(0)
    return made


@pytest.fixture
def at_once(modules: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Convert in this process, without starting a child each time."""
    monkeypatch.setattr(importer, "TorchScript", modules.InProcess)


def imported_and_expected(folder: Path, source: Path, original: Any, **changes: Any) -> tuple[Any, Any, Any]:
    """Import ``source`` and return what came of it, the bundle's targets and those of the original."""
    data, inputs = description({"action": ACTION, **changes}), inputs_of(30)
    imported = bring("network", source, folder / "bundle", write_yaml(folder / "d.yaml", data))
    made = run_bundle(imported, inputs)
    return imported, made, described_loop(data, original, [signals_of(item) for item in inputs])


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    ("name", "trace", "states"),
    [
        ("HiddenLstm", False, {"hidden_state_in": (2, 1, 16), "cell_state_in": (2, 1, 16)}),
        ("HiddenLstm", True, {"hidden_state_in": (2, 1, 16), "cell_state_in": (2, 1, 16)}),
        ("HiddenGru", False, {"hidden_state_in": (1, 1, 16)}),
        ("HiddenHistory", False, {"past_in": (3, 45), "last_in": (1, 12), "count_in": (1,)}),
        ("InnerState", False, {"decay_in": (1, 12), "first_hidden_state_in": (1, 1, 16)}),
        ("Feedforward", True, {}),
        ("Reindexed", False, {}),
    ],
)
def test_hidden_state_becomes_explicit(
    tmp_path: Path, modules: Any, name: str, trace: bool, states: dict[str, tuple[int, ...]]
) -> None:
    source = modules.save(getattr(modules, name)(), tmp_path / "net.pt", trace)
    imported, made, expected = imported_and_expected(tmp_path, source, modules.TorchNetwork(source))
    assert_same(made, expected)
    network = imported.bundle.contract.networks[0]
    assert {state.input: state.shape for state in network.states} == states
    assert any("became recurrent" in note for note in imported.notes) == bool(states)
    assert imported.comparison.relative < 1e-5
    assert "PyTorch" in imported.bundle.contract.provenance["network"]


@pytest.mark.usefixtures("at_once")
def test_the_stored_state_is_the_initial_one(tmp_path: Path, modules: Any) -> None:
    module = modules.HiddenGru()
    source = modules.save(module, tmp_path / "net.jit")
    imported, _, _ = imported_and_expected(tmp_path, source, modules.TorchNetwork(source))
    state = imported.bundle.contract.networks[0].states[0]
    np.testing.assert_allclose(state.initial, module.hidden_state.numpy().reshape(-1), rtol=1e-6)


@pytest.mark.usefixtures("at_once")
def test_prints_and_other_devices_do_not_matter(
    tmp_path: Path, modules: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    source = modules.save(modules.Elsewhere(), tmp_path / "net.pt")
    describe = write_yaml(tmp_path / "d.yaml", description())
    assert bring("network", source, tmp_path / "bundle", describe).comparison.relative < 1e-5
    assert "CPUFloatType" not in capfd.readouterr().out


@pytest.mark.usefixtures("at_once")
def test_states_in_the_open_are_described_by_position(tmp_path: Path, modules: Any) -> None:
    source = modules.save(modules.OpenLstm(), tmp_path / "net.pt")
    recurrent = {"h_in": [1, 1, 16], "c_in": [1, 1, 16], "h_out": "h_in", "c_out": "c_in"}
    network = modules.TorchNetwork(source, (1, 1, 16), (1, 1, 16))
    imported, made, expected = imported_and_expected(tmp_path, source, network, network={"recurrent": recurrent})
    assert_same(made, expected)
    assert [state.output for state in imported.bundle.contract.networks[0].states] == ["h_out", "c_out"]


def test_rl_sar_with_torchscript(tmp_path: Path, modules: Any) -> None:
    ages, mapping = [0, 1, 2, 3, 4, 5], list(LEFT_FIRST)
    source = rl_sar(tmp_path, {"observations_history": ages, "joint_mapping": mapping, "model_name": "policy.pt"})
    path = modules.save(modules.Feedforward(270), source / "policy.pt", size=270)
    imported, inputs = bring("rl_sar", source, tmp_path / "bundle"), inputs_of()
    network = modules.TorchNetwork(path)
    assert_same(run_bundle(imported, inputs), rl_sar_loop(source, [signals_of(item) for item in inputs], network))


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("Flag", "keeps state in first, a bool"),
        ("Branch", "control flow, or a shape, depends on values.*bool"),
        ("Keeper", "outputs within 0.0001; found a difference of .* the first at step 1 of 200"),
        ("Dice", "other outputs when it is run again"),
        ("Critic", "outputs of forward; found 2 tensors; valid: 1 output"),
        ("TwoInputs", r"inputs of forward: the observation; found \(x: Tensor, history: Tensor\)"),
    ],
)
def test_what_cannot_be_made_explicit_is_refused(tmp_path: Path, modules: Any, name: str, named: str) -> None:
    source = modules.save(getattr(modules, name)(), tmp_path / "net.pt")
    describe = write_yaml(tmp_path / "d.yaml", description())
    with pytest.raises(ImportFormatError, match=named):
        bring("network", source, tmp_path / "bundle", describe)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["d.yaml", "net.pt"]


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(("size", "named"), [(48, r"input \[1, 45\].*48"), (45, "one number per joint; found 11")])
def test_sizes_are_checked(tmp_path: Path, modules: Any, size: int, named: str) -> None:
    from torch import nn

    module = nn.Sequential(nn.Linear(size, 12 if size == 48 else 11))
    source = modules.save(module, tmp_path / "net.pt", size=size)
    with pytest.raises(ImportFormatError, match=named):
        bring("network", source, tmp_path / "bundle", write_yaml(tmp_path / "d.yaml", description()))


@pytest.mark.usefixtures("at_once")
def test_a_checkpoint_is_no_network(tmp_path: Path, modules: Any) -> None:
    import torch

    torch.save(modules.Feedforward().state_dict(), tmp_path / "model.pt")
    with pytest.raises(ImportFormatError, match=r"model.pt: a TorchScript file.*a checkpoint or a state dict"):
        bring("network", tmp_path / "model.pt", tmp_path / "bundle", write_yaml(tmp_path / "d.yaml", description()))


def test_reading_takes_no_more_than_its_time(tmp_path: Path, modules: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    source = modules.save(modules.Feedforward(), tmp_path / "net.pt")
    monkeypatch.setattr(torchscript, "START_LIMIT", 0.01)
    with pytest.raises(ImportFormatError, match="no end within 0.01 s"):
        bring("network", source, tmp_path / "bundle", write_yaml(tmp_path / "d.yaml", description()))


def test_the_parent_never_imports_pytorch(tmp_path: Path, modules: Any) -> None:
    source = modules.save(modules.Feedforward(), tmp_path / "net.pt")
    describe = write_yaml(tmp_path / "d.yaml", description())
    code = (
        "import sys; from robot_policies.cli.main import main; "
        f"code = main(['import', '--format', 'network', '--describe', {str(describe)!r}, {str(source)!r}, "
        f"{str(tmp_path / 'bundle')!r}]); print(code, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.splitlines()[-1] == "0 False"
