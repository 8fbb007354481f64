"""Song Genre Classification: what the notebooks call."""
