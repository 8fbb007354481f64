"""Execution of notebooks as stages of the pipeline."""
