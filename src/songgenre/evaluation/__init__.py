"""Metrics of predictions and comparisons of models."""
