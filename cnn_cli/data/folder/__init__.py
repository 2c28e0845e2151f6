"""Your own images: a folder with one subfolder per class, decoded once into a file that is mapped."""
