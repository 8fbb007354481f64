"""From a clip to numbers: descriptors and mel images."""

from songgenre.features.clip import describe, describe_and_mel, mel_image

__all__ = ["describe", "describe_and_mel", "mel_image"]
