"""The fault campaign: every fault made to happen to the nodes that a user starts, and judged from outside."""
