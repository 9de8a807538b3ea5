"""Events on a broker that the application runs anyway: a publisher in place of the intake, and a queue to deliver from.

The spool comes first: an event is settled there when the broker has confirmed it. Nothing here is imported where no
`RELAY_URL` is set and nothing is delivered from one.
"""
