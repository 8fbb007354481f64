"""Prediction of a whole library of music: the command ``songgenre tag``."""
