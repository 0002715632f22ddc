"""How a page for a recipient is made: template, texts, and headers that let nothing else in.

No script, no cookie, nothing from elsewhere. The token of the address bar stands nowhere in a
page, and the page tells it to nobody: no referrer, no cache, no search engine.
"""

import base64
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Template
from litestar.template import TemplateConfig
from markupsafe import Markup

from api.call import Call
from api.public.languages import Language, choose_language, languages

_HERE: Final = Path(__file__).parent
_STYLE: Final = (_HERE / "style.css").read_text(encoding="utf-8")
_STYLE_DIGEST: Final = base64.b64encode(sha256(_STYLE.encode()).digest()).decode()

_LTR: Final = frozenset({"address", "date"})

HEADERS: Final[Mapping[str, str]] = {
    "cache-control": "no-store",
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_DIGEST}'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "vary": "accept-language",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex, nofollow, noarchive",
}
"""Of every page, whatever it says."""


def template_config() -> TemplateConfig[JinjaTemplateEngine]:
    """What Litestar needs to render templates. A name that is missing is an error."""
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"fill": fill, "fill_plain": fill_plain}
    environment.globals |= {"style": Markup(_STYLE)}  # noqa: S704 - a file of our own.
    return TemplateConfig(instance=JinjaTemplateEngine.from_environment(environment))


def fill(text: str, **parts: str) -> Markup:
    """Put parts into a text; each keeps its own direction of writing, an address its only one."""
    isolated = {
        name: Markup('<bdi dir="{}">{}</bdi>').format("ltr" if name in _LTR else "auto", part)
        for name, part in parts.items()
    }
    return Markup.escape(text).format(**isolated)


def fill_plain(text: str, **parts: str) -> str:
    """The same where no markup may stand, as in a title."""
    return text.format(**{name: f"\u2068{part}\u2069" for name, part in parts.items()})


def language_of(request: Call) -> Language:
    """The language that the visitor chose on the page, or that their browser asks for."""
    accepted = request.header(b"accept-language") or b""
    return choose_language(request.query_params.get("lang"), accepted.decode("latin-1"))


def page(name: str, language: Language, *, status: int = 200, **context: Any) -> Template:
    """Make a page of the template ``name``."""
    return Template(
        template_name=f"{name}.html.jinja",
        status_code=status,
        media_type="text/html",
        headers=dict(HEADERS),
        context={
            "tag": language.tag,
            "texts": language.texts,
            "languages": _choice(),
            **context,
        },
    )


@cache
def _choice() -> tuple[Language, ...]:
    """The languages in order of their own names."""
    return tuple(sorted(languages().values(), key=lambda one: one.texts.name.casefold()))


def masked(address: str) -> str:
    """An address as its owner knows it again, and nobody else: ``a…@example.com``, ``+1…23``."""
    local, at, host = address.rpartition("@")
    if at:
        return f"{local[:1]}…@{host}"
    return f"{address[:2]}…{address[-2:]}" if len(address) > 6 else "…"
