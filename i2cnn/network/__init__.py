"""The patch network: engine, profiles, training and fc7 features."""

#: The paper's AlexNet and solver, and a small network for CPUs.
PROFILES = ("paper", "quick")
