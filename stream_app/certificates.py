"""A certificate and its key, as a server would use them: whether they fit together, and until when."""

import ssl
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

MOST_STEPS = 10  # of a handshake with oneself


class CertificateError(ValueError):
    """A certificate that nobody could be served with; says which file, and why."""


def ends(cert: Path, key: Path) -> datetime:
    """When it runs out, UTC. Raises CertificateError; one that has run out already is one."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # whoever signed it: only itself is looked at
    try:
        server.load_cert_chain(cert, key)
        client.load_verify_locations(cert)
        told = _seen(server, client)
    except ssl.SSLCertVerificationError as error:
        raise CertificateError(f"{cert}: {error.verify_message}") from None
    except ssl.SSLError as error:
        reason = "is not the key of the certificate" if "MISMATCH" in str(error) else f"cannot be read ({error.reason})"
        raise CertificateError(f"{cert}, {key}: {reason}") from None
    except OSError as error:
        raise CertificateError(f"{error.filename or cert}: {error.strerror}") from None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(told), UTC)


def _seen(server: ssl.SSLContext, client: ssl.SSLContext) -> str:
    """Its last moment, as the other side of a handshake reads it. Raises ssl.SSLError."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours, theirs = server.wrap_bio(there, back, server_side=True), client.wrap_bio(back, there)
    for _ in range(MOST_STEPS):
        with suppress(ssl.SSLWantReadError):
            theirs.do_handshake()
            return str((theirs.getpeercert() or {})["notAfter"])
        with suppress(ssl.SSLWantReadError):
            ours.do_handshake()
    raise ssl.SSLError("no end of the handshake")
