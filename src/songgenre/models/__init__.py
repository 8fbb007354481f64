"""The classifiers and how they are stored."""
