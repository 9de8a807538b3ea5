"""Certificates of our own, and an intake that has one, over HTTP/2."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Self

import trustme


class Certificates:
    """An authority that nobody but us trusts, and a server certificate of its making."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.ca_file = str(folder / "ca.pem")
        self.chain_file = str(folder / "chain.pem")
        self.key_file = str(folder / "key.pem")
        authority.cert_pem.write_to_path(self.ca_file)
        self._server = authority.issue_cert("localhost")
        for number, blob in enumerate(self._server.cert_chain_pems):
            blob.write_to_path(self.chain_file, append=number > 0)
        self._server.private_key_pem.write_to_path(self.key_file)

    def context(self) -> ssl.SSLContext:
        """Return a server context that speaks HTTP/1.1 only."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._server.configure_cert(context)
        return context


class H2Intake:
    """An intake on hypercorn, in a process of its own that is killed at the end of the block."""

    def __init__(self, certificates: Certificates, **options: object) -> None:
        script = Path(__file__).with_name("h2_intake.py")
        command = [sys.executable, str(script), certificates.chain_file, certificates.key_file, json.dumps(options)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self._process.stdout is not None
        self._lines = self._process.stdout
        self.port = json.loads(self._lines.readline())["port"]
        self.url = f"https://localhost:{self.port}"
        self.events: list[dict[str, Any]] = []
        self.versions: set[str] = set()
        self.clients: set[tuple[str, int]] = set()
        self.hanging = threading.Semaphore(0)
        self._reader = threading.Thread(target=self._read)

    def _read(self) -> None:
        for line in self._lines:
            post = json.loads(line)
            self.versions.add(post["version"])
            self.clients.add(tuple(post["client"]))
            if post["event"]["event"]["name"] == "hang":
                self.hanging.release()
            else:
                self.events.append(post["event"])

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        self._lines.close()
