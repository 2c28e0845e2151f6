"""Networks: the layers, the builder that measures shapes, and the summary. Knows nothing of data or files."""
