"""Clean a catalogue: validate audio, find duplicates, split by artist."""
