"""Images of results: learning curves, confusion matrices, contact sheets, annotated images."""
