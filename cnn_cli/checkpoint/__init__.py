"""The checkpoint: the one file that passes from learning to reading. Read and written with NumPy, without torch."""
