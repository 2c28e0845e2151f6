"""Training, evaluation and checkpoints. Knows nothing of the terminal."""
