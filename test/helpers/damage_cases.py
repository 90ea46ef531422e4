"""Damages of a recording: the verbs that each concerns, what they say of it, and those that can do nothing then."""

from __future__ import annotations

from helpers import damage as d

from robot_policies.control.recording.journal import POLICY, ROBOT

REPLAY, REPORT, EXPORT, VIEW = "replay", "report", "export", "view"
ON_STEPS, ALL = (REPLAY, REPORT, EXPORT), (REPLAY, REPORT, EXPORT, VIEW)
POLICY_FILE, ROBOT_FILE = d.STEPS

# damage, the verbs that it concerns, a word by which each names it, and those with which nothing can be done then
CASES: dict[str, tuple[d.Damage, tuple[str, ...], str, tuple[str, ...]]] = {
    "policy cut": (d.changed(POLICY_FILE, d.cut(0.7)), ON_STEPS, "policy_steps.mcap: it is cut off", ()),
    "robot cut": (d.changed(ROBOT_FILE, d.cut(0.7)), (REPLAY, REPORT), "robot_steps.mcap: it is cut off", ()),
    "topics cut": (d.changed(d.TOPICS, d.cut(0.7)), (REPORT, VIEW), "topics_0.mcap: it is cut off", ()),
    "policy empty": (d.changed(POLICY_FILE, d.cut(0.0)), ON_STEPS, "policy_steps", (EXPORT,)),
    "topics empty": (d.changed(d.TOPICS, d.cut(0.0)), (REPORT, VIEW), "topics_0.mcap: it is cut off", (VIEW,)),
    "no bag": (d.changed(POLICY_FILE, lambda data: b"\x89no bag at all" * 99), ON_STEPS, "policy_steps", (EXPORT,)),
    "beginning": (d.changed(POLICY_FILE, lambda data: bytes(8) + data[8:]), ON_STEPS, "damaged bytes", ()),
    **{
        f"{place} chunk of {name}": (
            d.changed(name, lambda data, c=change: c(data)),  # type: ignore[misc]
            verbs,
            f"{name}: {word}",
            (),
        )
        for name, verbs in ((POLICY_FILE, ON_STEPS), (ROBOT_FILE, (REPLAY, REPORT)), (d.TOPICS, (REPORT, VIEW)))
        for place, word, change in (
            ("first", "a damaged chunk", d.broken_chunk(0)),
            ("middle", "a damaged chunk", d.broken_chunk(1)),
            ("headless", "", d.broken_chunk(1, head=True)),
            ("first of a killed", "", lambda data: d.killed(d.broken_chunk(0)(data))),
        )
        if (place, name) != ("first of a killed", d.TOPICS)  # written for the test, and not by the recorder
    },
    "description": (
        d.changed(POLICY_FILE, d.without_description),
        ON_STEPS,
        "policy_steps.mcap: the form of its step records: that of this version is taken",
        (),
    ),
    "other format": (
        d.changed(POLICY_FILE, d.replaced(b'"format": 1', b'"format": 7')),
        ON_STEPS,
        "schema: its format; found 7",
        (EXPORT,),
    ),
    "other fields": (
        d.changed(POLICY_FILE, d.replaced(b'"joint_pos"', b'"joint_pas"')),
        ON_STEPS,
        "unexpected keyword argument 'joint_pas'",
        (EXPORT,),
    ),
    "other class": (
        d.changed(POLICY_FILE, d.replaced(b'"RobotState"', b'"RabatState"')),
        ON_STEPS,
        "class RabatState is not known here",
        (EXPORT,),
    ),
    "other topic": (
        d.changed(POLICY_FILE, d.replaced(b"policy_steps", b"policy_stops")),
        ON_STEPS,
        "step records on policy_steps; found policy_stops",
        (EXPORT,),
    ),
    "no states": (d.changed(d.TOPICS, d.replaced(b"joint_states", b"joint_stutes")), (VIEW,), "joint_states", (VIEW,)),
    "no modes": (d.changed(d.TOPICS, d.replaced(b"/robot_mode", b"/rabot_mode")), (VIEW,), "robot_mode: no modes", ()),
    "type": (d.changed(d.TOPICS, d.replaced(b"nav_msgs/msg/Od", b"nov_msgs/msg/Ad")), (VIEW,), "", ()),
    "begin lost": (d.call(POLICY, 0), ON_STEPS, "1 step record missing", ()),
    "robot begin lost": (d.call(ROBOT, 0), (REPLAY, REPORT), "1 step record missing", ()),
    "begin empty": (d.call(POLICY, 0, named={}), (REPORT, EXPORT), "what the policies were begun with", ()),
    "robot begin empty": (d.call(ROBOT, 0, named={}), (REPLAY,), "begin: state_rate", ()),
    "begin of a path": (d.call(POLICY, 0, named={"robot": "../x", "bundles": 3}), (REPLAY,), "begin: robot", ()),
    "begin of one": (d.call(POLICY, 0, named={"bundles": 3}), (REPLAY,), "begin: bundles", ()),
    "no call": (d.call(POLICY, 5, args=3), ON_STEPS, "a step record that is no call", ()),
    "a result of nothing": (d.call(ROBOT, 30, result=7), (REPLAY,), "recorded 7", ()),
    "account lost": (d.gone("run.json"), ALL, "run.json is missing or damaged", ()),
    "account a folder": (d.folder_instead("run.json"), (REPLAY, REPORT), "run.json is missing or damaged", ()),
    "account cut": (d.account('{"robot": "go'), (REPLAY, REPORT), "run.json is missing or damaged", ()),
    "account a list": (d.account("[1]"), (REPLAY, REPORT), "run.json is missing or damaged", ()),
    "account no text": (d.account(b"\xff\xfe{}"), (REPLAY, REPORT), "run.json is missing or damaged", ()),
    "account deep": (d.account("[" * 100_000), (REPLAY, REPORT), "run.json is missing or damaged", ()),
    "bundles a list": (d.account(bundles=["go2_walk"]), ALL, "run.json: bundles is damaged", ()),
    "bundles elsewhere": (
        d.account(bundles={"../../x": "", "a\0": "", "b": 3}),
        (REPLAY, REPORT),
        "run.json: bundles is",
        (),
    ),
    "all of another form": (
        d.account(robot=3, safety=[], versions=1, git={}, started=0, recording=[2]),
        ALL,
        "run.json: robot is damaged",
        (),
    ),
    "not recorded": (
        d.account(recording={"steps_dropped": 4, "recording_error": "the disk is full", "not_recorded": {"/x": "why"}}),
        ALL,
        "the disk is full",
        (),
    ),
    "bundle lost": (d.gone("bundles"), ALL, "bundle go2_walk is missing in the recording", ()),
    "bundle changed": (
        d.changed("bundles/go2_walk/policy.yaml", d.cut(0.5)),
        (REPLAY, REPORT),
        "bundle go2_walk is not the recorded one",
        (),
    ),
    "network changed": (d.changed("bundles/go2_walk/actor.onnx", d.cut(0.5)), (REPLAY,), "actor.onnx", ()),
    "robot file": (
        d.changed("config/robots/go2.yaml", lambda data: b"\xff: ["),
        (REPLAY, REPORT),
        "go2.yaml",
        (REPLAY,),
    ),
    "safety file": (d.changed("config/safety/go2.yaml", lambda data: b"\xff: ["), (REPLAY,), "go2.yaml", ()),
    "policy lost": (d.gone(POLICY_FILE), ON_STEPS, "policy_steps.mcap", (EXPORT,)),
    "robot lost": (d.gone(ROBOT_FILE), (REPLAY, REPORT), "robot_steps.mcap", ()),
    "topics lost": (d.gone(d.TOPICS), (REPORT, EXPORT, VIEW), "topics_0.mcap", (VIEW,)),
    "topics a folder": (d.folder_instead(d.TOPICS), (REPORT, VIEW), "topics_0.mcap", (VIEW,)),
    "steps folders": (d.folder_instead(POLICY_FILE), ON_STEPS, "policy_steps", (EXPORT,)),
    "all lost": (d.gone(POLICY_FILE, ROBOT_FILE, d.TOPICS, "run.json", "bundles", "config"), ALL, "", ALL),
}
