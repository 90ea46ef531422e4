"""What ``robot-policies doctor`` looks at: this machine, its network, ROS, the robot, the camera."""
