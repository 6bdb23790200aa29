"""Solvers: update rules, the training loop, exact resuming."""
