"""nginx in front of plain HTTP servers: https on loopback, by a throwaway authority."""

from __future__ import annotations

import datetime
import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.peers.running import Program, accepts, find_program, free_port, run


@dataclass(frozen=True)
class Authority:
    """The files of a certificate authority that lives as long as the test run."""

    ca: Path
    certificate: Path
    key: Path


def make_authority(folder: Path, host: str = "localhost") -> Authority:
    """Write ca.pem, and a certificate for a host (and 127.0.0.1) with its key."""
    now = datetime.datetime.now(datetime.UTC)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    leaf_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dramafeed test run")])

    def builder(subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()),
                critical=False,
            )
        )

    ca = (
        builder(ca_name, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    leaf = (
        builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]), leaf_key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName(host), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .sign(ca_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    files = Authority(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    files.ca.write_bytes(ca.public_bytes(pem))
    files.certificate.write_bytes(leaf.public_bytes(pem))
    files.key.write_bytes(
        leaf_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


class Nginx:
    """One nginx with one TLS port per plain server behind it; ports come as they are asked for."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self.folder = folder
        self.authority = authority
        self.binary = find_program("nginx")
        self.config = folder / "nginx.conf"
        self.sites: dict[int, int] = {}
        self.program: Program | None = None

    def __enter__(self) -> Nginx:
        return self

    def __exit__(self, *_: object) -> None:
        if self.program is not None:
            self.program.stop()

    def front(self, upstream: int) -> str:
        """Serve the plain server on port `upstream` as https; returns the https address."""
        port = free_port()
        self.sites[port] = upstream
        self._reload()
        assert self.program is not None
        self.program.wait_until(f"nginx listens on {port}", lambda: accepts(port))
        return f"https://localhost:{port}"

    def _reload(self) -> None:
        self.config.write_text(self._text(), "utf-8")
        run([self.binary, "-t", "-q", "-c", str(self.config), "-p", str(self.folder)])
        if self.program is None:
            self.program = Program(
                [self.binary, "-c", str(self.config), "-p", str(self.folder)],
                log=self.folder / "nginx.log",
            )
        else:
            run([self.binary, "-s", "reload", "-c", str(self.config), "-p", str(self.folder)])

    def _text(self) -> str:
        servers = "\n".join(self._server(port, upstream) for port, upstream in self.sites.items())
        # As root the workers stay root: the folder belongs to the test run and to nobody else.
        user = "user root;" if os.geteuid() == 0 else ""
        return f"""
{user}
daemon off;
worker_processes 1;
pid "{self.folder}/nginx.pid";
error_log stderr warn;
events {{ worker_connections 256; }}
http {{
    access_log "{self.folder}/access.log";
    client_body_temp_path "{self.folder}/body";
    proxy_temp_path "{self.folder}/proxy";
    fastcgi_temp_path "{self.folder}/fastcgi";
    uwsgi_temp_path "{self.folder}/uwsgi";
    scgi_temp_path "{self.folder}/scgi";
    ssl_certificate "{self.authority.certificate}";
    ssl_certificate_key "{self.authority.key}";
    ssl_protocols TLSv1.2 TLSv1.3;
{servers}
}}
"""

    @staticmethod
    def _server(port: int, upstream: int) -> str:
        return f"""    server {{
        listen 127.0.0.1:{port} ssl;
        server_name localhost;
        location / {{
            proxy_pass http://127.0.0.1:{upstream};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Host $http_host;
            proxy_set_header X-Forwarded-Proto https;
        }}
    }}
"""
