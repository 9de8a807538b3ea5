"""HTTP/2 (RFC 9113) as far as a client needs it that posts small bodies to one address, with one set of header fields.

`docs/http2.md` says for each section of the RFC where its rules are, or why there is no need for them.
"""

from __future__ import annotations

from dd_pa.network.http2.exchange import Answer, Answered, Failure
from dd_pa.network.http2.origin import Origin

__all__ = ["Answer", "Answered", "Failure", "Origin"]
