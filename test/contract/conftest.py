"""A valid bundle to break, and what the loader says of it then; a checkout whose interpreter installs nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.bundles import make_bundle
from helpers.fake_python import Checkout

from robot_policies.bundle.load import load_bundle
from robot_policies.exceptions import BundleError
from robot_policies.robot_spec import load_robot_spec


@pytest.fixture(scope="session")
def valid_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundles") / "tiny", load_robot_spec("go2")).folder


@pytest.fixture
def folder(valid_bundle: Path, tmp_path: Path) -> Path:
    """A valid bundle of one's own."""
    return Path(shutil.copytree(valid_bundle, tmp_path / "tiny"))


@pytest.fixture
def refused() -> Callable[[Path], str]:
    """Return what is said when the bundle in a folder is loaded for a Go2. Fails where it is not refused."""

    def load(folder: Path) -> str:
        with pytest.raises(BundleError) as caught:
            load_bundle(folder, load_robot_spec("go2"))
        return str(caught.value)

    return load


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)
