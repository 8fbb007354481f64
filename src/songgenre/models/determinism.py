"""TensorFlow that computes the same bits each time."""

from __future__ import annotations

from songgenre.native_stderr import suppress_native_stderr

with suppress_native_stderr():
    import keras
    import tensorflow as tf


def make_deterministic(seed: int, intra_op_threads: int) -> None:
    """Let TensorFlow compute the same bits each time: fixed seeds and numbers of threads.

    To be called once, before TensorFlow computes anything.
    """
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.threading.set_intra_op_parallelism_threads(intra_op_threads)
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)
    tf.get_logger().setLevel("ERROR")  # whether it warns of retracing depends on what ran before
