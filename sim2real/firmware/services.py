"""The Go2's services: the motion switcher, and the sport mode that answers only while it is active."""

from __future__ import annotations

import json
from collections.abc import Callable

from sim2real.firmware.board import Board

# unitree_sdk2py.comm.motion_switcher.motion_switcher_api and unitree_sdk2py.rpc.internal
CHECK, SELECT, RELEASE, SET_SILENT, GET_SILENT = 1001, 1002, 1003, 1004, 1005
API_VERSION = 1
VERSION = "1.0.0.1"
NOT_IMPLEMENTED = 3203
# Codes of the switcher in the vendor's manual; not checked on a robot.
BAD_PARAMETER, BUSY, NO_SUCH_MODE = 7001, 7002, 7004

# Names that the switcher takes: the controllers of older firmware, and the one of newer.
MODES = ("normal", "ai", "advanced", "mcf")

Answer = tuple[int, str]  # code and data


def motion_switcher(board: Board, api: int, parameter: str) -> Answer:
    """Answer a request to the motion switcher."""
    if api == API_VERSION:
        return 0, VERSION
    if api == CHECK:
        return 0, json.dumps({"form": "0", "name": board.mode})
    if api == RELEASE:
        return _switch(board, "")
    if api == SELECT:
        return _select(board, parameter)
    return NOT_IMPLEMENTED, ""


def _select(board: Board, parameter: str) -> Answer:
    try:
        name = json.loads(parameter)["name"]
    except (ValueError, KeyError, TypeError):
        return BAD_PARAMETER, ""
    return _switch(board, name) if name in MODES else (NO_SUCH_MODE, "")


def _switch(board: Board, mode: str) -> Answer:
    if board.switching:
        return BUSY, ""
    if mode != board.mode:
        board.switch(mode)
    return 0, ""


def sport(board: Board, api: int, parameter: str) -> Answer | None:
    """Answer a request to the sport service; None while no built-in controller is active."""
    if not board.mode:
        return None
    if api == API_VERSION:
        return 0, VERSION
    return board.sport.request(api), ""


SERVICES: dict[str, Callable[[Board, int, str], Answer | None]] = {"motion_switcher": motion_switcher, "sport": sport}
