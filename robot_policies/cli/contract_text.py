"""A bundle's contract as text that a person can read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from robot_policies.contract import Contract, Depth, Group, History, Network, Numbers, Source
from robot_policies.sizes import ages, frame_size, group_size


def contract_text(contract: Contract) -> str:
    """Return everything that ``contract`` states, in the order of the flow."""
    blocks = [
        _identity(contract),
        *(_group(name, group) for name, group in contract.observations.items()),
        *(_depth(name, depth) for name, depth in contract.depth.items()),
        [f"networks, at {1 / contract.timing.control_dt:g} Hz", *_networks(contract)],
        _action(contract),
        _commands(contract),
        _limits(contract),
        ["files", *(f"  {digest}  {name}" for name, digest in sorted(contract.files.items()))],
    ]
    return "\n\n".join("\n".join(block) for block in blocks)


def _identity(contract: Contract) -> list[str]:
    timing, delays = contract.timing, contract.delays
    steps = f" = {timing.decimation} x {timing.physics_dt:g} s" if timing.decimation and timing.physics_dt else ""
    return [
        f"{contract.name} {contract.version}: kind {contract.kind}, robot {contract.robot}, {contract.licence}",
        *(f"  {key}: {value}" for key, value in contract.provenance.items()),
        f"  control_dt {timing.control_dt:g} s{steps}",
        f"  delays trained for: state {_pair(delays.state)} s, action {_pair(delays.action)} s",
    ]


def _group(name: str, group: Group) -> list[str]:
    rows, start = [["index", "term", "size", "scale", "offset", "clip", "noise", "history"]], 0
    for term in group.terms:
        size = term.size * ages(term)
        params = "".join(f" {key}={value}" for key, value in term.params.items())
        clip = "-" if term.clip is None else f"{_numbers(term.clip[0])} to {_numbers(term.clip[1])}"
        place = f"{start}-{start + size - 1}" if size > 1 else str(start)
        numbers = [_numbers(term.scale), _numbers(term.offset), clip, f"{term.noise:g}"]
        rows.append([place, term.term + params, str(term.size), *numbers, _history(term.history)])
        start += size
    clip = "" if group.clip is None else f", clipped to {_pair(group.clip)}"
    past = "" if group.history is None else f" = {ages(group)} frames of {frame_size(group)}, {_history(group.history)}"
    return [f"observation {name}: {group_size(group)} values{past}{clip}", *_table(rows)]


def _history(history: History | None) -> str:
    if history is None:
        return "-"
    mask = f", masked {', '.join(map(str, history.mask))}" if history.mask else ""
    return f"ages {' '.join(map(str, history.ages))}, {history.fill}{mask}"


def _depth(name: str, depth: Depth) -> list[str]:
    image, pose = depth.intrinsics, depth.pose
    position = ", ".join(f"{value:g}" for value in pose.position)
    return [
        f"depth {name}: sensor {depth.sensor}, {image.width} x {image.height} at {depth.rate:g} Hz, "
        f"{_pair(depth.delay)} s old",
        f"  pinhole fx {image.fx:g}, fy {image.fy:g}, cx {image.cx:g}, cy {image.cy:g} px",
        f"  at ({position}) m +- {_numbers(pose.position_range)}, {pose.pitch:g} rad down +- {pose.pitch_range:g}",
        f"  no return is {depth.invalid}, clip {depth.near:g} to {depth.far:g} m, crop top, bottom, left, right "
        f"{_numbers(depth.crop)}",
        f"  {depth.interpolation} to {depth.size[1]} x {depth.size[0]}, times {depth.scale:g} plus {depth.offset:g}",
    ]


def _networks(contract: Contract) -> Iterator[str]:
    for network in contract.networks:
        often = "every tick" if network.period == 1 else f"every {network.period} ticks"
        yield f"  {network.name}: {network.file}, {often}"
        yield from (f"    {line}" for line in _tensors(network))


def _tensors(network: Network) -> Iterator[str]:
    for item in network.inputs:
        yield f"in    {item.name} {list(item.shape)} = {' + '.join(map(_source, item.source))}"
    for output in network.outputs:
        initial = "" if network.period == 1 else f", {_numbers(output.initial)} before the first step"
        yield f"out   {output.name} {list(output.shape)}{initial}"
    for state in network.states:
        start = f"{_numbers(state.initial)} at {state.reset}"
        yield f"state {state.input} {list(state.shape)} {state.dtype} = {state.output} of the last step, {start}"


def _source(source: Source) -> str:
    origin = source.observation or source.depth or f"{source.network}.{source.output}"
    part = "" if source.slice is None else f"[{source.slice[0]}:{source.slice[1]}]"
    return f"{origin}{part}" if source.scale == 1.0 else f"{source.scale:g} x {origin}{part}"


def _action(contract: Contract) -> list[str]:
    action, joints = contract.action, contract.joints
    clip = "no clip" if action.clip is None else f"clip {_numbers(action.clip[0])} to {_numbers(action.clip[1])}"
    low_pass = "no filter" if action.filter is None else f"filter alpha {action.filter.alpha:g}"
    late = f", commanded {action.delay} ticks later" if action.delay else ""
    rows = [["joint", "default", "scale", "offset", "stiffness", "damping", "torque"], [""] + ["rad"] * 3]
    rows[1] += ["N m/rad", "N m s/rad", "N m"]
    for i, name in enumerate(joints.names):
        columns = (joints.default_joint_pos, action.scale, action.offset, joints.stiffness, joints.damping)
        rows.append([name, *(f"{_entry(values, i):g}" for values in (*columns, joints.torque_limit))])
    return [
        f"action: {action.meaning} = offset + scale x {_source(action.source)}; {clip}, {low_pass}, "
        f"last_action {action.last_action}{late}",
        *_table(rows),
    ]


def _commands(contract: Contract) -> list[str]:
    velocity = contract.commands.velocity
    if velocity is None:
        return ["commands: none"]
    axes = (("lin_vel_x", "m/s"), ("lin_vel_y", "m/s"), ("ang_vel_z", "rad/s"))
    lines = [f"commands: velocity in the base frame; absent means {velocity.absent}"]
    for name, unit in axes:
        axis = getattr(velocity, name)
        lines.append(f"  {name}  {_pair(axis.range)} {unit}, dead band {axis.dead_band:g}")
    return lines


def _limits(contract: Contract) -> list[str]:
    limits = contract.limits
    lines = [f"limits: tilt {limits.tilt:g} rad; starts within {limits.start.tolerance:g} rad of"]
    lines.append(f"  {_numbers(limits.start.joint_pos)}")
    lines += [f"  {name}: at most {one.max_age:g} s old, else {one.lost}" for name, one in limits.inputs.items()]
    return lines


def _entry(values: Numbers, i: int) -> float:
    return values[i] if isinstance(values, tuple) else values


def _pair(pair: tuple[float, float]) -> str:
    return f"{pair[0]:g} to {pair[1]:g}"


def _numbers(values: Numbers | Sequence[float]) -> str:
    if not isinstance(values, Sequence):
        return f"{values:g}"
    if len(set(values)) == 1:
        return f"{values[0]:g}"
    return ", ".join(f"{value:g}" for value in values)


def _table(rows: Iterable[Sequence[str]]) -> list[str]:
    """Return rows as lines with aligned columns."""
    rows = list(rows)
    widths = [max(len(row[i]) for row in rows if i < len(row)) for i in range(max(map(len, rows)))]
    return [
        "  " + "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows
    ]
