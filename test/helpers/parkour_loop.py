"""The deployment loop of Extreme Parkour, written anew from its description: 753 numbers in, 12 actions out.

Straight, slow and without anything of the package. Imports PyTorch: only for tests marked ``torch``.
"""

from collections import deque
from pathlib import Path

import numpy as np
import torch
from helpers.extreme_parkour import Reference

from robot_policies.types import PolicyInputs

DEFAULT = np.array([-0.1, 0.8, -1.5, 0.1, 0.8, -1.5, -0.1, 1.0, -1.5, 0.1, 1.0, -1.5])


def euler(quat_wxyz: np.ndarray) -> tuple[float, float, float]:
    """Return roll, pitch, yaw out of the rotation matrix."""
    w, x, y, z = quat_wxyz
    matrix = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    return (
        float(np.arctan2(matrix[2, 1], matrix[2, 2])),
        float(np.arcsin(-matrix[2, 0])),
        float(np.arctan2(matrix[1, 0], matrix[0, 0])),
    )


class Loop:
    """One robot from its activation on; inputs are in the motor order of the Go2, which is the policy's."""

    def __init__(self, folder: Path, sees: bool) -> None:
        self.reference, self.sees = Reference(folder), sees
        self.tick = 0
        self.last_action = np.zeros(12)
        self.last_contact = np.zeros(4, bool)
        self.history: deque[np.ndarray] | None = None
        self.images: list[np.ndarray] = []
        self.latent, self.yaws = np.zeros(32, np.float32), np.zeros(2)
        self.heading: float | None = None

    def __call__(self, inputs: PolicyInputs) -> tuple[np.ndarray, np.ndarray]:
        """Return the observation (753,) and the raw actions (12,) of one tick."""
        frame = self._proprioception(inputs)
        if self.tick % 5 == 0:
            self._look(inputs, frame)
        frame[6:8] = self.yaws
        obs = np.zeros(753, np.float32)
        obs[:53] = frame
        obs[53:185] = 7.0  # whatever the simulator says there, the student does not read
        obs[185:194] = 7.0
        obs[194:223] = 7.0
        if self.history is not None:
            obs[223:] = np.concatenate(list(self.history))
        obs = np.clip(obs, -100.0, 100.0)
        actions = self.reference.act(obs.copy(), self.latent)
        masked = frame.copy()
        masked[6:8] = 0.0
        self.history = self.history or deque([masked] * 10, maxlen=10)
        self.history.append(masked)
        self.last_action = actions
        self.tick += 1
        return obs, actions

    def _proprioception(self, inputs: PolicyInputs) -> np.ndarray:
        state, command = inputs.state, inputs.velocity_command
        roll, pitch, yaw = euler(state.base_quat_wxyz)
        contact = state.foot_force > 2.0
        forward = 0.0 if command is None else command.lin_vel_x
        if self.heading is None:
            self.heading = yaw
        elif command is not None:
            self.heading += 0.02 * command.ang_vel_z
        if self.tick % 5 == 0 and not self.sees:
            away = (self.heading - yaw + np.pi) % (2 * np.pi) - np.pi
            self.yaws = np.full(2, np.clip(away, -0.6, 0.6))
        frame = np.concatenate(
            [
                0.25 * state.base_ang_vel,
                [roll, pitch, 0.0, 0.0, 0.0, 0.0, 0.0, forward, 1.0, 0.0],
                state.joint_pos - DEFAULT,
                0.05 * state.joint_vel,
                self.last_action,
                (contact | self.last_contact) - 0.5,
            ]
        )
        self.last_contact = contact
        return frame.astype(np.float32)

    def _look(self, inputs: PolicyInputs, frame: np.ndarray) -> None:
        if not self.sees:
            scan = inputs.height_scan
            assert scan is not None
            heights = np.clip(scan.base - 0.3 - scan.ground, -1.0, 1.0)
            self.latent = self.reference.scan(heights.astype(np.float32))
            return
        image = seen(inputs.depth["depth"].depth)
        self.images = [*self.images, image][-2:] if self.images else [image, image]
        both = self.reference.see(self.images[-2], frame)  # 6 and 7 of the frame are still 0
        self.latent, self.yaws = both[:32], 1.5 * both[32:]


def seen(depth: np.ndarray) -> np.ndarray:
    """Return the network's image (58, 87) of a camera's (60, 106) [m]; 0 is no return, and counts as far."""
    metres = np.where(depth > 0.0, depth, 2.0)[:-2, 4:-4].clip(0.0, 2.0)
    tensor = torch.from_numpy(metres.astype(np.float64))[None, None]
    resized = torch.nn.functional.interpolate(tensor, (58, 87), mode="bicubic", align_corners=False)
    return (resized[0, 0].numpy() / 2.0 - 0.5).astype(np.float32)
