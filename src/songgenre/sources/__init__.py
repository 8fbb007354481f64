"""Where the music comes from: one module per source."""
