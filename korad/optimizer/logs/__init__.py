"""Logs by their lines: which formats wrote them, how they are spaced, which lines stand out."""
