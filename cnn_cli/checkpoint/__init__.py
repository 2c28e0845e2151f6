"""The checkpoint: the file by which training passes a network to reading. It needs NumPy, but not torch."""
