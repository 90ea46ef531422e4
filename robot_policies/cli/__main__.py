"""``python -m robot_policies.cli``: the same as the command ``robot-policies``."""

import sys

from robot_policies.cli.main import main

sys.exit(main())
