from __future__ import annotations

from django.conf import settings
from django.db import models


class Company(models.Model):
    """Whose customer a user is: the account in Product Analytics."""

    name = models.CharField(max_length=80)
    handle = models.SlugField(unique=True, help_text="Never changes; this is account.id in Datadog.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "companies"

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A user acts for one company."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="memberships")

    def __str__(self) -> str:
        return f"{self.user_id} in {self.company_id}"
