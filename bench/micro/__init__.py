"""Microbenchmarks per room of korad, and the comparison of two commits by them."""
