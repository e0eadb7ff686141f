"""Faster and smaller ways to compute, never different ones; for the package alone."""
