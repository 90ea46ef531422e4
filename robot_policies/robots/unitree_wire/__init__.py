"""What the driver of Unitree's DDS robots is made of: bytes, transport, control of the robot, and its clock."""
