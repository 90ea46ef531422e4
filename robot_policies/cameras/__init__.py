"""Depth cameras of real robots, and the interface that they share."""
