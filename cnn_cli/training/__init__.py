"""Training, evaluation and benchmarks of networks. Nothing here writes to the terminal."""
