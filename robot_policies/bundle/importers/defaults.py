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
START_TOLERANCE = 0.3  # [rad]: twice the sag of a standing robot (10 N m over 60 N m/rad), as the safety file
LICENCE = "not stated"
VERSION = "1"
