"""Deterministic computation in TensorFlow."""

from __future__ import annotations

from songgenre.runtime.native_stderr import suppress_native_stderr

with suppress_native_stderr():
    import keras
    import tensorflow as tf


def make_deterministic(seed: int, intra_op_threads: int) -> None:
    """Make TensorFlow compute the same bits in each run, by fixed seeds and numbers of threads.

    Call it once, before TensorFlow computes anything.

    Parameters
    ----------
    seed : int
        Seed of Python, NumPy and TensorFlow.
    intra_op_threads : int
        Number of threads within an operation.
    """
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.threading.set_intra_op_parallelism_threads(intra_op_threads)
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)
    tf.get_logger().setLevel("ERROR")  # its warnings of retracing depend on earlier computations
