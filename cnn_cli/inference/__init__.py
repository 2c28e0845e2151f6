"""Networks in NumPy, forward only: what every layer computes, and how a network answers without torch.

`convolution`, `pooling`, `normalization` and `activations` define the layers: one short function each.
`build` makes a network of them from a config's layers and a checkpoint's weights. `fold` and `fast` rewrite
that network so that it computes the same in less time.
"""
