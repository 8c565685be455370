"""A profile of korad's request path: which functions, how often, how many bytecodes, how long."""
