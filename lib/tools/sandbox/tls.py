"""https for clients that insist on it: a certificate for localhost, by an authority that is made for this run alone."""

import ssl
from pathlib import Path

import trustme

AUTHORITY = "sandbox-ca.pem"
# What Python's requests and Node.js read it from.
VARIABLES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")


def make_tls(folder: Path) -> tuple[ssl.SSLContext, dict[str, str]]:
    """The server's context, and the variables by which a client trusts it; they name the authority's certificate, which
    is put into `folder`. Raises OSError."""
    authority = trustme.CA()
    folder.mkdir(parents=True, exist_ok=True)
    place = (folder / AUTHORITY).resolve()
    authority.cert_pem.write_to_path(str(place))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context, dict.fromkeys(VARIABLES, str(place))
