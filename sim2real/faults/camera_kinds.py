"""Faults of the camera, to a policy that sees: what it may not believe, it hands over to the blind one beside it."""

from __future__ import annotations

from typing import Any

from sim2real.faults.kind import DEGRADE, TOLERATE, Inject, Kind, Setup
from sim2real.faults.process_kinds import kill, stop
from sim2real.faults.scene import CAMERA

IMAGE = Setup(relay="image")


def _relay(name: str, **numbers: Any) -> Inject:
    return lambda scene: scene.ask_relay("fault", name=name, **numbers)


def _image(name: str, expected: str, why: str, inject: Inject, **more: Any) -> Kind:
    return Kind(name, {"active": expected}, why, inject, backends=("mujoco",), setup=IMAGE, **more)


def _blinds(name: str, why: str, inject: Inject, **more: Any) -> Kind:
    return _image(name, DEGRADE, why, inject, age="image_age", hands_over=True, **more)


KINDS = (
    _blinds("camera_killed", "the camera's process is gone", kill(CAMERA), last=True),
    _blinds("camera_stopped", "the camera's process hangs", stop(CAMERA), last=True),
    _blinds("image_lost", "the network eats every image", _relay("lost")),
    _blinds("image_late", "0.2 s later than the camera's own delay", _relay("late", delay=0.2)),
    _blinds("image_frozen", "the same image again, stamp and all", _relay("frozen")),
    _blinds("image_still", "the same picture under new stamps", _relay("still")),
    _blinds("image_holes", "not a pixel with a return", _relay("image_holes")),
    _blinds("image_nan", "pixels that are no numbers", _relay("image_nan")),
    _blinds("image_short", "half of its bytes are missing", _relay("image_short")),
    _blinds("image_encoding", "bytes where metres should be", _relay("image_encoding")),
    _image("image_one_lost", TOLERATE, "the next one comes in 33 ms", _relay("lost", count=1)),
    _image("image_doubled", TOLERATE, "one stamp is one image", _relay("doubled")),
    _image("image_torn", TOLERATE, "half of the last: 33 ms old, as the ground is too", _relay("torn")),
    _image("image_reordered", DEGRADE, "the older of two is no new one; with every second left they may be too late",
           _relay("reordered")),
)  # fmt: skip
