"""How the process begins, forks and ends, and whether it runs tests."""
