"""Classifiers, and their storage."""
