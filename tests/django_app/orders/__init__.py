"""An app whose models have events, and their tests."""
