"""Lists of passages: where they stand in a text, and how near each is to a question."""
