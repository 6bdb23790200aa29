"""A trained pipeline as one folder that names expressions."""
