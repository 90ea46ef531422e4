"""A camera that fails on its topic, in a process of its own, while go2_parkour walks: who commands then, and why."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("mujoco")

from helpers.walking import Walking

from robot_policies.control.member import RECOVERY_NS

NAME, WALK = "go2_parkour", "go2_walk"
DELAY = 0.1  # [s], within the 0.08 to 0.142 s that the bundle was trained for
SOON = 0.25  # [s] from the fault to the last command of the policy that cannot see
WHY = {
    "unplugged": "no newer one has come",
    "same_stamp": "pixel by pixel",
    "same_picture": "pixel by pixel",
    "late": "the newest 0.",
    "early": "on the robot's clock",
    "holes": "without a return",
    "not_finite": "without a return",
    "resolution": "(120, 212)",
    "encoding": "8UC1",
    "intrinsics": "camera_info",
}


@pytest.fixture(scope="module")
def walking() -> Iterator[Walking]:
    """One robot that walks through all the faults; each test leaves it seeing again."""
    with Walking(NAME, WALK, camera=True, delay=DELAY) as walking:
        walking.go()
        assert walking.commanding[-1][1].data == NAME
        yield walking


def good_again(walking: Walking, fault: str) -> None:
    """The camera is good again: not at once, but then by itself."""
    back = walking.since(walking.fault(""), NAME, 5.0)
    forgotten = 60 / 30.0 if fault == "late" else 0.0  # [s], as many images as the watch of the delay looks at
    assert RECOVERY_NS * 1e-9 <= back < RECOVERY_NS * 1e-9 + SOON + forgotten
    walking.until("why", "", "policy_node")


@pytest.mark.slow
@pytest.mark.parametrize("fault", WHY)
def test_blind_it_walks_on_with_its_companion_and_goes_on_by_itself(walking: Walking, fault: str) -> None:
    began = walking.fault(fault)
    taken = walking.since(began, WALK)
    assert taken < SOON
    told = walking.until("commanding", WALK, "policy_node")
    assert WHY[fault] in told["message"], told["message"]
    assert told["wanted"] == NAME and told["why"]
    refused = walking.switch(NAME)
    assert refused.success  # it is what is wanted
    walking.walk(0.4)
    assert not [1 for stamp, profile, _ in walking.heard if stamp > began + SOON * 1e9 and profile.startswith(NAME)]
    good_again(walking, fault)
    told = walking.values()
    assert (told["mode"], told["trips"], told["fell"], told["refusals"]) == ("active", [], False, {})
