"""Audio features of clips: descriptors and 8-bit log-mel spectrograms."""

from songgenre.features.clip import describe, mel_image

__all__ = ["describe", "mel_image"]
