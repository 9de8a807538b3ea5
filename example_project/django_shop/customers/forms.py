from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.db import transaction
from django.utils.text import slugify

from example_project.django_shop.customers.models import Company, Membership


class SignInForm(AuthenticationForm):
    """Django's own form; the user name is the e-mail."""

    username = forms.EmailField(label="Work e-mail", widget=forms.EmailInput(attrs={"autocomplete": "username"}))


class SignUpForm(forms.Form):
    company = forms.CharField(max_length=80, widget=forms.TextInput(attrs={"autocomplete": "organization"}))
    email = forms.EmailField(
        label="Work e-mail", max_length=150, widget=forms.EmailInput(attrs={"autocomplete": "username"})
    )
    password = forms.CharField(
        help_text="At least 8 characters.", widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )

    def clean_company(self) -> str:
        name: str = self.cleaned_data["company"]
        handle = slugify(name)
        if not handle:
            raise forms.ValidationError("Please use some letters or digits.")
        if Company.objects.filter(handle=handle).exists():
            raise forms.ValidationError("This company has an account already; ask a colleague to add you.")
        return name

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"].lower()
        if User.objects.filter(username=email).exists():
            raise forms.ValidationError("There is an account with this e-mail; sign in instead.")
        return email

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        validate_password(password)
        return password

    @transaction.atomic
    def save(self) -> User:
        """Make the company, its first user, and the bond between them."""
        data: dict[str, Any] = self.cleaned_data
        company = Company.objects.create(name=data["company"], handle=slugify(data["company"]))
        user = User.objects.create_user(data["email"], password=data["password"])
        Membership.objects.create(user=user, company=company)
        return user
