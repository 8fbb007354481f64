"""Use a trained model: the genre of any song, window by window."""
