"""The process in which the package runs: processor, native libraries and child processes."""
