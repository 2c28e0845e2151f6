"""Images of one's own: a folder with one folder a class, decoded once into a file that is mapped."""
