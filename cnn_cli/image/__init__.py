"""From any picture file to the 28x28 that the network sees: read, find_ink, fit. `prepare` does it all."""
