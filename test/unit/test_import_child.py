"""The child process that reads TorchScript, seen from outside: no PyTorch, no answer, a broken one."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.foreign import bring, description, write_yaml

from robot_policies.bundle.importers import torchscript
from robot_policies.exceptions import ImportFormatError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a file that claims to be TorchScript."""
    (tmp_path / "net.pt").write_bytes(b"not a network")
    return tmp_path / "net.pt"


def _import(source: Path) -> None:
    bring("network", source, source.parent / "bundle", write_yaml(source.parent / "d.yaml", description()))


def _instead_of_torch(folder: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the child find ``code`` where it looks for PyTorch."""
    (folder / "fake").mkdir()
    (folder / "fake" / "torch.py").write_text(code)
    (folder / "fake" / "onnxscript.py").write_text("")  # not there in an environment without PyTorch
    monkeypatch.setenv("PYTHONPATH", str(folder / "fake"))


def test_without_pytorch_the_user_is_told_what_to_install(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _instead_of_torch(source.parent, "raise ModuleNotFoundError(\"No module named 'torch'\")", monkeypatch)
    with pytest.raises(ImportFormatError, match=r"PyTorch is needed to read TorchScript \(net.pt\).*pip install torch"):
        _import(source)
    assert not (source.parent / "bundle").exists()


def test_a_child_that_dies_says_how(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import os, sys\nprint('out of luck', file=sys.stderr, flush=True)\nos._exit(9)"
    _instead_of_torch(source.parent, code, monkeypatch)
    with pytest.raises(ImportFormatError, match="exit code 9; out of luck"):
        _import(source)


def test_a_child_that_hangs_is_ended(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _instead_of_torch(source.parent, "import time\ntime.sleep(60)", monkeypatch)
    monkeypatch.setattr(torchscript, "START_LIMIT", 0.5)
    with pytest.raises(ImportFormatError, match="no end within 0.5 s"):
        _import(source)


def test_the_child_has_few_things_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "x")
    monkeypatch.setenv("PYTHONPATH", f"relative:{tmp_path}")
    environment = torchscript._environment(tmp_path)
    assert "SECRET_TOKEN" not in environment
    assert environment["HOME"] == str(tmp_path)
    assert environment["PYTHONPATH"].split(":")[1:] == [str(tmp_path)]
