"""From an image file to the network's input. `preprocess.preprocess` runs every step. No torch, no scipy."""
