"""`cnn look`: one HTML file that computes a checkpoint's network, and shows every number of it."""
