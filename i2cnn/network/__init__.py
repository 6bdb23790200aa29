"""The patch network: engine, profiles, training and fc7 features."""
