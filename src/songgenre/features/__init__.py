"""From a clip to numbers: descriptors and mel images."""

from songgenre.features.clip import describe, mel_image

__all__ = ["describe", "mel_image"]
