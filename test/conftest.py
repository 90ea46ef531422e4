"""What every test can rely on: nothing of the user's own data, a ROS domain of its own, the foreign fixtures."""

from __future__ import annotations

import itertools
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from helpers.machine_watch import TRIES, MachineWatch

ROOT = Path(__file__).resolve().parents[1]

# Two busy cores: a deadline would measure the other processes. The same examples in every run, so that red stays red.
hypothesis.settings.register_profile("house", deadline=None, derandomize=True)
hypothesis.settings.load_profile("house")

_domains = itertools.count(secrets.randbelow(100))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--with-torch`` and ``--again-after-stalls``."""
    parser.addoption("--with-torch", action="store_true", help="also run the tests that need PyTorch")
    again = f"a test that failed while the machine stood still gets {TRIES} more tries"
    parser.addoption("--again-after-stalls", action="store_true", help=again)


def pytest_configure(config: pytest.Config) -> None:
    """Keep the user's robots, bundles and ROS settings out of the tests, also while they are collected."""
    scratch = tempfile.TemporaryDirectory(prefix="robot_policies_test_")
    config.add_cleanup(scratch.cleanup)
    os.environ.pop("ROBOT_POLICIES_PATH", None)
    os.environ["XDG_DATA_HOME"] = scratch.name
    os.environ["ROS_LOG_DIR"] = f"{scratch.name}/ros_log"
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "SUBNET"  # LOCALHOST would override the profile
    for name in ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"):
        os.environ[name] = str(ROOT / "config" / "fastdds.xml")
    if config.getoption("--again-after-stalls"):
        config.pluginmanager.register(MachineWatch(config, Path(scratch.name) / "stalls"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip the tests marked ``torch`` unless they were asked for."""
    if config.getoption("--with-torch"):
        return
    skip = pytest.mark.skip(reason="needs PyTorch: ./run test --with-torch")
    for item in items:
        if item.get_closest_marker("torch"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def foreign_fixtures() -> Path:
    """Return the folder of foreign policies, which are not ours to commit: ROBOT_POLICIES_FIXTURES, or beside us."""
    folder = Path(os.environ.get("ROBOT_POLICIES_FIXTURES", ROOT.parent / "shared" / "fixtures")) / "policies"
    if not folder.is_dir():
        pytest.skip(f"no foreign policies at {folder}; ROBOT_POLICIES_FIXTURES names the folder that holds policies/")
    return folder


@pytest.fixture
def ros_domain_id(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Give the test, and the processes that it starts, a ROS domain that no other test uses (1 to 100)."""
    domain = 1 + next(_domains) % 100
    monkeypatch.setenv("ROS_DOMAIN_ID", str(domain))
    yield domain
