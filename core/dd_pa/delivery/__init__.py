"""How events reach the intake: one thread, many requests in flight, and an answer to each failure."""
