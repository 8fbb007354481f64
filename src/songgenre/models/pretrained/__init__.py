"""The bundled model: weights, loading and training."""
