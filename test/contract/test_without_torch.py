"""``./run test`` needs no PyTorch: every test file can be collected where it, and what needs it, is not installed."""

from __future__ import annotations

import subprocess
import sys

import pytest
from helpers.node_process import ROOT

SCRIPT = """
import sys

for name in ("torch", "tensordict", "rsl_rl"):
    sys.modules[name] = None  # as if it were not installed
import pytest

sys.exit(pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", "test"]))
"""


@pytest.mark.slow
def test_all_tests_can_be_collected_without_it() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, timeout=240.0)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
