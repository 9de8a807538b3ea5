from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms

from example_project import payment


class QuantityForm(forms.Form):
    quantity = forms.IntegerField(min_value=0, max_value=20, initial=1)


class CardForm(forms.Form):
    number = forms.CharField(label="Card number", max_length=23)
    expiry = forms.CharField(label="Expires", max_length=7)
    cvc = forms.CharField(label="CVC", max_length=4)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.describe("number", autocomplete="cc-number", inputmode="numeric", placeholder="4242 4242 4242 4242")
        self.describe("expiry", autocomplete="cc-exp", placeholder="MM/YY")
        self.describe("cvc", autocomplete="cc-csc", inputmode="numeric", placeholder="123")

    def describe(self, field: str, **attributes: str) -> None:
        self.fields[field].widget.attrs.update(attributes)

    def clean_number(self) -> str:
        return self.checked(payment.card_number, "number")

    def clean_expiry(self) -> None:
        self.checked(payment.check_expiry, "expiry")

    def clean_cvc(self) -> None:
        self.checked(payment.check_cvc, "cvc")

    def checked(self, check: Callable[[str], Any], field: str) -> Any:
        try:
            return check(self.cleaned_data[field])
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None
