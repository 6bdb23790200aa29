"""Which requests a page answers."""

from __future__ import annotations

import pytest

from i2cnn.pages.guard import refusal

OWN = {"Host": "127.0.0.1:8000"}


def refused(method: str = "POST", **headers: str) -> str:
    given = OWN | {name.replace("_", "-"): value for name, value in headers.items()}
    return refusal(method, [(k.encode(), v.encode()) for k, v in given.items() if v])


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]:8000", "[::1]", "192.168.1.7"]
)
def test_this_machine_is_answered(host: str) -> None:
    assert refused(Host=host) == ""


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example:80",
        "",
        "127.0.0.1:x",
        "[",
        ":",
    ],
)
def test_another_host_is_refused(host: str) -> None:
    """A name of another site that leads to this machine's address: DNS rebinding."""
    assert refused(Host=host) == "the request names another host than this machine"


def test_two_hosts_are_refused() -> None:
    assert refusal("GET", [(b"host", b"localhost"), (b"host", b"evil.example")])


@pytest.mark.parametrize(
    ("headers", "is_refused"),
    [
        ({"Origin": "http://127.0.0.1:8000", "Sec_Fetch_Site": "same-origin"}, False),
        ({"Origin": "http://evil.example"}, True),
        ({"Origin": "null"}, True),
        ({"Origin": "http://127.0.0.1:9000"}, True),
        ({"Origin": "https://127.0.0.1:8000"}, True),
        ({"Sec_Fetch_Site": "cross-site"}, True),
        ({"Sec_Fetch_Site": "same-site"}, True),
        ({"Sec_Fetch_Site": "none"}, False),
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}, True),
    ],
)
def test_requests_of_other_sites_are_refused(headers: dict[str, str], is_refused: bool) -> None:
    assert bool(refused(**headers)) == is_refused


def test_a_link_on_another_site_may_lead_to_a_page() -> None:
    assert refused("GET", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate") == ""
