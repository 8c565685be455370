"""The provider's prompt cache: where to mark a prompt, and when it pays."""
