"""The viewer: a page on this machine that shows the robot and the stack, and from which a person can drive it.

The robot's looks come from ``robot_description``, what it stands on from ``ground``; joints from ``joint_states``;
where the base is from ``ground_truth/odom``, else from ``odom``, else from the IMU, standing on its lowest part.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from rclpy.executors import SingleThreadedExecutor

from robot_policies.nodes.runtime import Spinner, Stop, run
from robot_policies.nodes.viewer_browser import open_browser
from robot_policies.nodes.viewer_controls import Controls
from robot_policies.nodes.viewer_hub import ViewerNode
from robot_policies.nodes.viewer_loop import Loop
from robot_policies.nodes.viewer_page import Page, PageUnavailable, first_free

UNAVAILABLE = 3  # exit code: no page, but nothing is wrong with the robot
PORTS = 10  # tried, from the one that was asked for on
CALLBACKS = 64  # as many as can wait at once: topics, answers, requests for parameters
STUCK = 1.0  # [s] that waiting callbacks may take at most


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; return its exit code: 3 where there can be no page, which no robot needs."""
    unavailable = []

    def body(stop: Stop) -> None:
        try:
            _main(stop)
        except PageUnavailable as error:
            sys.stderr.write(f"error: {error}\n")
            unavailable.append(error)

    return run(body, args) or (UNAVAILABLE if unavailable else 0)


def _main(stop: Stop) -> None:
    node = ViewerNode()
    port = first_free(node.host, node.port, PORTS)
    page = Page(node.host, port, lambda gui, put: Controls(gui, node.ranges, put), node.depth_range)
    taken = "" if port == node.port else f" (port {node.port} is taken; viewer_port:=PORT chooses another)"
    sys.stdout.write(f"viewer: {page.address}{taken}\n")
    sys.stdout.flush()
    if node.browser:
        open_browser(page.address)
    spinner = Spinner(node)
    loop = Loop(node, page)
    while not stop.requested:
        started = time.monotonic()
        serve_waiting(spinner)
        loop.step(time.monotonic())
        time.sleep(max(0.0, started + loop.period() - time.monotonic()))
    page.close()


def serve_waiting(spinner: Spinner) -> None:
    """Serve every callback that waits, and no more.

    States come four times as often as this is called. As nothing is served in between, only the newest message of each
    topic is ever taken, which halves what the viewer costs.
    """
    executor = spinner.executor
    if isinstance(executor, SingleThreadedExecutor):  # looks at what is ready each time; a task would come first
        for _ in range(CALLBACKS):
            executor.spin_once(timeout_sec=0.0)
        return
    # Events are served in order, so a task that is put behind them is done when they are.
    executor.spin_until_future_complete(executor.create_task(lambda: None), STUCK)


if __name__ == "__main__":
    sys.exit(main())
