"""The closed lists of words that senders, laws and records share."""

from enum import IntEnum, StrEnum


class Channel(StrEnum):
    """By what a message travels."""

    SMS = "sms"
    MMS = "mms"
    RCS = "rcs"
    WHATSAPP = "whatsapp"
    EMAIL = "email"
    VOICE = "voice"
    PUSH = "push"


class Purpose(StrEnum):
    """What a message is for."""

    MARKETING = "marketing"
    SERVICE = "service"
    TRANSACTIONAL = "transactional"
    AUTHENTICATION = "authentication"
    EMERGENCY = "emergency"
    POLITICAL = "political"
    CHARITY = "charity"
    SURVEY = "survey"
    COLLECTIONS = "collections"
    GOVERNMENT = "government"


class Verdict(StrEnum):
    """The answer. ``STRICTNESS`` orders it."""

    ALLOW = "allow"
    DEFER = "defer"
    DENY = "deny"


STRICTNESS: tuple[Verdict, ...] = (Verdict.ALLOW, Verdict.DEFER, Verdict.DENY)


class EventKind(StrEnum):
    """What a consent event records."""

    GRANT = "grant"
    CONFIRM = "confirm"
    REVOKE = "revoke"
    PURCHASE = "purchase"
    CONTRACT = "contract"
    INQUIRY = "inquiry"
    DONATION = "donation"
    MEMBERSHIP = "membership"
    PUBLICATION = "publication"
    SENT = "sent"
    COMPLAINT = "complaint"
    ERASE = "erase"
    HOLD = "hold"
    RELEASE = "release"


REVIEWED: frozenset[EventKind] = frozenset({EventKind.HOLD, EventKind.RELEASE})
"""A reply that may have meant stop, and a person's word that it did not. No part of scenarios."""


RELATIONS: frozenset[EventKind] = frozenset(
    {
        EventKind.PURCHASE,
        EventKind.CONTRACT,
        EventKind.INQUIRY,
        EventKind.DONATION,
        EventKind.MEMBERSHIP,
        EventKind.PUBLICATION,
    }
)


class Level(IntEnum):
    """How firmly consent was given; a higher level serves where a lower one is asked."""

    IMPLIED = 1
    EXPRESS = 2
    EXPRESS_WRITTEN = 3

    @property
    def word(self) -> str:
        """The level as it is written in files and in the API."""
        return _LEVEL_WORDS[self]


LEVEL_OF_WORD: dict[str, Level] = {level.name.lower(): level for level in Level}
_LEVEL_WORDS = {level: word for word, level in LEVEL_OF_WORD.items()}


class Quality(StrEnum):
    """What a grant, or a sale on record, may have beside its level."""

    DOUBLE_OPT_IN = "double_opt_in"
    NIGHT = "night"
    SEPARATE = "separate"
    GUARDIAN = "guardian"
    CROSS_BORDER = "cross_border"
    ONE_TO_ONE = "one_to_one"
    OPT_OUT_OFFERED = "opt_out_offered"
    SIMILAR_PRODUCTS = "similar_products"


class Via(StrEnum):
    """How an opt-out reached us."""

    KEYWORD = "keyword"
    LINK = "link"
    CALL = "call"
    EMAIL = "email"
    LETTER = "letter"
    REGISTRY = "registry"
    AGENT = "agent"


class RecipientKind(StrEnum):
    """A private person (a sole trader is one) or a corporate subscriber."""

    CONSUMER = "consumer"
    BUSINESS = "business"


class NumberType(StrEnum):
    """What a numbering plan says of a number."""

    MOBILE = "mobile"
    FIXED = "fixed"
    FIXED_OR_MOBILE = "fixed_or_mobile"
    TOLL_FREE = "toll_free"
    OTHER = "other"


class SenderForm(StrEnum):
    """How the sender id looks to the recipient."""

    ALPHANUMERIC = "alphanumeric"
    SHORT_CODE = "short_code"
    TOLL_FREE = "toll_free"
    NUMBER = "number"
    EMAIL = "email"


class Force(StrEnum):
    """What stands behind a provision."""

    LAW = "law"
    CODE = "code"
    CARRIER = "carrier"
    CUSTOM = "custom"


class Certainty(StrEnum):
    """How sure the reading of a provision is."""

    VERIFIED = "verified"
    LIKELY = "likely"
    UNSURE = "unsure"


class ReasonCode(StrEnum):
    """Why a message may not go, or not yet."""

    CONSENT_MISSING = "consent_missing"
    CONSENT_INSUFFICIENT = "consent_insufficient"
    CONSENT_UNCONFIRMED = "consent_unconfirmed"
    CONSENT_EXPIRED = "consent_expired"
    CONSENT_REVOKED = "consent_revoked"
    CONSENT_OUT_OF_SCOPE = "consent_out_of_scope"
    QUIET_HOURS = "quiet_hours"
    FORBIDDEN_DAY = "forbidden_day"
    FREQUENCY_CAP = "frequency_cap"
    REGISTRY_LISTED = "registry_listed"
    REGISTRY_STALE = "registry_stale"
    NUMBER_REASSIGNED = "number_reassigned"
    SENDER_UNREGISTERED = "sender_unregistered"
    SENDER_ID_INVALID = "sender_id_invalid"
    TEMPLATE_UNREGISTERED = "template_unregistered"
    TEMPLATE_MISMATCH = "template_mismatch"
    MISSING_OPT_OUT = "missing_opt_out"
    MISSING_IDENTITY = "missing_identity"
    MISSING_LABEL = "missing_label"
    MISSING_CONTACT = "missing_contact"
    PROHIBITED_CONTENT = "prohibited_content"
    MINOR = "minor"
    CHANNEL_UNAVAILABLE = "channel_unavailable"
    TOO_LATE = "too_late"
    UNDER_REVIEW = "under_review"
    PROPAGATION_OVERDUE = "propagation_overdue"
    CROSS_BORDER_TRANSFER = "cross_border_transfer"
    INVALID_ADDRESS = "invalid_address"
    UNKNOWN_JURISDICTION = "unknown_jurisdiction"
    ERASED = "erased"


class ObligationCode(StrEnum):
    """What a permitted message must still carry, or its sender do."""

    INCLUDE_OPT_OUT = "include_opt_out"
    INCLUDE_IDENTITY = "include_identity"
    INCLUDE_LABEL = "include_label"
    INCLUDE_CONTACT = "include_contact"
    INCLUDE_POSTAL_ADDRESS = "include_postal_address"
    HONOUR_OPT_OUT_WITHIN = "honour_opt_out_within"
    USE_REGISTERED_SENDER = "use_registered_sender"
    USE_REGISTERED_TEMPLATE = "use_registered_template"
    KEEP_RECORD = "keep_record"
    ONE_CLICK_UNSUBSCRIBE = "one_click_unsubscribe"
