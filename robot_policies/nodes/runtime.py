"""How every node process of the package starts, spins and ends.

A Ctrl-C reaches a node twice (from the terminal and from its launcher) and rclpy's own handler would shut the context
down before a last damping command could go out. So the handlers here only set a flag.
"""

from __future__ import annotations

import functools
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, TypeVar

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSDurabilityPolicy, QoSProfile, QoSReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from robot_policies.exceptions import ResourceError, RobotPoliciesError, expected

RELIABLE = QoSProfile(depth=1, reliability=QoSReliabilityPolicy.RELIABLE)
BEST_EFFORT = QoSProfile(depth=1, reliability=QoSReliabilityPolicy.BEST_EFFORT)
LATCHED = QoSProfile(depth=1, reliability=QoSReliabilityPolicy.RELIABLE, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)

Transition = TypeVar("Transition", bound=Callable[..., Any])

# Parameters that rclpy declares itself.
_OF_ROS = ("use_sim_time", "start_type_description_service")
_PREFIX_OF_ROS = "qos_overrides."


class Stop:
    """Set by SIGINT or SIGTERM; a second signal changes nothing, so that the landing is not cut short."""

    def __init__(self) -> None:
        self.requested = False
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, self._handle)
        # A bring-up starts its processes with SIGINT held back, so that one that comes during the imports waits here.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        self.requested = True


class Spinner:
    """Serves the callbacks of some nodes for a while, with the executor that suits control (docs/decisions.md)."""

    def __init__(self, *nodes: Node) -> None:
        try:
            from rclpy.experimental import EventsExecutor  # Jazzy and later
        except ImportError:
            self.executor: Any = SingleThreadedExecutor()
        else:
            self.executor = EventsExecutor()
        for node in nodes:
            self.executor.add_node(node)

    def spin_for(self, seconds: float) -> None:
        """Serve callbacks for ``seconds`` (0 serves what is waiting)."""
        # A finite timeout always: without one, the EventsExecutor of the Jazzy and Kilted wheels runs no callback.
        # A future of its own each time: the executor leaves a callback in it, so one for all would grow for ever.
        self.executor.spin_until_future_complete(Future(), max(seconds, 0.0))

    def spin_until(self, future: Future, seconds: float) -> bool:
        """Serve callbacks until ``future`` is done or for ``seconds``; return whether it is done."""
        self.executor.spin_until_future_complete(future, max(seconds, 0.0))
        return bool(future.done())

    def close(self) -> None:
        """Stop serving."""
        self.executor.shutdown()


def refuse_unknown_parameters(node: Node) -> None:
    """Raise ``ResourceError`` for a parameter that was given and that the node does not have.

    ROS ignores such a parameter silently, so a misspelt one would leave its default in force.
    """
    declared = node._parameters
    unknown = sorted(name for name in node._parameter_overrides if name not in declared and not _of_ros(name))
    if unknown:
        valid = sorted(name for name in declared if not _of_ros(name))
        raise ResourceError(expected(f"{node.get_name()}: known parameters", ", ".join(unknown), valid))


def _of_ros(name: str) -> bool:
    return name in _OF_ROS or name.startswith(_PREFIX_OF_ROS)


def run(main: Callable[[Stop], None], args: Sequence[str] | None = None) -> int:
    """Initialise ROS, call ``main`` and return the exit code: 2 for an error of ours, said in one line."""
    stop = Stop()
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except (rclpy.exceptions.ROSInterruptException, RuntimeError) as error:
        sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
        return 2
    try:
        main(stop)
    except (RobotPoliciesError, ParameterException) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except ExternalShutdownException:
        return 0
    finally:
        for name in (signal.SIGINT, signal.SIGTERM):  # all is done; a late second one must not spoil the exit code
            signal.signal(name, signal.SIG_IGN)
        rclpy.try_shutdown()
    return 0


def logged(transition: Transition) -> Transition:
    """Log what goes wrong in a lifecycle transition: rclpy turns any exception of one into silence."""

    @functools.wraps(transition)
    def wrapper(node: Any, state: Any) -> Any:
        done = False
        try:
            answer = transition(node, state)
            done = True
        finally:
            if not done:
                node.get_logger().fatal(traceback.format_exc())
        return answer

    return wrapper  # type: ignore[return-value]
