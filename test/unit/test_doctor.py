"""The doctor's checks one by one, and that none of them can hang it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from robot_policies.cameras import realsense
from robot_policies.cli.main import main
from robot_policies.doctor import camera, finding, machine, network, ros, software, wire
from robot_policies.doctor.finding import Check, Finding, child, run, worst
from robot_policies.exceptions import RobotError, RobotPoliciesError, SchemaError

OK, WARN, FAIL = (Finding("x", level, "found") for level in finding.LEVELS)


# How checks are run.


def test_a_line_says_level_check_what_was_found_and_what_to_do() -> None:
    assert str(Finding("disk", "WARN", "1 GB free", "make room")) == "WARN disk: 1 GB free; do: make room"
    assert str(Finding("clock", "OK", "even")) == "OK   clock: even"


def test_the_worst_counts() -> None:
    assert [worst(found) for found in ([], [OK], [OK, WARN], [FAIL, WARN, OK])] == [0, 0, 1, 2]


def test_checks_run_side_by_side_in_their_order() -> None:
    def slow(name: str) -> Callable[[], Finding]:
        return lambda: time.sleep(0.4) or Finding(name, "OK", "")  # type: ignore[func-returns-value]

    begun = time.monotonic()
    found = run([Check(name, slow(name)) for name in "abcd"])
    assert [one.check for one in found] == list("abcd")
    assert time.monotonic() - begun < 1.2


def test_a_check_that_hangs_is_left_behind_and_said() -> None:
    begun = time.monotonic()
    found = run([Check("stuck", lambda: time.sleep(60) or OK, 0.3), Check("good", lambda: OK)])  # type: ignore[func-returns-value]
    assert time.monotonic() - begun < 5.0
    assert (found[0].level, found[0].found) == ("FAIL", "no answer within 0.3 s")
    assert found[1] is OK


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_check_that_raises_is_a_finding() -> None:
    def ours() -> Finding:
        raise RobotError("asked;\n  found; valid")

    def broken() -> Finding:
        raise KeyError("x")

    found = run([Check("ours", ours), Check("broken", broken)])
    assert (found[0].level, found[0].found) == ("FAIL", "asked; found; valid")
    assert (found[1].level, found[1].found) == ("FAIL", "the check itself broke; the trace is above")


def test_a_process_that_hangs_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hangs.py").write_text("import time, os\nprint(os.getpid(), flush=True)\ntime.sleep(60)\n")
    (tmp_path / "fails.py").write_text("import sys\nsys.exit('what went wrong')\n")
    (tmp_path / "talks.py").write_text("print('noise')\nprint('{\"a\": 1}')\nprint('more')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    begun = time.monotonic()
    with pytest.raises(RobotPoliciesError, match="no answer within 0.5 s"):
        child("hangs", limit=0.5)
    assert time.monotonic() - begun < 10.0
    with pytest.raises(RobotPoliciesError, match="what went wrong"):
        child("fails", limit=20.0)
    assert child("talks", limit=20.0) == {"a": 1}


# The machine.


def test_the_clock_as_the_kernel_tells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def kernel(state: int, status: int) -> Any:
        def adjtimex(pointer: Any) -> int:
            pointer._obj.status, pointer._obj.maxerror = status, 4200
            return state

        return lambda name: SimpleNamespace(adjtimex=adjtimex)

    levels = []
    for state, status in ((0, 0x2001), (5, 0x2001), (0, 0x0040), (-1, 0)):
        monkeypatch.setattr(machine.ctypes, "CDLL", kernel(state, status))
        levels.append(machine.synchronised().level)
    assert levels == ["OK", "WARN", "WARN", "WARN"]
    monkeypatch.setattr(machine.ctypes, "CDLL", kernel(0, 0))
    assert "error below 4.2 ms" in machine.synchronised().found


def test_the_real_kernel_answers() -> None:
    assert machine.synchronised().level in ("OK", "WARN")


@pytest.mark.parametrize(("step", "level"), [(0.0, "OK"), (0.0019, "OK"), (0.0021, "FAIL"), (-3.0, "FAIL")])
def test_a_clock_that_is_set_is_seen(step: float, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wall = iter([100.0, 100.5 + step])
    mono = iter([7.0, 7.5])
    clock = SimpleNamespace(time=lambda: next(wall), monotonic=lambda: next(mono), sleep=lambda seconds: None)
    monkeypatch.setattr(machine, "time", clock)
    assert machine.steady().level == level


def test_real_time_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(machine.os, "sched_setscheduler", lambda pid, policy, param: asked.append(policy))
    assert machine.real_time().level == "OK"
    assert asked == [os.SCHED_FIFO, os.SCHED_OTHER]

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(machine.os, "sched_setscheduler", refuse)
    found = machine.real_time()
    assert (found.level, found.todo) == ("WARN", machine.RT_TODO)


def test_waking_up_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(machine.os, "sched_setscheduler", refuse)  # not in the test's own thread
    found = machine.wakes()
    assert "at 500 Hz" in found.found and "in the ordinary scheduler" in found.found
    monkeypatch.setattr(machine, "LATE_LIMIT", -1.0)
    assert machine.wakes().level == "WARN"
    monkeypatch.setattr(machine, "LATE_LIMIT", 10.0)
    assert machine.wakes().level == "OK"


@pytest.mark.parametrize(
    ("governors", "cores", "load", "level"),
    [((), 2, 0.5, "OK"), (("performance",) * 2, 2, 0.5, "OK"), (("performance", "powersave"), 2, 0.5, "WARN"),
     ((), 1, 0.5, "WARN"), ((), 2, 2.5, "WARN")],
)  # fmt: skip
def test_the_processor(
    governors: tuple[str, ...], cores: int, load: float, level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, governor in enumerate(governors):
        folder = tmp_path / f"cpu{number}" / "cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_governor").write_text(f"{governor}\n")
    real = Path
    monkeypatch.setattr(machine, "Path", lambda at: tmp_path if str(at).endswith("system/cpu") else real(at))
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda pid: set(range(cores)))
    monkeypatch.setattr(machine.os, "getloadavg", lambda: (load, 0.0, 0.0))
    assert machine.processor().level == level


def test_shared_memory_and_what_killed_nodes_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1 << 30, total=2 << 30))
    assert machine.shared_memory(str(tmp_path)).level == "OK"
    for number in range(201):
        (tmp_path / f"fastdds_{number:x}").touch()
    found = machine.shared_memory(str(tmp_path))
    assert (found.level, found.todo) == ("WARN", "fastdds shm clean, while no node runs")
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1 << 20, total=2 << 20))
    assert "remount" in machine.shared_memory(str(tmp_path)).todo


@pytest.mark.parametrize(("size", "level"), [("212992", "WARN"), ("4194304", "OK"), ("", "WARN")])
def test_socket_buffers(size: str, level: str, tmp_path: Path) -> None:
    (tmp_path / "rmem_max").write_text(size)
    assert machine.buffers(str(tmp_path / "rmem_max")).level == level


@pytest.mark.parametrize(("free", "level"), [(1e9, "FAIL"), (1e10, "WARN"), (1e11, "OK")])
def test_disk(free: float, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda folder: SimpleNamespace(free=free))
    assert machine.disk("/somewhere").level == level


# The network.


def test_an_interface_that_is_there_and_one_that_is_not() -> None:
    assert network.interface("lo").level == "OK"
    with pytest.raises(RobotError, match="no 'eth99' on this machine; valid: lo"):
        network.interface("eth99")
    assert "lo (127.0.0.1)" in network.unnamed().found
    assert network.multicast("lo").level == "OK"


def test_a_wireless_or_slow_interface_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "check_interface", lambda name: None)
    monkeypatch.setattr(network, "interfaces", lambda: {"eth0": "192.168.123.5"})
    monkeypatch.setattr(network, "Path", lambda text: tmp_path)
    (tmp_path / "eth0").mkdir()
    for speed, level in (("1000", "OK"), ("10", "WARN"), ("-1", "OK")):
        (tmp_path / "eth0" / "speed").write_text(speed)
        assert network.interface("eth0").level == level
    (tmp_path / "eth0" / "wireless").mkdir()
    assert "use a cable" in network.interface("eth0").todo


@pytest.mark.parametrize(("echo", "level"), [(True, "OK"), (False, "FAIL")])
def test_a_group_that_cannot_be_reached(echo: bool, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "check_interface", lambda name: None)
    monkeypatch.setattr(network, "interfaces", lambda: {"eth0": "192.168.123.5"})
    monkeypatch.setattr(network, "_flags", lambda name: network.MULTICAST)
    monkeypatch.setattr(network, "_echo", lambda address: echo)
    found = network.multicast("eth0")
    assert found.level == level and ("firewall" in found.todo) is not echo


def test_a_group_on_an_address_that_is_not_ours() -> None:
    with pytest.raises(OSError, match="Cannot assign"):
        network._echo("192.0.2.77")


# ROS.


@pytest.mark.parametrize(
    ("env", "level", "words"),
    [
        ({}, "OK", "ROS_DOMAIN_ID 0"),
        ({"ROS_DOMAIN_ID": ""}, "OK", "ROS_DOMAIN_ID 0"),
        ({"ROS_DOMAIN_ID": "101"}, "OK", "101"),
        ({"ROS_DOMAIN_ID": "102"}, "WARN", "102"),
        ({"ROS_DOMAIN_ID": "233"}, "FAIL", "233"),
        ({"ROS_DOMAIN_ID": "seven"}, "FAIL", "'seven'"),
    ],
)
def test_the_domain(env: dict[str, str], level: str, words: str) -> None:
    found = ros.domain(env)
    assert found.level == level and words in found.found


def test_discovery(tmp_path: Path) -> None:
    profile = tmp_path / "p.xml"
    profile.touch()
    name = ros.PROFILES[0]
    assert ros.discovery({name: str(profile)}).level == "OK"
    assert ros.discovery({}).level == "WARN"
    assert ros.discovery({name: "/no/such.xml"}).level == "FAIL"
    assert ros.discovery({name: str(profile), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}).level == "WARN"


def test_which_ros(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ros.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(ros, "version", lambda name: "7.1.6")
    assert ros.installation({}).found == "rclpy 7.1.6 from wheels, rmw_fastrtps_cpp"
    assert ros.installation({"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}).level == "WARN"

    def missing(name: str) -> str:
        raise ros.PackageNotFoundError(name)

    monkeypatch.setattr(ros, "version", missing)
    assert ros.installation({"ROS_DISTRO": "jazzy"}).found == "jazzy, sourced, rmw_fastrtps_cpp"
    monkeypatch.setattr(ros.importlib.util, "find_spec", lambda name: None)
    assert ros.installation({}).level == "FAIL"


@pytest.mark.parametrize(
    ("publishers", "level"),
    [
        ({"joint_command": [], "lowcmd": []}, "OK"),
        ({"joint_command": ["/policy_node"], "lowcmd": []}, "OK"),
        ({"joint_command": ["/a", "/b"], "lowcmd": []}, "FAIL"),
        ({"joint_command": [], "lowcmd": ["/other"]}, "FAIL"),
    ],
)
def test_rivals_in_the_graph(publishers: dict[str, list[str]], level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ros, "child", lambda *_, **__: {"publishers": publishers, "nodes": 3})
    found = ros.rivals()
    assert found.level == level
    assert all(name in found.found for names in publishers.values() for name in names)


# Software, robot, camera.


def test_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"numpy": "2.0", "onnxruntime": "1.23", "pydantic": "2.13", "PyYAML": "6.0"}
    monkeypatch.setattr(software, "_version", lambda name: there.get(name, ""))
    assert software.versions().level == "OK"
    there["cyclonedds"] = "0.10.5"
    assert software.versions().todo.startswith("pip install --no-deps cyclonedds==11.0.1")
    del there["onnxruntime"]
    assert (software.versions().level, software.versions().todo) == ("FAIL", "pip install onnxruntime")
    monkeypatch.setattr(software.sys, "version_info", (3, 9, 2))
    assert software.versions().todo == "a Python from 3.10 to 3.13"


def test_the_shipped_bundles_and_robots_are_well() -> None:
    assert software.bundles("go2").level == "OK"
    assert software.bundles("g1").level == "WARN"  # none is shipped
    for name in ("go2", "go1"):
        assert software.robot_files(name).level == "OK"


def test_a_bundle_or_safety_file_that_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bundles" / "torn").mkdir(parents=True)
    (tmp_path / "bundles" / "torn" / "policy.yaml").write_text("format: 1\n")
    (tmp_path / "config" / "safety").mkdir(parents=True)
    (tmp_path / "config" / "safety" / "go2.yaml").write_text(yaml.safe_dump({"format": 1}))
    monkeypatch.setenv("ROBOT_POLICIES_PATH", str(tmp_path))
    found = software.bundles(None)
    assert found.level == "FAIL" and "torn: " in found.found
    with pytest.raises(SchemaError, match="go2.yaml"):
        software.robot_files("go2")


@pytest.mark.parametrize(
    ("changes", "level", "words"),
    [
        ({}, "OK", "500 states a second, battery 90 %, controlled by nobody"),
        ({"states": 0, "others": "10.0.0.7 pc"}, "FAIL", "no state through eth0; there: 10.0.0.7 pc"),
        ({"foreign": 12}, "WARN", "12 commands of others"),
        ({"rivals": "a writer on 10.0.0.9"}, "FAIL", "other writers of commands: a writer on 10.0.0.9"),
    ],
)
def test_the_robot_on_its_wire(
    changes: dict[str, Any], level: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"states": 1500, "charge": 90, "control": "nobody", "foreign": 0, "rivals": "", "others": "", **changes}
    monkeypatch.setattr(wire, "check_sdk", lambda: None)
    monkeypatch.setattr(wire, "child", lambda *_, **__: told)
    found = wire.robot("eth0", 0, "go2")
    assert found.level == level and words in found.found


@pytest.mark.parametrize(
    ("devices", "wanted", "level", "words"),
    [
        ([], False, "OK", "no RealSense device"),
        ([], True, "WARN", "no RealSense device"),
        ([("D435", "42", "3.2")], True, "OK", "D435 42 on USB 3.2"),
        ([("D435", "42", "2.1")], True, "WARN", "USB 2.1"),
    ],
)
def test_the_camera(
    devices: list[tuple[str, str, str]], wanted: bool, level: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera, "child", lambda *_, **__: {"devices": devices})
    found = camera.camera(wanted)
    assert found.level == level and words in found.found


def test_an_sdk_that_hangs_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyrealsense2.py").write_text("import time\ntime.sleep(600)\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), *sys.path)))
    monkeypatch.setattr(camera, "LIMIT", 2.0)
    found = camera.camera(True)
    assert (found.level, found.found) == ("WARN", "no answer within 2 s")


def test_devices_are_told_by_name_serial_and_usb(monkeypatch: pytest.MonkeyPatch) -> None:
    class Device:
        def supports(self, key: str) -> bool:
            return key != "usb"

        def get_info(self, key: str) -> str:
            return {"n": "D435", "s": "42"}[key]

    info = SimpleNamespace(name="n", serial_number="s", usb_type_descriptor="usb")
    context = SimpleNamespace(query_devices=lambda: [Device()])
    sdk = SimpleNamespace(camera_info=info, context=lambda: context)
    monkeypatch.setitem(sys.modules, "pyrealsense2", sdk)
    assert realsense.devices() == [("D435", "42", "")]


# The command.


def command(*arguments: str) -> int:
    return main(["doctor", *arguments])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--robot", "go9"), "go9"),
        (("--json", "/no/such/folder/x.json"), "--json; found /no/such"),
        (("--recordings", "/no/such"), "--recordings; found /no/such"),
        (("--only", "wheels"), "--only: a check; found wheels; valid: versions, bundles, ROS"),
    ],
)
def test_a_wrong_argument_is_one_line(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(*arguments) == 2
    said = capsys.readouterr().err
    assert words in said and len(said.splitlines()) == 1


def test_an_interface_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--interface", "eth99", "--only", "interface", "--only", "multicast", "--only", "domain") == 2
    lines = capsys.readouterr().out.splitlines()
    assert [line[:4] for line in lines[:3]] == ["OK  ", "FAIL", "FAIL"]
    assert "interface: interface: the network interface" in lines[1] and "no 'eth99' on this machine" in lines[1]
    assert lines[3] == "1 OK, 0 WARN, 2 FAIL: something is missing"


def test_the_exit_code_and_the_json_are_the_worst(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "d.json"
    for domain, code in (("7", 0), ("120", 1), ("300", 2)):
        monkeypatch.setenv("ROS_DOMAIN_ID", domain)
        assert command("--only", "domain", "--json", str(path)) == code
        told = json.loads(path.read_text())
        assert told["worst"] == finding.LEVELS[code]
        assert [one["check"] for one in told["findings"]] == ["domain"]
        assert bool(told["findings"][0]["todo"]) is bool(code)
