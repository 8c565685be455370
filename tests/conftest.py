"""Properties are judged by what they say, not by how long the machine took to try them."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("korad", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("korad")
