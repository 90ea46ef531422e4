"""``metadata.yaml`` of a ROS 2 bag, version 5 of its form, which Humble and later read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

VERSION = 5  # of rosbag2's metadata: that of Humble; later ones read it too
_FOREVER = {"sec": 9223372036, "nsec": 854775807}  # RMW_DURATION_INFINITE


def offered(reliable: bool, latched: bool) -> str:
    """Return the QoS of a topic's publishers as rosbag2 keeps it: numbers of rmw/types.h, in YAML."""
    profile = {
        "history": 1,
        "depth": 1,
        "reliability": 1 if reliable else 2,
        "durability": 1 if latched else 2,
        "deadline": _FOREVER,
        "lifespan": _FOREVER,
        "liveliness": 1,
        "liveliness_lease_duration": _FOREVER,
        "avoid_ros_namespace_conventions": False,
    }
    return str(yaml.safe_dump([profile], sort_keys=False)).strip()


def metadata(file: str, first_ns: int, last_ns: int, topics: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the text of metadata.yaml.

    Args:
        file: name of the only file.
        first_ns: when the recording began, wall time [ns].
        last_ns: when the last message came, wall time [ns].
        topics: name -> ``type``, ``qos`` (of ``offered``) and ``count``.
    """
    total = sum(int(topic["count"]) for topic in topics.values())
    start, duration = {"nanoseconds_since_epoch": first_ns}, {"nanoseconds": max(last_ns - first_ns, 0)}
    information = {
        "version": VERSION,
        "storage_identifier": "mcap",
        "relative_file_paths": [file],
        "duration": duration,
        "starting_time": start,
        "message_count": total,
        "topics_with_message_count": [
            {
                "topic_metadata": {
                    "name": name,
                    "type": topic["type"],
                    "serialization_format": "cdr",
                    "offered_qos_profiles": topic["qos"],
                },
                "message_count": topic["count"],
            }
            for name, topic in topics.items()
        ],
        "compression_format": "",
        "compression_mode": "",
        "files": [{"path": file, "starting_time": start, "duration": duration, "message_count": total}],
    }
    return str(yaml.safe_dump({"rosbag2_bagfile_information": information}, sort_keys=False))
