"""The words in a message, wherever a provider puts them: texts, captions, buttons, lists."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from api.inbound.message import text_of

DEPTH_MAX: Final = 8
"""No provider nests words deeper."""

_TEXTS: Final = frozenset({"text", "body", "message", "title", "caption"})
_BEHIND: Final = frozenset(
    {
        "payload",
        "postback",
        "postbackData",
        "postback_data",
        "postbackText",
        "description",
        "subject",
    }
)
_HOLDERS: Final = frozenset(
    {
        *("content", "button", "reply", "interactive", "button_reply", "list_reply"),
        *("buttonReply", "listReply", "actions", "suggestion_response", "suggestionResponse"),
        *("text_message", "choice_response_message", "media_message", "media_card_message"),
        *("fallback_message", "html", "metadata", "emailMetadata", "email"),
    }
)
WORDLESS: Final = frozenset(
    {
        *("image", "images", "video", "audio", "voice", "file", "files", "document", "gif"),
        *("media", "mms", "sticker", "location", "contact", "contacts", "vcard", "reaction"),
        *("order", "user_file", "media_message", "location_message", "mo_media"),
        *("media_card_message", "image_message", "video_message", "audio_message"),
    }
)
_LOOKED_UNDER: Final = _TEXTS | _BEHIND | _HOLDERS | WORDLESS
_CHOICES: Final = frozenset({"reply", "button_reply", "list_reply", "buttonReply", "listReply"})
_KINDS: Final = frozenset({"type", "message_type"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a message says.

    ``payload`` is what the sender itself put behind a button or a list's row, or a subject that
    may be the sender's own: less than the person's word, and more than nothing. ``is_wordless``:
    it is a picture, a place or the like, of which nobody expects words.
    """

    text: str = ""
    payload: str = ""
    is_wordless: bool = False


def words_of(
    texts: Iterable[object], *, behind: Iterable[object] = (), is_wordless: bool = False
) -> Words:
    """The words in these fields: each once, a line each; without a text, what is behind it."""
    text, payload = _lines(texts), _lines(behind)
    return Words(text=text or payload, payload=payload if text else "", is_wordless=is_wordless)


def words_in(content: object) -> Words:
    """The words in a part of decoded JSON that is all the person's message.

    What a message quotes stands under names that are not looked under: our own text, which says
    how to stop, is no stop.
    """
    found = list(_found(content))
    return words_of(
        (value for kind, value in found if kind == "text"),
        behind=(value for kind, value in found if kind == "behind"),
        is_wordless=any(kind == "wordless" for kind, _ in found),
    )


def _found(content: object, *, within: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """What stands under names that we know, with what it is."""
    if depth > DEPTH_MAX:
        return
    if isinstance(content, list):
        for one in content:
            yield from _found(one, within=within, depth=depth + 1)
    elif isinstance(content, dict):
        is_choice = "title" in content or within in _CHOICES
        for name, value in content.items():
            if name in WORDLESS and value and not isinstance(value, str):
                yield "wordless", name
            if not isinstance(value, str):
                if name in _LOOKED_UNDER:
                    yield from _found(value, within=name, depth=depth + 1)
            elif name in _KINDS and value.strip().lower() in WORDLESS:
                yield "wordless", value
            elif name in _TEXTS:
                yield "text", value
            elif name in _BEHIND or (name == "id" and is_choice):
                yield "behind", value


def _lines(values: Iterable[object]) -> str:
    said = {text.strip(): text for value in values if (text := text_of(value)).strip()}
    return "\n".join(said.values())
