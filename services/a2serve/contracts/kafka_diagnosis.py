"""Explains why a broker refuses us, in words that name the setting: kafka-python only says that it could not bootstrap.

Asks one broker what it wants: over TLS or not, and by SaslHandshake, which a broker that asks for SASL answers with the mechanisms
it takes, and one that does not with an error of its own. Nothing secret is sent.
"""

import socket
import ssl
import struct

from a2serve.contracts.kafka_access import KafkaAccess

PATIENCE_S = 3.0
SASL_HANDSHAKE, VERSION, CORRELATION = 17, 1, 1
NO_ERROR, UNKNOWN_MECHANISM, NOT_A_SASL_LISTENER = 0, 33, 34
HEADER = struct.Struct(">hhih")


def explain(access: KafkaAccess) -> str:
    """Describes in one sentence the first broker of the list that can be reached."""
    found = [_explain(access, server.strip()) for server in access.kafka_servers.split(",")]
    return next((line for line in found if "nobody listens" not in line), found[0])


def _explain(access: KafkaAccess, server: str) -> str:
    host, _, port = server.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as raw:
            if not access.kafka_tls:
                return f"{server} {_sasl_state(access, raw)}"
            with access.tls_context().wrap_socket(raw, server_hostname=host) as secure:
                return f"{server} {_sasl_state(access, secure)}"
    except ssl.SSLCertVerificationError as error:
        return f"{server} shows a certificate that is not trusted (kafka_ca_file): {error.verify_message}"
    except ssl.SSLError as error:
        return f"{server} does not speak TLS with us (kafka_tls): {error.reason}"
    except (OSError, ValueError) as error:
        return f"nobody listens at {server}: {error}"


def _sasl_state(access: KafkaAccess, connection: socket.socket) -> str:
    try:
        code, offered = _handshake(connection, access.kafka_mechanism or "none")
    except ssl.SSLError as error:
        return f"wants a certificate of ours, or another one (kafka_cert_file, kafka_key_file): {error.reason}"
    except (OSError, struct.error, UnicodeDecodeError, IndexError):
        tls = "kafka_cert_file, kafka_key_file" if access.kafka_tls else "kafka_tls"
        return f"hangs up: it may want {'a certificate of ours' if access.kafka_tls else 'TLS'} ({tls})"
    takes = f"(SASL: {', '.join(offered)})"
    if code == NOT_A_SASL_LISTENER and access.kafka_mechanism:
        return "does not ask who we are (SASL): leave kafka_mechanism empty"
    if code == UNKNOWN_MECHANISM and not access.kafka_mechanism:
        return f"asks who we are {takes}: set kafka_mechanism, kafka_username and kafka_password"
    if code == UNKNOWN_MECHANISM:
        return f"takes other mechanisms {takes}: kafka_mechanism is {access.kafka_mechanism}"
    if code == NO_ERROR:
        return "does not let us in: kafka_username or kafka_password is wrong, as it seems"
    return "answers; it may be another broker of its cluster that does not (advertised.listeners)"


def _handshake(connection: socket.socket, mechanism: str) -> tuple[int, list[str]]:
    name = mechanism.encode()
    request = HEADER.pack(SASL_HANDSHAKE, VERSION, CORRELATION, -1) + struct.pack(">h", len(name)) + name
    connection.settimeout(PATIENCE_S)
    connection.sendall(struct.pack(">i", len(request)) + request)
    size, correlation, code, count = struct.unpack(">iihi", _read(connection, 14))
    if correlation != CORRELATION or not 10 <= size <= 10_000:
        raise struct.error("not Kafka's protocol")
    rest, offered = _read(connection, size - 10), list[str]()
    for _ in range(count):
        (length,) = struct.unpack(">h", rest[:2])
        offered.append(rest[2 : 2 + length].decode())
        rest = rest[2 + length :]
    return code, offered


def _read(connection: socket.socket, count: int) -> bytes:
    read = b""
    while len(read) < count:
        more = connection.recv(count - len(read))
        if not more:
            raise ConnectionError("it hung up")
        read += more
    return read
