"""What the doctor finds of the machine and of its network."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from robot_policies.doctor import machine, network
from robot_policies.exceptions import RobotError

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
