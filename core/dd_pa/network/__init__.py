"""One event on its way to the intake: HTTP/2 of our own, or httpx; and what the answers mean."""
