"""The contract that a bundle carries: ``policy.yaml`` as frozen dataclasses, no defaults that guess.

Only form is checked here (keys, types, finiteness, enumerations). What must agree with something else, such as
sizes with the network file or names with the robot, is checked by ``bundle.check``. docs/bundle.md explains each key.
"""

from __future__ import annotations

from typing import Any, Literal, Optional, Union

from pydantic import Field
from typing_extensions import Annotated

from robot_policies.schema import schema

FORMAT = 1

Numbers = Union[float, tuple[float, ...]]  # one number for all entries, or one per entry
Pair = tuple[float, float]  # low, high
Slice = tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=1)]]  # start, stop
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:/-]+$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@schema
class Timing:
    """Periods of training; the policy is stepped every ``control_dt`` of the robot's clock."""

    control_dt: Positive  # [s]
    physics_dt: Optional[Positive] = None  # [s], as trained
    decimation: Optional[Count] = None  # physics steps per control step, as trained


@schema
class Joints:
    """The joints that the policy speaks of, in the policy's order. Mapped to the robot's by name, once."""

    names: tuple[Name, ...]
    default_joint_pos: tuple[float, ...]  # [rad]
    stiffness: tuple[NotNegative, ...]  # [N m/rad]
    damping: tuple[NotNegative, ...]  # [N m s/rad]
    torque_limit: tuple[Positive, ...]  # [N m], as trained, or the robot's where that is lower: it binds anyway


@schema
class History:
    """Past values beside, or instead of, the present one.

    ``ages`` lists, in the order of concatenation, how many ticks old each entry is: ``[0, 1, 2]`` is newest first and
    includes the present, ``[3, 2, 1]`` is oldest first without it. Of a group: frame after frame; of a term: its ages.
    Values are kept as the network would read them: scaled, moved and clipped.
    """

    ages: tuple[Annotated[int, Field(ge=0)], ...]
    # What ages before the first tick read. first_frame: the first value; zeros: 0; zeros_then_first_frame: 0 at the
    # first tick, from the second on the first value (Extreme Parkour). Age 0 is always the present.
    fill: Literal["first_frame", "zeros", "zeros_then_first_frame"]
    mask: tuple[Annotated[int, Field(ge=0)], ...] = ()  # indices, within one frame, stored as 0 (so at every age)


@schema
class Term:
    """One observation term: ``clip(scale * x + offset)``, x as the term's pure function gives it."""

    term: Name
    size: Count
    scale: Numbers = 1.0
    offset: Numbers = 0.0
    clip: Optional[tuple[Numbers, Numbers]] = None
    noise: NotNegative = 0.0  # half width of the uniform noise used in training, in units of x; not applied at run time
    history: Optional[History] = None
    params: dict[str, Any] = Field(default_factory=dict)  # such as {period: 0.8} of gait_phase


@schema
class Group:
    """Terms concatenated in order; then the history of the whole frame, then the clip of the whole vector."""

    terms: tuple[Term, ...]
    history: Optional[History] = None
    clip: Optional[Pair] = None


@schema
class Source:
    """A part of a network input, from exactly one of ``observation``, ``network`` (with ``output``) and ``depth``."""

    observation: Optional[Name] = None
    network: Optional[Name] = None
    output: Optional[Name] = None
    depth: Optional[Name] = None
    slice: Optional[Slice] = None  # of the flattened value
    scale: float = 1.0


@schema
class Tensor:
    """An output of a network. ``initial`` is what readers see before its first step, such as before the first image."""

    name: str
    shape: tuple[Count, ...]
    dtype: Literal["float32"] = "float32"
    initial: Numbers = 0.0


@schema
class InputTensor:
    """An input of a network: its sources, flattened and concatenated in order, in this shape."""

    name: str
    shape: tuple[Count, ...]
    source: tuple[Source, ...]
    dtype: Literal["float32"] = "float32"


@schema
class RecurrentState:
    """An input that receives the network's own output of its previous step."""

    input: str
    output: str
    shape: tuple[Count, ...]
    reset: Literal["activation"]  # when it returns to ``initial``
    dtype: Literal["float32", "int64"] = "float32"
    initial: Numbers = 0.0


@schema
class Network:
    """One ONNX file, stepped every ``period`` ticks from tick 0 on, in the order of the list; its outputs are held.

    A network reads observations, images, and outputs of networks before it in the list. Outputs of the file that are
    not listed are not read; its inputs must all be listed, under ``inputs`` or ``states``.
    """

    name: Name
    file: str
    period: Count  # [ticks of control_dt]
    inputs: tuple[InputTensor, ...]
    outputs: tuple[Tensor, ...]
    states: tuple[RecurrentState, ...] = ()


@schema
class DepthIntrinsics:
    """Pinhole model of the image before the crop."""

    width: Count
    height: Count
    fx: Positive  # [px]
    fy: Positive
    cx: float
    cy: float


@schema
class CameraPose:
    """Of the camera's optical centre in the base frame, and the range that training drew from."""

    position: tuple[float, float, float]  # [m]
    pitch: float  # [rad], positive looks down
    position_range: tuple[NotNegative, NotNegative, NotNegative] = (0.0, 0.0, 0.0)  # +- [m]
    pitch_range: NotNegative = 0.0  # +- [rad]


@schema
class Depth:
    """How a camera image becomes a network input. Steps in order: invalid, clip, crop, resize, normalise."""

    sensor: Name  # a file of config/sensors
    intrinsics: DepthIntrinsics
    pose: CameraPose
    crop: tuple[Annotated[int, Field(ge=0)], ...]  # rows off the top, bottom, columns off the left, right
    size: tuple[Count, Count]  # height, width of the network's image
    interpolation: Literal["nearest", "bilinear", "bicubic", "area"]
    near: NotNegative  # [m]
    far: Positive  # [m]
    invalid: Literal["far", "near", "zero"]  # what a pixel without return counts as; zero is left alone by the clip
    scale: float  # value = scale * depth + offset
    offset: float
    rate: Positive  # [Hz]
    delay: Pair  # [s], capture to use, the range trained for
    max_holes: Annotated[float, Field(gt=0, lt=1)] = 0.99  # share of pixels without return above which it is no image


@schema
class Filter:
    """First-order low pass on the clipped action: y += alpha (x - y), y starting at the first x."""

    alpha: Annotated[float, Field(gt=0, le=1)]


@schema
class ActionSpec:
    """What the network's output means: target = offset + scale * filter(clip(raw)), in the policy's joint order.

    ``last_action`` is never delayed.
    """

    meaning: Literal["joint_position_offset"]
    source: Source
    scale: Numbers  # [rad] per unit
    offset: Numbers  # [rad]
    clip: Optional[tuple[Numbers, Numbers]]  # of the raw output; null says that training had none
    last_action: Literal["raw", "clipped", "filtered"]
    filter: Optional[Filter] = None
    # [ticks] that an action waits before it is commanded, beside what the pipeline takes anyway: 1 where training had
    # every action act one control step later. Zeros (the offset itself) are commanded until the first one is due.
    delay: Annotated[int, Field(ge=0, le=10)] = 0


@schema
class CommandAxis:
    """Range trained for (requests outside are clamped) and the half width of the dead band, inside which it is 0.

    Exactly 0 stays 0 even where the range excludes it: standing can always be asked for. Where the range has one
    direction only, the other one means 0.
    """

    range: Pair
    dead_band: NotNegative = 0.0


@schema
class VelocityCommands:
    """Axes in the base frame, and what an absent or too old command means."""

    lin_vel_x: CommandAxis  # [m/s]
    lin_vel_y: CommandAxis  # [m/s]
    ang_vel_z: CommandAxis  # [rad/s]
    absent: Literal["zero", "landing"]


@schema
class Commands:
    """Commands that the policy takes."""

    velocity: Optional[VelocityCommands] = None


@schema
class InputLimit:
    """The oldest that an input may be, and what follows when it is older.

    State: landing. Command: zero, landing. Depth: landing, stand, blind (networks are held), companion (takes over).
    """

    max_age: Positive  # [s]
    lost: Literal["landing", "zero", "stand", "blind", "companion"]


@schema
class StartPose:
    """Where activation is allowed: every joint within ``tolerance`` of ``joint_pos``."""

    joint_pos: tuple[float, ...]  # [rad], in the policy's joint order
    tolerance: Positive  # [rad]


@schema
class Limits:
    """What the policy itself asks for; the robot's safety file holds beside it and may be tighter."""

    inputs: dict[Literal["state", "velocity_command", "depth"], InputLimit]
    tilt: Positive  # [rad], angle between the base's z axis and up
    start: StartPose


@schema
class Delays:
    """Delay ranges that training drew from [s]."""

    state: Pair = (0.0, 0.0)
    action: Pair = (0.0, 0.0)


@schema
class Contract:
    """The whole of ``policy.yaml``."""

    format: Literal[1]
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    version: str
    kind: Name  # which class of the entry-point group robot_policies.policies runs it
    robot: Name
    licence: str
    provenance: dict[str, str]
    files: dict[str, Sha256]  # every file of the folder but policy.yaml
    timing: Timing
    joints: Joints
    observations: dict[Name, Group]
    networks: tuple[Network, ...]
    action: ActionSpec
    commands: Commands
    limits: Limits
    depth: dict[Name, Depth] = Field(default_factory=dict)
    delays: Delays = Field(default_factory=Delays)
