"""Sources of music: one module per source."""
