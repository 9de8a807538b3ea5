from __future__ import annotations

from django import template
from django.template import Context
from django.utils.safestring import SafeString

from dd_pa_django.browser import rum_scripts

register = template.Library()


@register.simple_tag(takes_context=True)
def dd_pa_rum(context: Context) -> SafeString | str:
    """Render the set-up of Datadog's browser SDK, with the ids of the current request; best in the page's head."""
    return rum_scripts(nonce=context.get("csp_nonce"))
