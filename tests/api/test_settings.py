"""Settings come from the environment, and one that cannot be meant is an error."""

from pathlib import Path

import pytest

from api.errors import SettingsError
from api.settings import Settings


def test_settings_are_read_from_the_environment() -> None:
    environ = {
        "CLEARTOSEND_DATA": "elsewhere",
        "CLEARTOSEND_PORT": "9000",
        "CLEARTOSEND_LOG_REQUESTS": "errors",
        "PATH": "somewhere",
    }
    settings = Settings.from_environment(environ)
    assert (settings.data, settings.port, settings.host) == (Path("elsewhere"), 9000, "127.0.0.1")
    assert settings.log_requests == "errors"


def test_settings_survive_the_way_to_another_process() -> None:
    settings = Settings(data=Path("here"), database_url="postgresql://db/x", workers=2)
    assert Settings.from_environment(settings.to_environment()) == settings


@pytest.mark.parametrize(
    "environ",
    [
        {"CLEARTOSEND_DATABASE": "typo"},
        {"CLEARTOSEND_PORT": "many"},
        {"CLEARTOSEND_WORKERS": "2"},
        {"CLEARTOSEND_WORKERS": "0"},
        {"CLEARTOSEND_LOG_REQUESTS": "some"},
        {"CLEARTOSEND_DATABASE_URL": "mysql://db/x"},
        {"CLEARTOSEND_PUBLIC_BASE_URL": "gate.example"},
        {"CLEARTOSEND_PUBLIC_BASE_URL": "http://gate.example"},
        {"CLEARTOSEND_PUBLIC_BASE_URL": "https://"},
        {"CLEARTOSEND_PUBLIC_BASE_URL": "https://gate.example/?a=b"},
        {"CLEARTOSEND_PUBLIC_BASE_URL": "https://ada@gate.example"},
        {"CLEARTOSEND_PUBLIC_BASE_URL": "https://gate.example:port"},
    ],
)
def test_a_setting_that_cannot_be_meant_is_an_error(environ: dict[str, str]) -> None:
    with pytest.raises(SettingsError):
        Settings.from_environment(environ)


def test_the_base_url_is_the_public_one_or_where_it_listens() -> None:
    assert Settings(port=9000).base_url == "http://127.0.0.1:9000"
    public = "https://gate.example.com/consent"
    assert Settings(public_base_url=f"{public}/").checked().base_url == public


@pytest.mark.parametrize(
    "url",
    ["https://gate.example", "https://gate.example:8443/gate/", "http://127.0.0.1:8000"],
)
def test_the_public_address_is_https_or_this_machine(url: str) -> None:
    settings = Settings.from_environment({"CLEARTOSEND_PUBLIC_BASE_URL": url})
    assert settings.public_base_url == url
