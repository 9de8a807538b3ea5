"""What can be seen of the events from outside: signals, logs, metrics, a debug panel."""
