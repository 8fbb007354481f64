"""Time, memory and disk of a build, from the size of the corpus and from rates that are measured on this machine."""
