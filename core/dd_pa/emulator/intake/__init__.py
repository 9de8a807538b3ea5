"""The emulator's intake: reads, judges and answers one event as Datadog does."""
