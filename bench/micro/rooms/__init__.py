"""One file per room; each benchmark is a context that gives a `Work` on a case of the tests."""
