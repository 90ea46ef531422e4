"""The child process that reads TorchScript: ``python -m robot_policies.bundle.importers.torchscript_child``.

Reads one request (JSON) per line from standard input and answers each with one line on standard output. Requests:
``convert`` (TorchScript to ONNX, states in the open) and ``run`` (the original over a sequence). Nothing else of the
package imports PyTorch.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from typing import Any, TextIO

MAX_FILE_BYTES = 2**30  # a network of this kind has megabytes; TorchScript could write files
CPU_SECONDS = 900


def main() -> int:
    """Answer requests until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print goes to standard error
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_FILE_BYTES, MAX_FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    try:
        from robot_policies.bundle.importers import torchscript_convert as convert
    except ImportError as error:
        _answer(answers, {"missing": str(error)})
        return 3
    _answer(answers, {"ready": convert.version()})
    for line in sys.stdin:
        try:
            _answer(answers, convert.handle(json.loads(line)))
        except convert.Refused as error:
            _answer(answers, {"refused": str(error)})
    return 0


def _answer(answers: TextIO, value: dict[str, Any]) -> None:
    answers.write(json.dumps(value) + "\n")
    answers.flush()


if __name__ == "__main__":
    sys.exit(main())
