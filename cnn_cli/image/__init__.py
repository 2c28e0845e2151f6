"""From any image file to the pixels that a network reads. `preprocess.preprocess` does it all."""
