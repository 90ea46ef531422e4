"""Courses and score cards: a bundle on a simulated robot, without ROS, through the same two halves."""
