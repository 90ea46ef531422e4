"""Mutation testing of robot_policies/safety: runs mutmut, and says whether its tests notice enough (docs/safety.md).

    ./run mutation [--processes N] [--judge-only]

Exit code 0: at least 95 % of the mutants that equivalent.yaml does not list are killed. 1: fewer, or an entry of the
list that no surviving mutant matches. 2: mutmut did not come to an end.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
MUTANTS = ROOT / "mutants"
LIST = Path(__file__).with_name("equivalent.yaml")
ENOUGH = 0.95  # share of the mutants that are not equivalent
FEWEST = 500  # mutants; fewer means that mutmut did not find the code
KILLED, TIMEOUT = (1, 3), (-24, 24, 36, 152, 255)  # exit codes as mutmut 3.8 writes them; a test that hangs notices too

Change = tuple[str, str, str]  # function, the lines before, the lines after; blanks at the ends of lines do not count


@dataclass(frozen=True)
class Mutant:
    """One change of the code, and whether a test noticed it."""

    name: str  # mutmut's
    file: str  # of robot_policies/safety
    killed: bool
    hung: bool = False  # killed by a test that did not end
    diff: str = ""  # of a survivor, and of one that hung

    @property
    def change(self) -> Change:
        """What identifies a mutant whatever its number."""
        lines = [line for line in self.diff.splitlines() if not line.startswith(("---", "+++"))]
        was, now = ("\n".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
        return function(self.name), was, now


@dataclass(frozen=True)
class Verdict:
    """What the mutants say against the list of equivalent ones."""

    survivors: tuple[Mutant, ...]  # and not equivalent
    equivalent: tuple[Mutant, ...]
    stale: tuple[Change, ...]  # entries of the list that no survivor matches
    share: float  # killed, of all that are not equivalent

    @property
    def passed(self) -> bool:
        """Whether enough are killed and the list says nothing that does not hold."""
        return self.share >= ENOUGH and not self.stale


def function(name: str) -> str:
    """Return ``module.Class.method`` of a mutant's name (``robot_policies.safety.module.xǁClassǁmethod__mutmut_3``)."""
    path, _, mangled = name.partition("__mutmut_")[0].rpartition(".")
    plain = ".".join(mangled[2:].split("ǁ")) if mangled.startswith("xǁ") else mangled[2:]
    return f"{path.rpartition('.')[2]}.{plain}"


def judge(mutants: list[Mutant], listed: dict[Change, str]) -> Verdict:
    """Return the verdict over ``mutants``; ``listed`` maps equivalent changes to their reasons."""
    # On a busy machine the tests of an equivalent one, which run all, may take longer than mutmut waits.
    equivalent = tuple(m for m in mutants if (m.hung or not m.killed) and m.change in listed)
    found = {mutant.change for mutant in equivalent}
    survivors = tuple(m for m in mutants if not m.killed and m.change not in listed)
    others = len(mutants) - len(equivalent)
    share = (others - len(survivors)) / others if others else 0.0
    return Verdict(survivors, equivalent, tuple(change for change in listed if change not in found), share)


def read_list(path: Path) -> dict[Change, str]:
    """Return the equivalent mutants with their reasons. Raises ``ValueError`` for an entry that is not whole."""
    listed: dict[Change, str] = {}
    for entry in yaml.safe_load(path.read_text(encoding="utf-8")) or []:
        if set(entry) != {"function", "was", "now", "reason"} or not all(isinstance(v, str) for v in entry.values()):
            raise ValueError(f"{path.name}: function, was, now and reason as text; found {entry}")
        change = (entry["function"], *(trimmed(entry[key]) for key in ("was", "now")))
        reason = entry["reason"].strip()
        if change in listed or not reason or "\n" in reason:
            raise ValueError(f"{path.name}: each change once, with a reason of one line; found {entry}")
        listed[change] = reason
    return listed


def trimmed(text: str) -> str:
    """Return ``text`` without the blanks around each line."""
    return "\n".join(line.strip() for line in text.strip().splitlines())


def read_mutants() -> list[Mutant]:
    """Return what mutmut found, with a diff for each survivor."""
    from mutmut.mutation.diff_apply import get_diff_for_mutant  # works on the folder it is started in

    mutants = []
    for meta in sorted((MUTANTS / "robot_policies" / "safety").glob("*.py.meta")):
        file = meta.name[: -len(".meta")]
        for name, code in json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"].items():
            killed = code in KILLED + TIMEOUT
            diff = "" if code in KILLED else get_diff_for_mutant(name, path=f"robot_policies/safety/{file}")
            mutants.append(Mutant(name, file, killed, code in TIMEOUT, diff))
    return mutants


def run_mutmut(processes: int) -> int:
    """Run mutmut from nothing; return its exit code."""
    shutil.rmtree(MUTANTS, ignore_errors=True)
    MUTANTS.mkdir()
    command = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", str(processes)]
    with (MUTANTS / "mutmut.log").open("w", encoding="utf-8") as log:
        # The order of the tests comes from sets of their names.
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        return subprocess.run(command, cwd=ROOT, env=environment, stdout=log, stderr=log, check=False).returncode


def table(mutants: list[Mutant], verdict: Verdict) -> str:
    """Return the numbers file by file."""
    lines = [
        f"{'file':20} {'mutants':>7} {'killed':>7} {'of these hung':>13} {'equivalent':>10} {'survived':>8}  score"
    ]
    listed = {m.name for m in verdict.equivalent}
    counts = [Counter(m.file for m in group) for group in (verdict.equivalent, verdict.survivors)]
    for file in [*sorted({m.file for m in mutants}), "all"]:
        own = [m for m in mutants if file in (m.file, "all")]
        equivalent, survived = (sum(c.values()) if file == "all" else c[file] for c in counts)
        noticed = [m for m in own if m.killed and m.name not in listed]
        killed, hung, others = len(noticed), sum(m.hung for m in noticed), len(own) - equivalent
        score = f"{killed / others:6.1%}" if others else "     -"
        lines.append(f"{file:20} {len(own):7} {killed:7} {hung:13} {equivalent:10} {survived:8} {score}")
    return "\n".join(lines)


def report(mutants: list[Mutant], verdict: Verdict) -> str:
    """Return the table, the survivors' diffs, and what the list says wrongly."""
    parts = [f"survived: {mutant.name}\n{mutant.diff}" for mutant in verdict.survivors]
    for name, was, now in verdict.stale:
        parts.append(f"{LIST.name}: no mutant of {name} survives that makes\n  {was}\ninto\n  {now}\nremove the entry")
    parts.append(table(mutants, verdict))
    parts.append(f"{verdict.share:.1%} killed of those that are not equivalent; at least {ENOUGH:.0%} asked for")
    return "\n\n".join(parts)


def main() -> int:
    """Run, judge, report."""
    parser = argparse.ArgumentParser(prog="./run mutation", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="mutants tested at once")
    parser.add_argument("--judge-only", action="store_true", help="read what the last run left in mutants/")
    options = parser.parse_args()
    os.chdir(ROOT)
    listed, begun = read_list(LIST), time.monotonic()
    if not options.judge_only and (code := run_mutmut(options.processes)) != 0:
        sys.stderr.write("".join((MUTANTS / "mutmut.log").read_text(encoding="utf-8", errors="replace")[-4000:]))
        sys.stderr.write(f"\nmutmut ended with exit code {code}; its whole output is in mutants/mutmut.log\n")
        return 2
    mutants = read_mutants()
    if len(mutants) < FEWEST:
        sys.stderr.write(f"at least {FEWEST} mutants; found {len(mutants)}; mutants/mutmut.log says more\n")
        return 2
    verdict, spent = judge(mutants, listed), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = (spent.ru_utime + spent.ru_stime) / 60
    sys.stdout.write(f"{report(mutants, verdict)}\n{(time.monotonic() - begun) / 60:.1f} min, {cpu:.1f} min of CPU\n")
    return 0 if verdict.passed else 1


if __name__ == "__main__":
    sys.exit(main())
