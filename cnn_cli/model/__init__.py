"""Networks in torch: the layers, the builder that measures shapes, and the summary."""
