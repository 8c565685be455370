"""Drills: korad is killed, starved and lied to under load, and must not lose or invent a cent."""
