"""``robot-policies doctor`` as a user runs it: processes of their own, in environments that lack one thing each."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from helpers.node_process import ROOT, environment, free_domain, running

LIMIT = 60.0  # [s]; the doctor itself says what takes it longer than its own limits
DOCTOR = (sys.executable, "-m", "robot_policies.cli", "doctor")


def doctor(*arguments: str, domain: int = 90, before: Sequence[str] = (), **env: str) -> tuple[int, dict[str, str]]:
    """Run it; return its exit code and each check's line."""
    done = subprocess.run(
        [*before, *DOCTOR, *arguments],
        env={**environment(domain), **env},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert "Traceback" not in done.stderr, done.stderr
    lines = {line[5:].partition(":")[0]: line for line in done.stdout.splitlines()}
    return done.returncode, lines or {"": done.stderr}


def only(*checks: str) -> list[str]:
    return [part for check in checks for part in ("--only", check)]


def needs(*programs: str) -> pytest.MarkDecorator:
    lacking = [name for name in programs if shutil.which(name) is None]
    if os.geteuid() != 0:
        return pytest.mark.skip(reason="needs root, to make another network or to give rights up")
    return pytest.mark.skipif(bool(lacking), reason=f"needs {', '.join(lacking)} (util-linux, iproute2)")


def namespace(script: str) -> list[str]:
    """Return what runs a command in a network of its own that ``script`` has set up."""
    return ["unshare", "--net", "sh", "-ec", f'ip link set lo up; {script}; exec "$@"', "sh"]


VETH = (
    "ip link add eth7 type veth peer name eth8; ip link set eth8 up; "
    "ip addr add 192.168.123.7/24 dev eth7; ip link set eth7 up"
)


def test_everything_is_looked_at_and_the_json_says_the_same(tmp_path: Path) -> None:
    begun = time.monotonic()
    code, lines = doctor("--robot", "go2", "--json", str(tmp_path / "d.json"), "--recordings", str(tmp_path))
    assert time.monotonic() - begun < LIMIT
    told = json.loads((tmp_path / "d.json").read_text())
    levels = {finding["check"]: finding["level"] for finding in told["findings"]}
    assert {*levels} == {
        *("versions", "robot files", "bundles", "ROS", "domain", "discovery", "rival writers", "clock", "clock steps"),
        *("real-time rights", "processor", "shared memory", "socket buffers", "disk", "camera", "interface", "wake-up"),
    }
    assert all(lines[check].startswith(level) for check, level in levels.items())
    assert code == max(("OK", "WARN", "FAIL").index(level) for level in levels.values())
    assert told["worst"] == ("OK", "WARN", "FAIL")[code]
    assert all("; do: " in lines[check] for check, level in levels.items() if level != "OK")
    assert levels["versions"] == levels["ROS"] == levels["bundles"] == levels["robot files"] == "OK"


@needs("unshare", "ip")
def test_in_networks_made_for_it() -> None:
    """A cable that is well, one whose multicast is off, and one that is not plugged in."""
    checks = ("--interface", "eth7", *only("interface", "multicast"))
    code, lines = doctor(*checks, before=namespace(VETH))
    assert (code, lines["interface"][:4], lines["multicast"][:4]) == (0, "OK  ", "OK  ")
    assert "eth7 has 192.168.123.7" in lines["interface"]
    code, lines = doctor(*checks, before=namespace(f"{VETH}; ip link set eth7 multicast off"))
    assert (code, lines["interface"][:4], lines["multicast"][:4]) == (2, "OK  ", "FAIL")
    assert "ip link set eth7 multicast on" in lines["multicast"]
    code, lines = doctor(*checks, before=namespace(f"{VETH}; ip link set eth8 down"))
    assert code == 2 and "no link" in lines["interface"]


@needs("prlimit", "setpriv")
def test_without_the_right_to_real_time() -> None:
    """Not even root may where the capability is gone and the limit is 0."""
    before = ["prlimit", "--rtprio=0", "setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice"]
    code, lines = doctor(*only("real-time rights", "wake-up"), before=before)
    assert code == 1
    assert "no SCHED_FIFO 50 (rtprio limit 0); do: in /etc/security/limits.conf" in lines["real-time rights"]
    assert "in the ordinary scheduler" in lines["wake-up"]


PUBLISHER = """
import sys, rclpy
from sensor_msgs.msg import JointState
rclpy.init()
node = rclpy.create_node(sys.argv[1])
node.create_publisher(JointState, sys.argv[2], 1)
print("here", flush=True)
sys.stdin.read()
"""


@pytest.mark.ros
def test_rival_publishers_are_named() -> None:
    pytest.importorskip("rclpy")
    domain = free_domain()
    with ExitStack() as stack:
        for name in ("left_policy", "right_policy"):
            line = [sys.executable, "-c", PUBLISHER, name, "joint_command"]
            process = stack.enter_context(running(line, domain, stdin=subprocess.PIPE))
            assert process.stdout is not None and process.stdout.readline() == "here\n"
        for _ in range(3):  # on a busy machine not all are found within the look's two seconds
            code, lines = doctor(*only("rival writers"), domain=domain)
            if code == 2:
                break
        assert process.stdin is not None
    assert code == 2
    assert "joint_command: /left_policy, /right_policy; do: end all but one" in lines["rival writers"]


ELSEWHERE = {
    "ROS_DOMAIN_ID": "300",
    "FASTDDS_DEFAULT_PROFILES_FILE": "/no/such.xml",
    "RMW_IMPLEMENTATION": "rmw_zenoh_cpp",
}


def test_a_missing_libusb_and_ros_set_up_otherwise(tmp_path: Path) -> None:
    stand_in = tmp_path / "pyrealsense2.py"
    path = os.pathsep.join((str(tmp_path), environment(1)["PYTHONPATH"]))
    stand_in.write_text("raise ImportError('libusb-1.0.so.0: cannot open shared object file')\n")
    code, lines = doctor(*only("camera", "domain", "discovery", "ROS"), PYTHONPATH=path, **ELSEWHERE)
    assert code == 2 and "do: apt-get install libusb-1.0-0" in lines["camera"]
    assert [lines[name][:4] for name in ("domain", "discovery", "ROS")] == ["FAIL", "FAIL", "WARN"]


def test_a_robot_on_its_wire_and_one_that_has_gone(tmp_path: Path) -> None:
    pytest.importorskip("mujoco")
    from helpers.firmware import PeerProcess, free_dds_domain, need_sdk

    need_sdk()
    domain = str(free_dds_domain())
    checks = ("--robot", "go2", "--interface", "lo", "--domain", domain, *only("robot"))
    peer = PeerProcess("go2", "--domain", domain, log=tmp_path / "peer.jsonl")
    try:
        code, lines = doctor(*checks)
    finally:
        peer.close()
    assert doctor(*checks)[0] == 2  # it has gone
    assert code == 1  # its built-in controller walks it, and writes commands
    assert "controlled by its built-in controller 'mcf'" in lines["robot"]
    assert "commands of others; do: lay it down" in lines["robot"]
