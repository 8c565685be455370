"""What TLS to a provider costs korad, and how many of its handshakes are resumed."""
