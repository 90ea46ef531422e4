"""Faults between the nodes: commands, the states that a policy sees, velocities, and what strangers send."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from sim2real.faults.kind import DEGRADE, LAND, TOLERATE, Inject, Kind, Setup, everywhere, walking

if TYPE_CHECKING:
    from sim2real.faults.scene import Scene

COMMAND, STATE = Setup(relay="command"), Setup(relay="state")
ACTIVE = ("active",)


def _relay(name: str, **numbers: Any) -> Inject:
    return lambda scene: scene.ask_relay("fault", name=name, **numbers)


def _command(name: str, expected: str, why: str, inject: Inject, age: str = "", **more: Any) -> Kind:
    return Kind(f"command_{name}", {"active": expected}, why, inject, setup=COMMAND, age=age, **more)


def _seen(name: str, expected: str, why: str, inject: Inject, age: str = "", **more: Any) -> Kind:
    return Kind(f"seen_state_{name}", {"active": expected}, why, inject, setup=STATE, age=age, **more)


def _rogue(profile: str, position: float, count: int = 12) -> Inject:
    """Send ten commands that nobody asked for; profile ``own`` is the one in force."""

    def inject(scene: Scene) -> None:
        name = str(scene.operator.robot["gain_profile"]) if profile == "own" else profile
        for _ in range(10):
            scene.operator.send_command(name, position, count)
            scene.operator.watch(0.02)

    return inject


def _velocity(value: float | None) -> Inject:
    def inject(scene: Scene) -> None:
        scene.operator.velocity = value
        if value is not None and not math.isfinite(value):
            for _ in range(5):
                scene.operator.send_velocity(value)
                scene.operator.watch(0.02)
            scene.operator.velocity = scene.speed

    return inject


def _lease(scene: Scene) -> None:
    scene.refused("the lease", scene.operator.ask_lease("/stranger"))


def _gains(value: float) -> Inject:
    return lambda scene: scene.refused("gains", scene.operator.set_gains(value))


KINDS = (
    _command("lost", LAND, "the network eats every command", _relay("lost"), "command_age"),
    _command("one_lost", TOLERATE, "the held command goes on for a tick", _relay("lost", count=1)),
    _command("late", LAND, "0.2 s late: older than a command may be", _relay("late", delay=0.2), "command_age"),
    _command("little_late", TOLERATE, "15 ms late: within the age", _relay("late", delay=0.015)),
    _command("doubled", TOLERATE, "the second is not newer: refused and counted", _relay("doubled")),
    _command("reordered", TOLERATE, "the older of two is refused; every second is left", _relay("reordered")),
    _command("frozen", LAND, "the same command again answers no new state", _relay("frozen"), "command_age"),
    _command("torn", TOLERATE, "half of the last: a step like any other, checked like any other", _relay("torn")),
    _command("nan", LAND, "the holder's own command is no number", _relay("nan")),
    _command("short", LAND, "eleven positions for twelve joints", _relay("short")),
    _command("names", LAND, "joints that this robot does not have", _relay("names")),
    _command("profile", LAND, "all name gains that are not in force: refused as a stranger's", _relay("profile"),
             "command_age"),
    _command("old", LAND, "stamps of 10 s ago", _relay("old"), "command_age"),
    _command("future", LAND, "stamps of 10 s ahead", _relay("future"), "command_age"),
    _command("huge", LAND, "a million rad: clamped, counted, and after 0.5 s of it a trip", _relay("huge"), "clamping",
             allows=("tilt", "joint_vel", "joint_pos"), seconds=5.0),
    _seen("lost", LAND, "a policy that sees nothing commands nothing", _relay("lost"), "command_age"),
    _seen("one_lost", TOLERATE, "the next one comes in 5 ms", _relay("lost", count=1)),
    _seen("doubled", TOLERATE, "one stamp is one state", _relay("doubled")),
    _seen("reordered", TOLERATE, "an older state than the last is dropped", _relay("reordered")),
    _seen("nan", LAND, "a policy that is fed no numbers answers nothing", _relay("nan"), "command_age"),
    _seen("short", LAND, "eleven positions for twelve joints", _relay("short"), "command_age"),
    _seen("late", LAND, "0.2 s late: what answers it is too old", _relay("late", delay=0.2), "command_age"),
    Kind("stranger_commands", everywhere(TOLERATE), "commands under no profile in force are refused and counted",
         _rogue("stranger/0", 0.5)),
    Kind("stranger_sends_nan", everywhere(TOLERATE), "a stranger's malformed command is nobody's fault here",
         _rogue("stranger/0", math.nan)),
    Kind("stranger_sends_short", everywhere(TOLERATE), "the same, with joints missing", _rogue("stranger/0", 0.5, 3)),
    Kind("impostor_sends_nan", walking(LAND), "under the holder's own profile it counts as the holder's",
         _rogue("own", math.nan)),
    Kind("stranger_asks_lease", {"active": TOLERATE}, "there is one holder", _lease),
    Kind("gains_nan", everywhere(TOLERATE), "refused whole", _gains(math.nan)),
    Kind("gains_huge", everywhere(TOLERATE), "over the safety file's bound: refused whole", _gains(1e6)),
    Kind("velocity_lost", {"active": DEGRADE}, "an absent command means zero: it stands still on its legs",
         _velocity(None)),
    Kind("velocity_nan", {"active": TOLERATE}, "refused; the last one holds until it is old", _velocity(math.nan)),
    Kind("velocity_huge", {"active": TOLERATE}, "limited to what the policy was trained for", _velocity(50.0)),
)  # fmt: skip
