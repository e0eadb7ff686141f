"""What the chapters use: plots, looks inside the network, grids of experiments, the exercises."""
