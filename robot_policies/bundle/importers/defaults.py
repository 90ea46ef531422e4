"""What no foreign format states: the project's defaults. Written into every imported bundle, and printed.

None of them changes what the network sees or does at a command within its range; docs/importing.md lists them.
"""

from __future__ import annotations

# [m/s], [m/s], [rad/s]: the ranges of mjlab's velocity task (velocity_env_cfg.py at 0eda4e7), the narrowest in use.
COMMAND = {"lin_vel_x": (-1.0, 1.0), "lin_vel_y": (-0.5, 0.5), "ang_vel_z": (-1.0, 1.0)}
ABSENT = "zero"  # what no command, or one that is too old, means
STATE_MAX_AGE = 0.1  # [s]: five control periods at 50 Hz, as the safety file of the Go2
COMMAND_MAX_AGE = 0.5  # [s]: as diff_drive_controller of ros2_controllers; planners publish at 10 Hz and more
TILT = 1.0  # [rad]: a fall, by the safety file of the Go2
# [rad]: default poses of public Go2 and Go1 policies lie up to 0.3 rad from the stand pose (calf -1.8 against -1.5,
# thigh 1.0 against 0.8), a standing Go2 sags by 0.1 rad from its own, and half of that again is left over.
START_TOLERANCE = 0.6
LICENCE = "not stated"
VERSION = "1"
