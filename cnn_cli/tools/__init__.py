"""What is done with a checkpoint: predict, evaluate, draw. Each takes a checkpoint, never a config."""
