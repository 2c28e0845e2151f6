"""Data sets as uint8 tensors: where they come from, how they are verified, split and shown."""
