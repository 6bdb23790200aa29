"""The patch network: engine, profiles, training and features."""

#: The paper's AlexNet and solver; a small network for CPUs; one that learns more than the paper's.
PROFILES = ("paper", "quick", "better")
