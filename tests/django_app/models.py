from __future__ import annotations

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models


class Order(models.Model):
    total = models.DecimalField(max_digits=8, decimal_places=2)

    def __str__(self) -> str:
        return f"order of {self.total}"


class Mailbox(AbstractBaseUser):
    """A user whose key is an e-mail address; without a table."""

    email = models.EmailField(primary_key=True)

    USERNAME_FIELD = "email"

    class Meta:
        managed = False

    def __str__(self) -> str:
        return "a mailbox"
