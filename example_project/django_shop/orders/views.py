"""Cart, checkout and orders."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db.models import Count, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views import View
from django.views.decorators.http import require_POST, require_safe
from django.views.generic import DetailView, ListView

from dd_pa_django import track
from example_project.django_shop.catalogue.models import Product
from example_project.django_shop.customers.models import Company
from example_project.django_shop.orders.cart import Cart
from example_project.django_shop.orders.events import (
    AddedProduct,
    CartItemAdded,
    CheckoutFailed,
    CheckoutStarted,
    FailedPayment,
    Failure,
    MissingProduct,
    PaymentFailed,
)
from example_project.django_shop.orders.forms import CardForm, QuantityForm
from example_project.django_shop.orders.models import Order
from example_project.django_shop.orders.placing import OutOfStockError, place_order
from example_project.payment import PaymentDeclinedError


@require_safe
def show_cart(request: HttpRequest) -> HttpResponse:
    return render(request, "orders/cart.html", {"cart": Cart(request)})


@require_POST
def add_to_cart(request: HttpRequest, slug: str) -> HttpResponse:
    product, cart, form = get_object_or_404(Product, slug=slug), Cart(request), QuantityForm(request.POST)
    more = form.cleaned_data["quantity"] if form.is_valid() else 1
    wanted = cart.quantity_of(product) + more
    if wanted > product.stock:
        messages.error(request, f"Only {product.stock} of “{product.name}” left.")
        return redirect(product)
    cart.put(product, wanted)
    added = AddedProduct(slug=product.slug, price=product.price, quantity=more)
    track(CartItemAdded(product=added, cart=cart.for_analytics()))
    messages.success(request, f"“{product.name}” is in your cart.")
    return redirect("cart")


@require_POST
def change_cart(request: HttpRequest, slug: str) -> HttpResponse:
    product, form = get_object_or_404(Product, slug=slug), QuantityForm(request.POST)
    cart = Cart(request)
    if form.is_valid() and cart.quantity_of(product):
        cart.put(product, min(form.cleaned_data["quantity"], product.stock))
    return redirect("cart")


class CheckOut(LoginRequiredMixin, View):
    """The card form, and what becomes of it."""

    def get(self, request: HttpRequest) -> HttpResponse:
        cart = Cart(request)
        if not len(cart):
            return redirect("cart")
        if not Company.objects.filter(memberships__user=request.user).exists():
            messages.error(request, "Your user belongs to no company yet: an administrator can add it to one.")
            return redirect("cart")
        track(CheckoutStarted(cart=cart.for_analytics()))
        return self.page(request, CardForm(), cart)

    def post(self, request: HttpRequest) -> HttpResponse:
        form, cart = CardForm(request.POST), Cart(request)
        if not (len(cart) and Company.objects.filter(memberships__user=request.user).exists()):
            return redirect("cart")
        if not form.is_valid():
            return self.page(request, form, cart, status=422)
        try:
            order = place_order(request.user, cart, form.cleaned_data["number"])
        except PaymentDeclinedError as error:
            return self.declined(request, cart, error.reason)
        except OutOfStockError as error:
            return self.sold_out(request, cart, error.product)
        cart.clear()
        messages.success(request, "Thank you! Your order is paid and on its way to the packing table.")
        return redirect(order)

    def declined(self, request: HttpRequest, cart: Cart, reason: str) -> HttpResponse:
        track(PaymentFailed(payment=FailedPayment(reason=reason), cart=cart.for_analytics()))
        return self.page(request, CardForm(), cart, status=402, declined=reason)

    def sold_out(self, request: HttpRequest, cart: Cart, product: Product) -> HttpResponse:
        track(CheckoutFailed(checkout=Failure(reason="out_of_stock"), product=MissingProduct(slug=product.slug)))
        cart.put(product, 0)
        return render(request, "orders/sold_out.html", {"product": product, "cart": cart}, status=409)

    def page(self, request: HttpRequest, form: CardForm, cart: Cart, *, status: int = 200, **more: Any) -> HttpResponse:
        return render(request, "orders/checkout.html", {"form": form, "cart": cart, **more}, status=status)


class CompanyOrders(LoginRequiredMixin):
    """Show nobody the orders of another company."""

    request: HttpRequest

    def get_queryset(self) -> QuerySet[Order]:
        return Order.objects.filter(company__memberships__user=self.request.user)


class OrderList(CompanyOrders, ListView):
    template_name = "orders/list.html"

    def get_queryset(self) -> QuerySet[Order]:
        return super().get_queryset().annotate(items=Sum("lines__quantity"), kinds=Count("lines"))


class OrderPage(CompanyOrders, DetailView):
    template_name = "orders/order.html"

    def get_object(self, queryset: QuerySet[Order] | None = None) -> Order:
        orders = self.get_queryset().prefetch_related("lines__product")
        return get_object_or_404(orders, pk=self.kwargs["number"] - 1000)
