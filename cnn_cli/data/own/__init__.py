"""Your own data: labeled images in any of several forms, decoded once into a file that is mapped."""
