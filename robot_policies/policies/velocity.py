"""Kind ``velocity``: joint targets from proprioception, a velocity command and, where the bundle has them, cameras."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from robot_policies.action.decoder import ActionDecoder
from robot_policies.bundle.load import Bundle
from robot_policies.contract import Contract
from robot_policies.exceptions import InputError, expected
from robot_policies.inference.graph import NetworkGraph
from robot_policies.observation.builder import ObservationBuilder
from robot_policies.observation.depth import DepthPipeline
from robot_policies.policies.velocity_command import VelocityConditioner
from robot_policies.robot_spec import RobotSpec
from robot_policies.types import Action, Array, Array32, JointCommand, Observation, PolicyInputs, owned


class VelocityPolicy:
    """Observation builder, networks and action decoder in a row. An image joins the observation under its input's name.

    Raises:
        BundleError: the bundle takes no velocity command, or is not for this robot.
    """

    def __init__(self, bundle: Bundle, spec: RobotSpec) -> None:
        """Compose the stages of ``bundle``, which has passed its checks."""
        contract = bundle.contract
        self._command = VelocityConditioner(contract)
        self._builder = ObservationBuilder(contract, spec)
        self._cameras = Cameras(contract)
        self.graph = NetworkGraph(contract, bundle.folder)
        self._decoder = ActionDecoder(contract, spec)
        self.gains = self._decoder.gains
        source = contract.action.source
        self._network, self._output = str(source.network), str(source.output)
        self._part = slice(*source.slice) if source.slice is not None else slice(None)
        self._scale = np.float32(source.scale)
        self._at_rest = owned(np.zeros(len(contract.joints.names)), np.float32)
        self._last_action = self._at_rest

    def reset(self) -> None:
        """Return to the moment before the first tick."""
        self._builder.reset()
        self.graph.reset()
        self._decoder.reset()
        self._last_action = self._at_rest

    def observe(self, inputs: PolicyInputs, tick: int) -> Observation:
        """Return groups and due images, with the command in the ranges trained for. See ``Policy``."""
        stamp_ns = inputs.state.stamp_ns
        command = self._command(inputs.velocity_command, stamp_ns)
        images = self._cameras(inputs, tick)
        read = PolicyInputs(inputs.state, command, inputs.depth, inputs.height_scan)
        observation = self._builder.build(read, tick, self._last_action, self._heading_error(read, tick))
        return Observation(stamp_ns, {**observation.groups, **images}) if images else observation

    def _heading_error(self, inputs: PolicyInputs, tick: int) -> float | None:
        """Return the heading commanded minus the yaw [rad]; None, as this kind follows none."""
        return None

    def infer(self, observation: Observation, tick: int) -> Array32:
        """Return the raw action. See ``Policy``."""
        outputs = self.graph.step(tick, observation.groups, observation.groups)
        values: Array32 = outputs[self._network][self._output].reshape(-1)[self._part]
        return values if self._scale == 1.0 else values * self._scale

    def decode(self, raw: Array32, stamp_ns: int) -> tuple[Action, JointCommand]:
        """Return action and command, and keep the last action at the point that the bundle names. See ``Policy``."""
        action = self._decoder.action(raw, stamp_ns)
        self._last_action = action.last_action
        return action, self._decoder.command(action)

    def follow(self, joint_pos: Array) -> None:
        """Go on as though ``joint_pos`` had been this tick's target. See ``Policy``."""
        self._last_action = self._decoder.meant_by(joint_pos)


class Cameras:
    """The images that are due at a tick, as the networks read them."""

    def __init__(self, contract: Contract) -> None:
        """Note which networks read which image, and how often."""
        read = [
            (source.depth, network.period)
            for network in contract.networks
            for item in network.inputs
            for source in item.source
            if source.depth is not None
        ]
        self._read = [(name, DepthPipeline(name, contract.depth[name]), period) for name, period in sorted(set(read))]
        limit = contract.limits.inputs.get("depth")
        self._max_age_ns = 0 if limit is None else round(limit.max_age * 1e9)
        # Where the bundle stands or another policy takes over, somebody else does so; the networks are held meanwhile.
        self._blind = limit is not None and limit.lost != "landing"

    def __call__(self, inputs: PolicyInputs, tick: int) -> Mapping[str, Array32]:
        """Return the images of the networks that are due, by input name; none that is lost, unless that is an error.

        Raises:
            InputError: an image is from the future, of the wrong size, or lost where the bundle lands then.
        """
        images: dict[str, Array32] = {}
        for name, pipeline, period in self._read:
            if tick % period or name in images:
                continue
            image = inputs.depth.get(name)
            age_ns = None if image is None else inputs.state.stamp_ns - image.stamp_ns
            if age_ns is not None and age_ns < 0:
                found = f"{-age_ns * 1e-9:.6f} s after it"
                raise InputError(expected(f"depth {name}: a stamp at or before the state's", found, "0 s or before"))
            if image is not None and age_ns is not None and age_ns <= self._max_age_ns:
                images[name] = pipeline(image)
            elif not self._blind:
                found = "none" if age_ns is None else f"one {age_ns * 1e-9:.3f} s old"
                valid = f"one at most {self._max_age_ns * 1e-9:g} s old"
                raise InputError(expected(f"depth {name}: an image", found, valid))
        return images
