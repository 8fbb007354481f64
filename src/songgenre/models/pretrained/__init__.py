"""The bundled model: its weights, how they are loaded and how they are trained."""
