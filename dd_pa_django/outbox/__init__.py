"""The outbox in Django's databases. Imported only where `DD_PA["OUTBOX"]` is on, or its commands are used."""
