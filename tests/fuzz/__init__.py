"""Damaged and hostile inputs of every kind that a verb takes, held to one rule.

`python -m tests.fuzz --seconds 600` (or `make fuzz SECONDS=600`) tries as many as it can; the tests
try a few hundred with a fixed seed. What is found becomes a test of its own, in the room whose code
was at fault.
"""
