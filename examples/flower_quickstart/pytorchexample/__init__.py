"""A Flower app that trains with PyTorch."""
