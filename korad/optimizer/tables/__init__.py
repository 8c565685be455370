"""JSON documents as tables: objects of one shape as a list of keys and rows of values."""
