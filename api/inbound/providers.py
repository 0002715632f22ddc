"""Every provider that is understood, by its name."""

from collections.abc import Mapping

from api.inbound.aws_sns import AwsSns, Fetch
from api.inbound.infobip import Infobip
from api.inbound.message import ProviderName
from api.inbound.messagebird import MessageBird
from api.inbound.plivo import Plivo
from api.inbound.signatures import Provider
from api.inbound.sinch import Sinch
from api.inbound.telnyx import Telnyx
from api.inbound.twilio import Twilio
from api.inbound.vonage import Vonage

Providers = Mapping[ProviderName, Provider]


def all_providers(fetch: Fetch) -> Providers:
    """One of each; ``fetch`` is for certificates and confirmations."""
    every: tuple[Provider, ...] = (
        Twilio(),
        Vonage(),
        MessageBird(),
        Sinch(),
        Infobip(),
        Plivo(),
        Telnyx(),
        AwsSns(fetch),
    )
    return {one.name: one for one in every}
