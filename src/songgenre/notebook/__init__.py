"""Notebooks as stages: executed, normalised, shown."""
