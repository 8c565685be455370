"""The TLS context of a connection to Redis."""

from __future__ import annotations

import ssl

from korad.adapters.redis_url import RedisTls

_VERIFY = {
    "required": ssl.CERT_REQUIRED,
    "optional": ssl.CERT_OPTIONAL,
    "none": ssl.CERT_NONE,
}


def tls_context(tls: RedisTls) -> ssl.SSLContext:
    """Return the context that `tls` asks for.

    Raises ValueError, with the file's name, for a certificate or key that cannot be read.
    """
    try:
        context = ssl.create_default_context(cafile=tls.ca_certs)
        context.check_hostname = tls.check_hostname
        context.verify_mode = _VERIFY[tls.cert_reqs]
        if tls.certfile is not None:
            context.load_cert_chain(tls.certfile, tls.keyfile)
    except OSError as error:  # ssl.SSLError is one
        files = ", ".join(f for f in (tls.ca_certs, tls.certfile, tls.keyfile) if f)
        raise ValueError(f"cannot use the TLS files of the Redis URL ({files}): {error}") from error
    return context
