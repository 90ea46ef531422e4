"""The networks of a bundle, each at its own rate, wired as the contract says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from robot_policies.contract import Contract, InputTensor, Network, Source
from robot_policies.inference.network import OnnxNetwork
from robot_policies.sizes import source_size
from robot_policies.types import Array32

Outputs = Mapping[str, Mapping[str, Array32]]  # network -> output -> values in their shape, owned
Values = Mapping[str, Array32]  # name -> flat values


class _Wire:
    """One source of one input: which values, which part of them, times what, to where."""

    __slots__ = ("part", "scale", "target", "values")

    def __init__(self, values: str, source: Source, target: Array32) -> None:
        self.values = values
        self.part = slice(*source.slice) if source.slice is not None else slice(None)
        self.scale = source.scale
        self.target = target

    def carry(self, values: Array32) -> None:
        if self.scale == 1.0:
            self.target[:] = values[self.part]
        else:
            np.multiply(values[self.part], self.scale, out=self.target)


class _Step:
    """One network with its wires."""

    def __init__(self, contract: Contract, network: Network, runners: Mapping[str, OnnxNetwork]) -> None:
        runner = runners[network.name]
        self.period = network.period
        self.runner = runner
        self.groups: list[_Wire] = []
        self.depth: list[_Wire] = []
        self.fixed: list[tuple[_Wire, Array32]] = []  # from networks: buffers that never move
        for item in network.inputs:
            self._wire(contract, item, runners)

    def _wire(self, contract: Contract, item: InputTensor, runners: Mapping[str, OnnxNetwork]) -> None:
        buffer, start = self.runner.input_view(item.name), 0
        for source in item.source:
            size = source_size(contract, source)
            target = buffer[start : start + (size or 0)]
            start += target.size
            if source.observation is not None:
                self.groups.append(_Wire(source.observation, source, target))
            elif source.depth is not None:
                self.depth.append(_Wire(source.depth, source, target))
            elif source.network is not None and source.output is not None:
                values = runners[source.network].output_view(source.output)
                self.fixed.append((_Wire(source.network, source, target), values))


class NetworkGraph:
    """Steps the networks that are due, in the order of the contract, and holds the outputs of the others.

    Raises:
        BundleError: ONNX Runtime refuses a file, or a tensor is not as the contract says.
    """

    def __init__(self, contract: Contract, folder: Path) -> None:
        """Open every network and wire it. The contract has passed ``bundle.check``."""
        self._steps: list[_Step] = []
        self._owned: dict[str, Mapping[str, Array32]] = {}
        runners: dict[str, OnnxNetwork] = {}
        for network in contract.networks:
            runners[network.name] = OnnxNetwork(network, folder)
            self._steps.append(_Step(contract, network, runners))
        self.reset()

    def reset(self) -> None:
        """Return recurrent states and held outputs to their initial values."""
        for step in self._steps:
            step.runner.reset()
            self._owned[step.runner.name] = step.runner.outputs()

    def step(self, tick: int, groups: Values, depth_values: Values) -> Outputs:
        """Step every network whose period divides ``tick``; return the newest outputs of all, as owned copies.

        A due network whose depth image is not in ``depth_values`` is not stepped: its outputs are held, and whether
        that is allowed is the policy's to decide.

        Args:
            tick: 0 at activation.
            groups: the observation's groups.
            depth_values: processed depth images by name, flat.

        Raises:
            InputError: a network's output is not finite.
        """
        for step in self._steps:
            if tick % step.period == 0 and all(wire.values in depth_values for wire in step.depth):
                for wire in step.groups:
                    wire.carry(groups[wire.values])
                for wire in step.depth:
                    wire.carry(depth_values[wire.values])
                for wire, values in step.fixed:
                    wire.carry(values)
                step.runner.run_bound(tick)
                self._owned[step.runner.name] = step.runner.outputs()
        return self.outputs()

    def outputs(self) -> Outputs:
        """Return the outputs that every network holds, as owned copies: network -> output -> values in their shape."""
        return dict(self._owned)

    def inputs(self) -> Outputs:
        """Return copies of what each network's newest step read: network -> input -> values in their shape."""
        return {step.runner.name: step.runner.inputs() for step in self._steps}
