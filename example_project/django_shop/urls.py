from __future__ import annotations

from django.contrib import admin
from django.urls import path

from example_project.django_shop.catalogue.views import ProductList, product, search
from example_project.django_shop.customers.views import SignIn, sign_out, sign_up
from example_project.django_shop.orders import views as orders

urlpatterns = [
    path("", ProductList.as_view(), name="catalogue"),
    path("products/<slug:slug>/", product, name="product"),
    path("search/", search, name="search"),
    path("cart/", orders.show_cart, name="cart"),
    path("cart/add/<slug:slug>/", orders.add_to_cart, name="cart-add"),
    path("cart/change/<slug:slug>/", orders.change_cart, name="cart-change"),
    path("checkout/", orders.CheckOut.as_view(), name="checkout"),
    path("orders/", orders.OrderList.as_view(), name="orders"),
    path("orders/<int:number>/", orders.OrderPage.as_view(), name="order"),
    path("sign-up/", sign_up, name="sign-up"),
    path("sign-in/", SignIn.as_view(), name="sign-in"),
    path("sign-out/", sign_out, name="sign-out"),
    path("admin/", admin.site.urls),
]
