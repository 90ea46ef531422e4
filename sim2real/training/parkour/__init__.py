"""Parkour with a depth camera: the teacher that knows the ground, and the student that sees it."""
