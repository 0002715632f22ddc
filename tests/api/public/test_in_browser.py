"""The recipient's pages in a real browser: by keyboard, on a phone, without scripts, read aloud."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from api.public.languages import languages
from tests.support.browser import a_browser, wants_browser
from tests.support.recipients import BASE_URL, NUMBER
from tests.support.served import served

pytestmark = [pytest.mark.slow, wants_browser]

SENDER = "Acme Garden Supplies and Friends of Long Names"
SMALL_PHONE = {"width": 320, "height": 568}
TARGET_SIZE_MIN = 24
"""WCAG 2.2, 2.5.8, in CSS pixels; our buttons have more."""


@dataclass
class Recipient:
    """Somebody with links, at a service that runs."""

    address: str
    client: httpx.Client

    def links(self, address: str = NUMBER) -> tuple[str, str]:
        """New ones, at the address where the service is reached here."""
        made = self.client.post("/v1/links", json={"sender": "acme", "address": address}).json()
        one_click, preferences = (
            made[name].replace(BASE_URL, self.address) for name in ("one_click", "preferences")
        )
        return one_click, preferences

    def stopped(self, address: str) -> list[tuple[str | None, str | None]]:
        """The scopes of their opt-outs: channel and purpose."""
        found = self.client.post("/v1/subjects/lookup", json={"address": address}).json()
        return [(one["channel"], one["purpose"]) for one in found["consent"] if one["opted_out"]]


@pytest.fixture(scope="module")
def recipient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recipient]:
    with served(tmp_path_factory.mktemp("data"), base_url=BASE_URL) as service:
        with service.operator() as operator:
            operator.post("/v1/organisations", json={"name": "Acme"})
            issued = operator.post("/v1/keys", json={"person": "shop", "roles": ["admin"]})
            operator.put("/v1/senders/acme", json={"name": SENDER, "country": "US"})
        key = {"Authorization": f"Bearer {issued.json()['token']}"}
        with httpx.Client(base_url=service.address, headers=key) as client:
            for purpose in ("marketing", "survey"):
                event = {
                    "address": NUMBER,
                    "sender": "acme",
                    "event": "grant",
                    "channel": "sms",
                    "purpose": purpose,
                    "level": "express",
                }
                assert client.post("/v1/consent-events", json=event).status_code == 201
            yield Recipient(service.address, client)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with a_browser() as started:
        yield started


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Any]:
    """Opens pages, each as a visitor of its own, and hears whatever the browser complains of."""
    opened: list[Page] = []
    complaints: list[str] = []

    def open_one(url: str, *, scripts: bool = False, **visitor: Any) -> Page:
        visitor = {"locale": "en-GB", "viewport": SMALL_PHONE} | visitor
        page = browser.new_context(java_script_enabled=scripts, **visitor).new_page()
        opened.append(page)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        return page

    yield open_one
    for page in opened:
        page.context.close()
    # A style or a source that the page's own policy refuses is complained of too. A page that
    # says by its status that it did not work is meant to.
    assert [told for told in complaints if "Failed to load resource" not in told] == []


def press(page: Page, name: str) -> None:
    """Reach a button by the keyboard alone, and press it."""
    button = page.get_by_role("button", name=name, exact=True)
    for _ in range(60):
        page.keyboard.press("Tab")
        if button.evaluate("one => one === document.activeElement"):
            outline = button.evaluate("one => getComputedStyle(one).outlineStyle")
            assert outline == "solid", "who tabs must see where they are"
            page.keyboard.press("Enter")
            return
    raise AssertionError(f"the keyboard does not reach {name}")


def test_one_click_by_keyboard_and_without_scripts(recipient: Recipient, open_page: Any) -> None:
    address = "+12125550131"
    page = open_page(recipient.links(address)[0])
    assert recipient.stopped(address) == []
    press(page, "Stop these messages")
    expect(page.get_by_role("status")).to_contain_text("This is on record")
    expect(page).to_have_title(f"Messages from \u2068{SENDER}\u2069 are stopped")
    assert recipient.stopped(address) == [(None, None)]


def test_each_channel_and_everything_by_keyboard_and_without_scripts(
    recipient: Recipient, open_page: Any
) -> None:
    address = "+12125550132"
    page = open_page(recipient.links(address)[1])
    press(page, "Turn off – WhatsApp")
    expect(page.get_by_role("status")).to_contain_text("WhatsApp")
    assert recipient.stopped(address) == [("whatsapp", None)]
    expect(page.get_by_role("button", name="Turn off – WhatsApp")).to_have_count(0)
    press(page, "Stop all messages")
    expect(page.get_by_role("status")).to_contain_text("All messages")
    expect(page.get_by_role("button")).to_have_count(0)
    assert (None, None) in recipient.stopped(address)


def test_one_purpose_of_a_channel_alone(recipient: Recipient, open_page: Any) -> None:
    page = open_page(recipient.links()[1])
    press(page, "Turn off – Text messages (SMS) – Surveys")
    expect(page.get_by_role("status")).to_contain_text("Surveys")
    assert recipient.stopped(NUMBER) == [("sms", "survey")]
    row = page.get_by_role("listitem").filter(has_text="Surveys")
    expect(row).to_contain_text("Off since")
    expect(row).to_contain_text("On since")


def test_the_language_is_chosen_without_scripts_and_stays(
    recipient: Recipient, open_page: Any
) -> None:
    page = open_page(recipient.links("+12125550133")[1])
    page.get_by_role("link", name="العربية").click()
    arabic = languages()["ar"].texts
    expect(page.get_by_role("button", name=arabic.stop_all_button)).to_be_visible()
    page.get_by_role("button", name=arabic.stop_all_button).click()
    expect(page.get_by_role("status")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "ar")


@pytest.mark.parametrize("tag", ["ar", "ur"])
def test_what_is_written_from_the_right_begins_there(
    recipient: Recipient, open_page: Any, tag: str
) -> None:
    page = open_page(recipient.links("+12125550134")[1], locale=tag)
    title, button = page.get_by_role("heading", level=1), page.get_by_role("button").first
    assert title.evaluate("one => getComputedStyle(one).direction") == "rtl"
    box, width = button.bounding_box(), SMALL_PHONE["width"]
    assert box is not None
    assert width - (box["x"] + box["width"]) < box["x"]
    address = page.locator("bdi[dir=ltr]").first
    assert address.inner_text() == "+1…34"


@pytest.mark.parametrize("tag", sorted(languages()))
def test_a_small_phone_needs_no_scrolling_sideways(
    recipient: Recipient, open_page: Any, tag: str
) -> None:
    """At 320 pixels, which is a wider window at four times the size too (WCAG 2.2, 1.4.10)."""
    urls = (*recipient.links("+12125550135"), recipient.address + "/u/cut")
    for url in urls:
        page = open_page(url, locale=tag)
        assert page.locator("html").get_attribute("lang") == tag
        assert page.evaluate("document.documentElement.scrollWidth") <= SMALL_PHONE["width"]
        for target in page.locator("a, button").all():
            box = target.bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) >= TARGET_SIZE_MIN


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("tag", ["en", "ar"])
def test_no_page_has_a_known_fault_of_accessibility(
    recipient: Recipient, open_page: Any, tag: str, scheme: str
) -> None:
    """Axe looks at what assistive technology gets: names, roles, order, contrast."""
    address = "+12125550136"
    one_click, preferences = recipient.links(address)
    for url, button in (
        (one_click, None),
        (one_click, "button.main"),
        (preferences, None),
        (recipient.links()[1], "button[value='mms']"),
        (recipient.address + "/u/cut", None),
    ):
        page = open_page(url, scripts=True, locale=tag, color_scheme=scheme)
        if button is not None and page.locator(button).count():
            page.locator(button).click()
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.get_by_role("heading", level=1).count() == 1
        assert page.get_by_role("main").count() == 1


def test_the_page_asks_nobody_for_anything(recipient: Recipient, browser: Browser) -> None:
    asked: list[str] = []
    context = browser.new_context()
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    url = recipient.links("+12125550137")[1]
    page.goto(url)
    assert asked == [url]
    assert context.cookies() == []
    style = page.locator("button.main").evaluate("one => getComputedStyle(one).backgroundColor")
    assert style == "rgb(29, 79, 115)", "the page's own style is let in"
    assert page.evaluate("document.referrer") == ""
    context.close()
