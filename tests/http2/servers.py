"""Servers that speak HTTP/2 over TLS, set up as their documentation says; proxies stand before an intake."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.waiting import wait_until

ROOT = os.geteuid() == 0
MOST_REQUESTS = 50
"""After so many a server that has a habit of it ends a connection."""


class NotHereError(Exception):
    """The server is not installed."""


@dataclass(slots=True, kw_only=True)
class Place:
    """Where one server runs."""

    folder: Path
    port: int
    intake: str
    """Host and port of what a proxy stands before."""
    chain: str
    key: str
    both: str
    """Key and chain in one file."""

    def write(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)


@dataclass(slots=True, kw_only=True)
class Kind:
    """One server."""

    program: str
    arguments: Callable[[Place], list[str]]
    ends: bool = True
    """It can be told to end connections after some requests."""
    is_proxy: bool = False
    renewed_by: signal.Signals | None = None
    """What makes it replace its workers."""
    drops: bool = False
    """Its old workers may drop requests that they have begun."""


def nginx(place: Place) -> list[str]:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    folders = "".join(f"{kind}_temp_path {place.folder}/{kind};" for kind in kinds)
    text = f"""
        {"user root;" if ROOT else ""} daemon off; worker_processes 1; pid {place.folder}/pid; error_log stderr crit;
        events {{}}
        http {{
            access_log off; client_max_body_size 8m; {folders}
            server {{
                listen 127.0.0.1:{place.port} ssl http2; keepalive_requests {MOST_REQUESTS};
                ssl_certificate {place.chain}; ssl_certificate_key {place.key};
                location / {{ proxy_pass http://{place.intake}; }}
            }}
        }}"""
    return ["-c", place.write("nginx.conf", text)]


def apache(place: Place) -> list[str]:
    modules = "mpm_event", "authz_core", "proxy", "proxy_http", "socache_shmcb", "ssl", "http2"
    loads = "\n".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in modules)
    text = f"""
        ServerRoot {place.folder}
        {loads}
        {
        '''User www-data
        Group www-data'''
        if ROOT
        else ""
    }
        ServerName localhost
        Listen 127.0.0.1:{place.port}
        PidFile {place.folder}/pid
        DefaultRuntimeDir {place.folder}
        Mutex file:{place.folder} default
        ErrorLog {place.folder}/errors
        LogLevel crit
        StartServers 1
        Protocols h2
        SSLEngine on
        SSLCertificateFile {place.chain}
        SSLCertificateKeyFile {place.key}
        DocumentRoot {place.folder}
        ProxyPass / http://{place.intake}/
    """
    return ["-D", "FOREGROUND", "-f", place.write("apache.conf", text)]


def haproxy(place: Place) -> list[str]:
    text = f"""
    defaults
        mode http
        timeout client 60s
        timeout server 60s
        timeout connect 5s
    frontend intake
        bind 127.0.0.1:{place.port} ssl crt {place.both} alpn h2
        default_backend intake
    backend intake
        server intake {place.intake}
    """
    return ["-q", "-db", "-f", place.write("haproxy.cfg", text + "\n")]


def caddy(place: Place) -> list[str]:
    text = f"""{{
        admin off
        auto_https off
        storage file_system {place.folder}
    }}
    https://localhost:{place.port} {{
        tls {place.chain} {place.key}
        reverse_proxy {place.intake}
    }}
    """
    return ["run", "--adapter", "caddyfile", "--config", place.write("Caddyfile", text)]


def node(place: Place) -> list[str]:
    text = f"""
    const http2 = require("http2"), fs = require("fs")
    const files = {{ key: fs.readFileSync("{place.key}"), cert: fs.readFileSync("{place.chain}") }}
    const server = http2.createSecureServer({{ ...files, settings: {{ headerTableSize: 0 }} }})
    server.on("session", session => {{
        let seen = 0
        session.on("stream", stream => {{
            if (++seen == {MOST_REQUESTS}) session.close()
            stream.resume()
            stream.on("error", () => {{}})
            stream.on("end", () => {{
                stream.respond({{ ":status": 202, "content-type": "application/json" }})
                stream.end("{{}}")
            }})
        }})
    }})
    server.on("sessionError", () => {{}})
    server.listen({place.port}, "127.0.0.1")
    """
    return [place.write("server.js", text)]


def nghttpd(place: Place) -> list[str]:
    place.write("index.html", "{}")
    files = ["--header-table-size=1000", str(place.port), place.key, place.chain]
    return ["--address=127.0.0.1", f"--htdocs={place.folder}", "--echo-upload", *files]


def nghttpx(place: Place) -> list[str]:
    front, back = f"127.0.0.1,{place.port}", place.intake.replace(":", ",")
    quiet = ["--accesslog-file=/dev/null", "--errorlog-file=/dev/null", "--conf=/dev/null", "--workers=1"]
    return [f"--frontend={front}", f"--backend={back}", *quiet, place.key, place.chain]


def hypercorn(place: Place) -> list[str]:
    text = """
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 202, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": b"{}"})
"""
    place.write("echo.py", text)
    files = ["--certfile", place.chain, "--keyfile", place.key, "--log-level", "critical"]
    start = "import sys; sys.path.insert(0, sys.argv.pop(1)); from hypercorn.__main__ import main; sys.exit(main())"
    return ["-c", start, str(place.folder), *files, "--bind", f"127.0.0.1:{place.port}", "echo:app"]


KINDS = {
    "nginx": Kind(program="nginx", arguments=nginx, is_proxy=True, renewed_by=signal.SIGHUP),
    "Apache": Kind(
        program="apache2", arguments=apache, is_proxy=True, ends=False, renewed_by=signal.SIGUSR1, drops=True
    ),
    "HAProxy": Kind(program="haproxy", arguments=haproxy, is_proxy=True, ends=False),
    "Caddy": Kind(program="caddy", arguments=caddy, is_proxy=True, ends=False),
    "nghttpx": Kind(program="nghttpx", arguments=nghttpx, is_proxy=True, ends=False),
    "nghttpd": Kind(program="nghttpd", arguments=nghttpd, ends=False),
    "Node": Kind(program="node", arguments=node),
    "hypercorn": Kind(program=sys.executable, arguments=hypercorn, ends=False),
}


@dataclass(slots=True, kw_only=True)
class Server:
    """A running one."""

    port: int
    tls: ssl.SSLContext
    """Trusts it, and offers HTTP/2."""
    process: subprocess.Popen[bytes]


@contextlib.contextmanager
def running(kind: Kind, folder: Path, intake: str, authority: trustme.CA | None = None) -> Iterator[Server]:
    """Run a server for the time of the block. Raises NotHereError."""
    program = _found(kind.program)
    authority = authority or trustme.CA()
    tls = ssl.create_default_context()
    authority.configure_trust(tls)
    tls.set_alpn_protocols(["h2"])
    certificate = authority.issue_cert("localhost")
    names = [str(folder / name) for name in ("chain.pem", "key.pem", "both.pem")]
    for number, pem in enumerate(certificate.cert_chain_pems):
        pem.write_to_path(names[0], append=number > 0)
    certificate.private_key_pem.write_to_path(names[1])
    certificate.private_key_and_cert_chain_pem.write_to_path(names[2])
    place = Place(folder=folder, port=_free_port(), intake=intake, chain=names[0], key=names[1], both=names[2])
    with _started([program, *kind.arguments(place)], place.port, folder) as process:
        yield Server(port=place.port, tls=tls, process=process)


def _found(program: str) -> str:
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise NotHereError(f"{program} is not installed")
    return found


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def _listens(port: int) -> bool:
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), 5):
        return True
    return False


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a server with its workers, which would go on without it."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextlib.contextmanager
def _started(command: list[str], port: int, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    environ = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (folder / "said").open("ab") as said:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environ, cwd=folder, process_group=0
        )
    try:
        wait_until(lambda: process.poll() is not None or _listens(port))
        if process.poll() is not None:
            raise RuntimeError(f"{command} ended with {process.returncode}: {(folder / 'said').read_text()}")
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            kill(process)
