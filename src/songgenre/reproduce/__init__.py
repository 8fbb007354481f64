"""Rebuild the committed pipeline and compare."""
