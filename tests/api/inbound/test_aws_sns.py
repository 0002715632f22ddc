"""AWS SNS: certificates from the topic's own region only, and one topic confirmed."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from api.errors import RetryLaterError, UnverifiedError
from api.inbound.aws_sns import is_of_topic
from tests.support.inbound import Published, read
from tests.support.provider_calls import (
    ANN,
    CERTIFICATE_URL,
    NOW,
    TOPIC,
    Said,
    Signed,
    sign_sns,
    sns_certificate,
    sns_notification,
)

CREDENTIALS = {"topic_arn": TOPIC}
HOST = "https://sns.us-east-1.amazonaws.com"


def subscribe_url(topic: str = TOPIC, host: str = HOST, action: str = "ConfirmSubscription") -> str:
    return f"{host}/?{urlencode({'Action': action, 'TopicArn': topic, 'Token': 'abc'})}"


def confirmation(**given: str) -> Signed:
    envelope = {
        "Type": "SubscriptionConfirmation",
        "MessageId": "c1",
        "Token": "abc",
        "TopicArn": TOPIC,
        "Message": "You have chosen to subscribe",
        "SubscribeURL": subscribe_url(),
        "Timestamp": NOW.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    }
    return sign_sns({**envelope, **given})


def test_a_subject_is_signed_where_there_is_one() -> None:
    signed = sign_sns({**sns_notification(Said(), NOW), "Subject": "reply"})
    assert read("aws_sns", signed, CREDENTIALS)[0].address == ANN
    with pytest.raises(UnverifiedError):
        read("aws_sns", signed.altered('"reply"', '"other"'), CREDENTIALS)


def test_the_subscription_of_our_topic_is_confirmed() -> None:
    published = Published()
    published.pages[subscribe_url()] = b"<ConfirmSubscriptionResponse/>"
    assert read("aws_sns", confirmation(), CREDENTIALS, published=published) == []
    assert published.asked == [CERTIFICATE_URL, subscribe_url()]


@pytest.mark.parametrize("version", ["12", "", "0"])
def test_a_version_that_there_is_not_is_refused_where_the_first_is_allowed(version: str) -> None:
    signed = sign_sns(sns_notification(Said(), NOW), version=version)
    with pytest.raises(UnverifiedError):
        read("aws_sns", signed, {**CREDENTIALS, "allow_sha1": True})


@pytest.mark.parametrize(
    "given",
    [
        {"TopicArn": TOPIC + "-of-others"},
        {"SubscribeURL": subscribe_url(TOPIC + "-of-others")},
        {"SubscribeURL": subscribe_url(host="https://sns.us-east-1.amazonaws.com.example.com")},
        {"SubscribeURL": subscribe_url(host="https://gate.example.com")},
        {"SubscribeURL": subscribe_url(host="http://sns.us-east-1.amazonaws.com")},
        {"SubscribeURL": subscribe_url(action="Unsubscribe")},
        {"SubscribeURL": "https://[sns"},
    ],
)
def test_no_other_subscription_is_confirmed(given: dict[str, str]) -> None:
    published = Published()
    with pytest.raises(UnverifiedError):
        read("aws_sns", confirmation(**given), CREDENTIALS, published=published)
    assert published.asked in ([], [CERTIFICATE_URL])


def test_a_subscription_that_cannot_be_confirmed_now_is_asked_for_again() -> None:
    with pytest.raises(RetryLaterError):
        read("aws_sns", confirmation(), CREDENTIALS)


def test_the_end_of_a_subscription_is_only_acknowledged() -> None:
    published = Published()
    signed = confirmation(Type="UnsubscribeConfirmation")
    assert read("aws_sns", signed, CREDENTIALS, published=published) == []
    assert published.asked == [CERTIFICATE_URL]


@pytest.mark.parametrize(
    "url",
    [
        "https://sns.us-east-1.amazonaws.com.example.com/SimpleNotificationService-{}.pem",
        "https://example.com/SimpleNotificationService-{}.pem",
        "https://sns.us-east-1.amazonaws.com@example.com/SimpleNotificationService-{}.pem",
        "https://sns.us-east-1.amazonaws.com:8443/SimpleNotificationService-{}.pem",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-{}.pem",
        "https://sns.s3.amazonaws.com/SimpleNotificationService-{}.pem",
        "http://sns.us-east-1.amazonaws.com/SimpleNotificationService-{}.pem",
        "https://sns.us-east-1.amazonaws.com/x/SimpleNotificationService-{}.pem",
        "https://sns.us-east-1.amazonaws.com/any.pem",
        "",
    ],
)
def test_no_certificate_is_taken_from_elsewhere(url: str) -> None:
    published = Published()
    url = url.format("0123456789abcdef" * 2)
    published.pages[url] = sns_certificate()
    signed = sign_sns({**sns_notification(Said(), NOW), "SigningCertURL": url})
    with pytest.raises(UnverifiedError):
        read("aws_sns", signed, CREDENTIALS, published=published)
    assert published.asked == []


def test_a_topic_of_another_partition_has_its_own_host() -> None:
    there = "arn:aws-cn:sns:cn-north-1:123456789012:replies"
    assert is_of_topic("https://sns.cn-north-1.amazonaws.com.cn/x", there)
    assert not is_of_topic("https://sns.cn-north-1.amazonaws.com/x", there)


@pytest.mark.parametrize(
    ("version", "credentials", "taken"),
    [
        ("2", CREDENTIALS, True),
        ("1", CREDENTIALS, False),
        ("1", {**CREDENTIALS, "allow_sha1": True}, True),
        ("2", {**CREDENTIALS, "allow_sha1": True}, True),
    ],
)
def test_the_older_hash_is_taken_only_where_it_was_allowed(
    version: str, credentials: dict[str, Any], taken: bool
) -> None:
    signed = sign_sns(sns_notification(Said(), NOW), version=version)
    if taken:
        assert read("aws_sns", signed, credentials)
        return
    with pytest.raises(UnverifiedError):
        read("aws_sns", signed, credentials)


def test_a_certificate_that_has_ended_signs_nothing() -> None:
    published = Published({CERTIFICATE_URL: sns_certificate(until=NOW)})
    signed = sign_sns(sns_notification(Said(), NOW))
    assert read("aws_sns", signed, CREDENTIALS, published=published)
    later = NOW + timedelta(seconds=1)
    with pytest.raises(UnverifiedError):
        read("aws_sns", signed, CREDENTIALS, published=published, now=later)


@pytest.mark.parametrize("pages", [{}, {CERTIFICATE_URL: b"no certificate"}])
def test_a_certificate_that_cannot_be_had_now_makes_sns_try_again(pages: dict[str, bytes]) -> None:
    with pytest.raises(RetryLaterError):
        read(
            "aws_sns",
            sign_sns(sns_notification(Said(), NOW)),
            CREDENTIALS,
            published=Published(pages),
        )


def test_a_notification_that_is_no_message_is_refused() -> None:
    from api.errors import InvalidRequestError

    signed = sign_sns({**sns_notification(Said(), NOW), "Message": "not JSON"})
    with pytest.raises(InvalidRequestError):
        read("aws_sns", signed, CREDENTIALS)


def test_the_time_of_a_notification_is_that_of_its_envelope() -> None:
    (message,) = read("aws_sns", sign_sns(sns_notification(Said(), NOW)), CREDENTIALS)
    assert message.received_at == datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
