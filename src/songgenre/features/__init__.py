"""From a clip to numbers: descriptors and mel images."""
