"""The shops whose requests are timed, and who asks them."""
