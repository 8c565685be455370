"""korad among its peers: the same job, the same load, the same core, in one run."""
