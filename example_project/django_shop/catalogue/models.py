from __future__ import annotations

from django.core.validators import MinValueValidator
from django.db import models
from django.urls import reverse

from dd_pa_django import TrackedQuerySet, track_model
from example_project.django_shop.catalogue.events import ProductSoldOut


class Category(models.TextChoices):
    FURNITURE = "furniture", "Furniture"
    LIGHTING = "lighting", "Lighting"
    DESK = "desk", "On the desk"
    PAPER = "paper", "Paper and boards"
    KITCHEN = "kitchen", "Kitchen"
    GREENERY = "greenery", "Greenery"


@track_model(updated={"stock": {0: ProductSoldOut}})
class Product(models.Model):
    """Something on sale, with what is left of it."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=80)
    category = models.CharField(max_length=20, choices=Category)
    summary = models.CharField(max_length=120)
    description = models.TextField()
    price = models.DecimalField(max_digits=8, decimal_places=2, validators=[MinValueValidator(0)])
    stock = models.PositiveIntegerField(default=0)
    art = models.SlugField(help_text="Name of a drawing in templates/art.")
    tint = models.SlugField(help_text="Background of the drawing: sand, mint, sky, rose, lilac or stone.")

    objects = TrackedQuerySet.as_manager()  # stock is taken by update(), and must not go unseen

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("product", args=[self.slug])

    @property
    def drawing(self) -> str:
        return f"art/{self.art}.svg"
