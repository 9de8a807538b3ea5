"""Who acted, in which browser session, and what happened: from the call of `track()` to encoded bytes."""
