"""Makes the two halves of the flow anew, of the bundles, robot file and safety file that a recording keeps."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from robot_policies import resources
from robot_policies.bundle.load import Bundle, load_bundle
from robot_policies.control.policy_step import PolicyStep
from robot_policies.control.recording.facts import BUNDLES, CONFIG, is_name, read_facts
from robot_policies.control.robot_step import RobotStep
from robot_policies.control.switching import SwitchingStep
from robot_policies.exceptions import RecordingError, expected
from robot_policies.robot_spec import RobotSpec, load_robot_spec
from robot_policies.safety.limits import load_safety
from robot_policies.schema import read_yaml

MOST_HZ = 1e6  # of a robot's cycle that anybody could mean


class Subjects:
    """Makes policy and robot halves for one recording, changed where that is asked for."""

    def __init__(self, run: Path, policy: str = "", settings: Sequence[str] = ()) -> None:
        """Take the folder of a recording.

        Args:
            run: the folder.
            policy: name or folder of a bundle to run instead of the main one, alone; "" for what was recorded.
            settings: ``safety.KEY=VALUE`` each, with dots in KEY and YAML in VALUE.
        """
        self._run, self._policy = run, policy
        self._changes = [_change(text) for text in settings]
        self._kept = read_facts(run)

    def policy(self, facts: dict[str, Any]) -> SwitchingStep:
        """Return the policy half that ``facts`` (of ``Journal.begin``) tell of.

        What they lack is taken from ``run.json``, and control_dt from the bundle.

        Raises:
            RobotPoliciesError: neither says it, or what is told of cannot be read.
        """
        spec = self._spec(facts)
        names = [self._policy] if self._policy else self._names(facts)
        steps = [self._step(load_bundle(self._bundle(name), spec), spec) for name in names]
        recorded_ns = facts.get("control_dt_ns", steps[0].control_dt_ns)
        if steps[0].control_dt_ns != recorded_ns:
            found = f"{steps[0].control_dt_ns} ns of {names[0]}"
            raise RecordingError(expected("a policy of the recorded control_dt", found, f"{recorded_ns} ns"))
        return SwitchingStep(steps[0], steps[1] if len(steps) > 1 else None)

    def robot(self, facts: dict[str, Any]) -> RobotStep:
        """Return the robot half that ``facts`` tell of. Raises ``RobotPoliciesError``."""
        spec = self._spec(facts)
        path = self._config("safety", facts)
        with tempfile.TemporaryDirectory() as scratch:
            limits = load_safety(self._changed(path, Path(scratch)), spec)
        rate = facts.get("state_rate")
        if not isinstance(rate, float) or not 0.0 < rate <= MOST_HZ:
            raise RecordingError(expected("begin: state_rate", repr(rate), f"cycles a second, {MOST_HZ:g} at most"))
        return RobotStep(dataclasses.replace(spec, state_rate=rate), limits.at_rate(rate / spec.state_rate))

    def _step(self, bundle: Bundle, spec: RobotSpec) -> PolicyStep:
        return PolicyStep(bundle, spec)

    def _spec(self, facts: dict[str, Any]) -> RobotSpec:
        return load_robot_spec(self._config("robots", facts))

    def _config(self, kind: str, facts: dict[str, Any]) -> Path:
        word = {"robots": "robot", "safety": "safety"}[kind]
        name = facts.get(word, self._kept.get(word))
        if not is_name(name):
            raise RecordingError(expected(f"begin: {word}", repr(name), "the name of a file"))
        kept = self._run / CONFIG / kind / f"{Path(str(name)).stem}.yaml"
        return kept if kept.is_file() else resources.find(kind, str(name))

    def _names(self, facts: dict[str, Any]) -> list[str]:
        names = facts.get("bundles", tuple(self._kept.get("bundles", ())))
        if not isinstance(names, tuple) or not 0 < len(names) <= 2 or not all(map(is_name, names)):
            raise RecordingError(expected("begin: bundles", repr(names), "one or two names"))
        return list(names)

    def _bundle(self, name: str) -> str | Path:
        kept = self._run / BUNDLES / name
        return name if self._policy or not kept.is_dir() else kept

    def _changed(self, path: Path, scratch: Path) -> Path:
        if not self._changes:
            return path
        data = read_yaml(path)
        for keys, value in self._changes:
            _set(data, keys, value)
        changed = scratch / path.name
        changed.write_text(yaml.safe_dump(data), encoding="utf-8")
        return changed


def _change(text: str) -> tuple[list[str], Any]:
    name, sign, value = text.partition("=")
    first, *keys = name.split(".")
    if not sign or first != "safety" or not keys:
        raise RecordingError(expected("--set", text, "safety.KEY=VALUE, such as safety.tilt.limit=0.5"))
    try:
        return keys, yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise RecordingError(expected(f"--set {name}: a value", value, "a number, or YAML")) from error


def _set(data: Any, keys: list[str], value: Any) -> None:
    for place, key in enumerate(keys):
        if not isinstance(data, dict) or key not in data:
            valid = sorted(data) if isinstance(data, dict) else "a key of the safety file"
            raise RecordingError(expected("--set: a key of the safety file", ".".join(keys[: place + 1]), valid))
        if place + 1 == len(keys):
            data[key] = value
        data = data[key]
