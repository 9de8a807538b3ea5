"""The outbox on real databases, with Django and with SQLAlchemy."""
