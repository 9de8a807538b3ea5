"""The catalogue. `product` fires an event with the decorator, `search` (an async view) with `atrack`."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe
from django.views.generic import ListView

from dd_pa_django import atrack, tracked
from example_project.django_shop.catalogue.events import ProductSearched, ProductViewed, Search, SeenProduct
from example_project.django_shop.catalogue.models import Category, Product


class ProductList(ListView):
    template_name = "catalogue/list.html"

    def get_queryset(self) -> QuerySet[Product]:
        wanted = self.request.GET.get("category")
        products = Product.objects.all()
        return products.filter(category=wanted) if wanted in Category.values else products

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            categories=Category.choices, category=self.request.GET.get("category"), **kwargs
        )


def seen_product(request: HttpRequest, response: TemplateResponse) -> ProductViewed:
    shown = (response.context_data or {})["product"]
    return ProductViewed(
        product=SeenProduct(slug=shown.slug, price=shown.price, category=shown.category, in_stock=shown.stock > 0)
    )


@require_safe
@tracked(ProductViewed, attributes=seen_product)
def product(request: HttpRequest, slug: str) -> TemplateResponse:
    found = get_object_or_404(Product, slug=slug)
    similar = Product.objects.filter(category=found.category).exclude(pk=found.pk)[:4]
    return TemplateResponse(request, "catalogue/product.html", {"product": found, "similar": similar})


@require_safe
async def search(request: HttpRequest) -> HttpResponse:
    term = " ".join(request.GET.get("q", "").split())[:60]
    found = [item async for item in matching(term)] if term else []
    if term:
        await atrack(ProductSearched(search=Search(term=term.lower(), results=len(found))))
    page = {"term": term, "object_list": found}
    # Templates read the session and the user, which is I/O.
    return await sync_to_async(render)(request, "catalogue/search.html", page)


def matching(term: str) -> QuerySet[Product]:
    return Product.objects.filter(Q(name__icontains=term) | Q(summary__icontains=term) | Q(category__icontains=term))
