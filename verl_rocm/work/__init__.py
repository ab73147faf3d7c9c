"""Bytes and operations of a forward pass, from the model's shape; the layer knows no seconds and no schedule."""
