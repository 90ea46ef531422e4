"""What README and docs name exists: links, files, verbs with their options, and everything that goes over the wire."""

from __future__ import annotations

import argparse
import datetime
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.node_process import environment, free_domain

from robot_policies import resources
from robot_policies.safety.landings import TRIPS

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
TOPICS = (ROOT / "docs" / "topics.md").read_text(encoding="utf-8")
FOLDERS = "robot_policies|sim2real|config|test|docs|bundles|launch|scripts"
SECTIONS = ["Two commands", "verified", "Bring your own policy", "how to stop", "Layout", "Add a robot"]

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def prose(page: Path) -> str:
    """Return the text without its fenced blocks."""
    return re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return what a link can name after ``#``, as GitHub makes it of headings."""
    heads = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-") for head in heads}


def code(page: Path) -> Iterator[str]:
    """Yield every line of code blocks, fenced or indented, and every code span."""
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"```\w*\n(.*?)```", text, re.DOTALL):
        yield from block.splitlines()
    yield from (line.strip() for line in text.splitlines() if line.startswith("    "))
    yield from re.findall(r"`([^`\n]+)`", prose(page))


# Links, files, dates.


@pages
def test_links_resolve(page: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


@pages
def test_files_that_are_named_exist(page: Path) -> None:
    named = re.findall(rf"`((?:{FOLDERS})/[\w./-]*)`", prose(page))
    missing = [name for name in named if "NAME" not in name and not (ROOT / name).exists()]
    assert not missing


def test_every_picture_is_shown_somewhere() -> None:
    shown = {Path(name).name for page in PAGES for name in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", prose(page))}
    assert {path.name for path in (ROOT / "docs" / "images").iterdir()} == shown


def test_every_page_is_reached_from_the_readme() -> None:
    reached, waiting = set(), [README]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        links = (link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)))
        waiting += [(page.parent / link).resolve() for link in links if link.endswith(".md")]
    assert not {page.name for page in PAGES if page not in reached}


def test_decisions_are_dated_and_in_order() -> None:
    heads = re.findall(r"^## (.+)$", (ROOT / "docs" / "decisions.md").read_text(encoding="utf-8"), re.MULTILINE)
    dates = [datetime.date.fromisoformat(head.partition(": ")[0]) for head in heads]
    assert len(dates) >= 8
    assert all(head.partition(": ")[2] for head in heads)
    assert dates == sorted(dates)


def test_the_readme_has_its_order_and_its_size() -> None:
    text = README.read_text(encoding="utf-8")
    heads = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert len(heads) == len(SECTIONS)
    assert all(wanted in head for wanted, head in zip(SECTIONS, heads, strict=True)), heads
    assert len(text.splitlines()) < 150
    assert text.index("images/flow.svg") < text.index("./run demo") < text.index("## What")


# The command line.


def commands(page: Path) -> Iterator[list[str]]:
    """Yield the words of each ``robot-policies VERB ...`` that the page names."""
    for line in code(page):
        for match in re.finditer(r"robot-policies ([a-z][^#]*)", line):
            yield match[1].split()


def options(verb: str) -> set[str]:
    parser = argparse.ArgumentParser()
    resources.plugin("commands", verb).add_arguments(parser)
    return {option for action in parser._actions for option in action.option_strings}


@pages
def test_verbs_and_their_options_exist(page: Path) -> None:
    verbs = resources.plugins("commands")
    wrong = []
    for verb, *words in commands(page):
        known = options(verb) if verb in verbs else set()
        given = [word.partition("=")[0].rstrip("`.,;:") for word in words if word.startswith("--")]
        wrong += [f"{verb} {option}" for option in given if option not in known] if known else [verb]
    assert not wrong


def test_the_readme_names_commands_at_all() -> None:
    assert {"import", "check", "run", "eval", "list"} <= {words[0] for words in commands(README)}


@pages
def test_what_the_script_is_told_to_run_exists(page: Path) -> None:
    scripts = metadata.entry_points(group="console_scripts").names
    named = {word for line in code(page) for word in re.findall(r"\./run ([a-z][\w-]*)", line)}
    assert not named - scripts - {"demo", "test", "mutation", "python"}


# The wire.


@pytest.fixture(scope="module")
def wire() -> dict[str, dict[str, Any]]:
    """What the nodes really have."""
    pytest.importorskip("rclpy")
    line = [sys.executable, "-m", "helpers.wire"]
    done = subprocess.run(line, env=environment(free_domain()), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def table(head: str) -> list[list[str]]:
    """Return the rows of the table of docs/topics.md whose first column is ``head``."""
    body = TOPICS.split(f"\n| {head} |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in body]


def names(cell: str) -> list[str]:
    return [name.lstrip("/") for name in re.findall(r"`([^`]+)`", cell)]


def ends(wire: dict[str, dict[str, Any]], end: str) -> dict[str, list[tuple[str, str]]]:
    """Return type and QoS of every publisher, or subscription, by topic."""
    found: dict[str, list[tuple[str, str]]] = {}
    for node in wire.values():
        for topic, (kind, qos) in node[end].items():
            found.setdefault(topic, []).append((kind, qos))
    return found


def test_topics_are_those_of_the_nodes(wire: dict[str, dict[str, Any]]) -> None:
    published, heard = ends(wire, "publishers"), ends(wire, "subscriptions")
    documented = {topic: row for row in table("topic") for topic in names(row[0])}
    assert set(documented) == set(published) | set(heard)
    for topic, row in documented.items():
        kind, (out, _, into) = row[1].split()[0].rstrip(","), row[2].partition(" / ")
        assert {(kind, out)} == set(published.get(topic, [(kind, out)])), topic  # some are for others to publish
        readers = heard.get(topic, [])
        assert {kind} >= {reader for reader, _ in readers}, topic
        # A reader may be deeper; where one asks for more than the table says, the row or a line below says so.
        assert not readers or into.split()[0] in {qos.split()[0] for _, qos in readers}, topic
        assert ("L" in into.split()) == all("L" in qos.split() for _, qos in readers) or not readers, topic


def test_the_recorder_knows_what_our_nodes_offer(wire: dict[str, dict[str, Any]]) -> None:
    from robot_policies.nodes.known_topics import KNOWN

    known = {topic.lstrip("/"): offer for topic, offer in KNOWN.items() if topic != "/rosout"}
    published = ends(wire, "publishers")
    assert set(published) - set(known) == {"cmd_vel"}, "of which there are two types"
    for topic, (kind, reliable, latched) in known.items():
        asked = (kind.replace("/msg/", "/"), reliable, latched)
        offers = {(name, qos.startswith("R"), "L" in qos.split()) for name, qos in published.get(topic, [])}
        assert offers <= {asked}, topic


def test_services_are_those_of_the_robot_node(wire: dict[str, dict[str, Any]]) -> None:
    documented = {name: row[1] for row in table("service") for name in names(row[0])}
    assert documented == wire["robot_node"]["services"]
    assert not [name for name, node in wire.items() if node["services"] and name != "robot_node"]


def parameters() -> dict[str, dict[str, str]]:
    """Return the documented parameters by node, each with the text in parentheses behind it, or ""."""
    found: dict[str, dict[str, str]] = {}
    node = ""
    for row in table("node"):
        node = (names(row[0]) or [node])[0]
        cell = re.findall(r"`([^`]+)`(?: \(([^)]*)\))?", row[1])
        found.setdefault(node, {}).update(dict(cell))
    return found


def test_parameters_are_those_of_the_nodes(wire: dict[str, dict[str, Any]]) -> None:
    documented = parameters()
    assert documented["robot_node"].pop("options.*") == ""
    gains = {name for name in wire["robot_node"]["parameters"] if name.startswith("gain_profile.")}
    assert gains == {"gain_profile.name", "gain_profile.stiffness", "gain_profile.damping"}
    assert "`gain_profile.name`, `.stiffness`, `.damping`" in TOPICS.replace("\n", " ")
    for node, real in wire.items():
        assert set(documented[node]) == set(real["parameters"]) - gains, node
    assert set(documented) == set(wire)


def test_defaults_are_those_of_the_nodes(wire: dict[str, dict[str, Any]]) -> None:
    wire["robot_node"]["parameters"]["clock"] = "real"  # the nodes were made in lockstep, so that nothing waits
    for node, documented in parameters().items():
        for name, text in documented.items():
            real = wire[node]["parameters"].get(name)
            if text and real != "":  # an empty text stands for what the words in parentheses say
                assert yaml.safe_load(text) == real, f"{node}: {name}"


def test_diagnostics_are_those_of_the_nodes(wire: dict[str, dict[str, Any]]) -> None:
    section = TOPICS.split("## /diagnostics", 1)[1]
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\|(.*)\|$", section, re.MULTILINE)
    documented = {node: set(re.findall(r"`(\w+)`", keys)) for node, keys in rows}
    assert documented == {name: set(node["diagnostics"]) for name, node in wire.items() if node["diagnostics"]}


def test_every_trip_is_explained() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "safety.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(TRIPS) <= set(rows)
