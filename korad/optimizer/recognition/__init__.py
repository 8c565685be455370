"""What a text is, what a question cares for, which lines speak of errors; cautious and quick."""
