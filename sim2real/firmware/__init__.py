"""Peers that speak a robot's own protocol: the other end of a driver's wire, without any code of the driver."""
