"""Notebooks as stages: executed, normalised."""
