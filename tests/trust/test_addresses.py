"""Which addresses a download may lead to, as a table."""

from __future__ import annotations

from pathlib import Path

import pytest
from sora_jobs.config.providers import load_provider
from sora_jobs.config.settings import Settings
from sora_jobs.errors import InvalidInputError
from sora_jobs.util.addresses import is_loopback, is_private, is_public, parse_ip_literal, parse_ranges

from ..failures import failing

PUBLIC = ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
INSIDE = [
    "0.0.0.0", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.8.8.8",
    "168.63.129.16", "169.254.0.1", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.192",
    "192.0.2.1", "192.168.0.1", "198.18.0.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a00:1",
    "64:ff9b::7f00:1", "2002:7f00:1::1", "2002:a00:1::", "2001:0:4136:e378:8000:63bf:80ff:fffe", "fc00::1",
    "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "2001:db8::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_the_open_internet_may_be_asked(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", INSIDE)
def test_nothing_inside_may_be_asked(address: str) -> None:
    """Private, shared, link-local, loopback, multicast and reserved ones, metadata services, and IPv4 within IPv6."""
    assert not is_public(address)


@pytest.mark.parametrize(
    ("address", "private"),
    [
        *((one, True) for one in ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.20", "fd00::1", "fc00::1"]),
        *((one, True) for one in ["127.0.0.1", "::1", "::ffff:192.168.1.20"]),
        *(
            (one, False)
            for one in ["172.32.0.1", "169.254.169.254", "100.64.0.1", "fe80::1%eth0", "0.0.0.0", "224.0.0.1"]
        ),
        *((one, False) for one in ["2002:a00:1::", "64:ff9b::a00:1", "::7f00:1", "198.18.0.1", *PUBLIC]),
    ],
)
def test_what_the_private_network_is(address: str, private: bool) -> None:
    """The networks of a household or an office, and this machine; not link-local ones, nor any that others share."""
    assert is_private(address) is private


@pytest.mark.parametrize(
    ("ranges", "address", "may"),
    [
        (["10.0.0.0/8"], "10.1.2.3", True),
        (["10.0.0.0/8"], "::ffff:10.1.2.3", True),
        (["10.0.0.0/8"], "11.0.0.1", True),
        (["10.0.0.0/8"], "192.168.0.1", False),
        (["10.0.0.5"], "10.0.0.5", True),
        (["10.0.0.5"], "10.0.0.6", False),
        (["fd00::/8"], "fd12::1", True),
        (["fd00::/8"], "10.0.0.1", False),
        (["127.0.0.0/8"], "127.0.0.1", True),
    ],
)
def test_the_owner_allows_ranges(ranges: list[str], address: str, may: bool) -> None:
    assert is_public(address, parse_ranges(ranges)) is may


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.1", "127.0.0.1"), ("2130706433", "127.0.0.1"), ("0x7f000001", "127.0.0.1"), ("0177.0.0.1", "127.0.0.1"),
        ("169.254.169.254", "169.254.169.254"), ("fe80::1%eth0", "fe80::1"), ("::1", "::1"), ("example.com", ""),
        ("1.example.com", ""), ("", ""), ("10.0.0.1.", "10.0.0.1"),
    ],
)  # fmt: skip
def test_a_number_is_known_however_it_is_written(host: str, address: str) -> None:
    """As resolvers read it: a proxy would be given it as it is."""
    assert parse_ip_literal(host) == address


def test_this_machine_is_told_by_its_name() -> None:
    """What other networks wrap a loopback address in does not come from here."""
    assert all(map(is_loopback, ["localhost", "LOCALHOST", "a.localhost", "127.0.0.9", "::1", "::ffff:127.0.0.1"]))
    others = ["", "localhost.evil.com", "127.0.0.1.evil.com", "0.0.0.0", "2002:7f00:1::1", "64:ff9b::7f00:1"]
    assert not any(map(is_loopback, others))


def test_the_owner_writes_the_ranges_into_the_settings(tmp_path: Path) -> None:
    """A slip is told, and opens nothing."""
    settings = Settings(home=tmp_path, output=tmp_path, env={})
    assert load_provider(settings.read(), "cometapi").ranges == ()
    settings.file.write_text('[downloads]\nranges = ["10.0.0.0/8", "fd00::/8"]\n', encoding="utf-8")
    assert is_public("10.9.9.9", load_provider(settings.read(), "cometapi").ranges)
    for wrong in ('["10.0.0.0/99"]', '["everything"]', "[10]", '"10.0.0.0/8"'):
        settings.file.write_text(f"[downloads]\nranges = {wrong}\n", encoding="utf-8")
        with failing(InvalidInputError, "invalid_setting", "downloads.ranges"):
            load_provider(settings.read(), "cometapi")
        assert settings.read().faults()
