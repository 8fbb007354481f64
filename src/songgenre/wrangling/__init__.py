"""From what a source offered to songs that can be used."""
