"""Which addresses a download may lead to. A gateway names them, so none may reach what only this machine can reach:
itself, the network around it, the metadata service of a cloud."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Range = ipaddress.IPv4Network | ipaddress.IPv6Network

# Not private by their registration, and yet inside: Azure's wire server, Oracle's metadata, IPv6's old sites.
INSIDE = tuple(map(ipaddress.ip_network, ("168.63.129.16/32", "192.0.0.0/24", "fec0::/10")))
# The networks that a household or an office has (RFC 1918, RFC 4193). Link-local ones are none of these: a cloud's
# metadata service is there. Nor is 100.64.0.0/10, which a provider's other customers share.
PRIVATE = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))
LINK = ipaddress.IPv6Network("fe80::/10")
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in the last four bytes


# Host and port, and nothing in which two readers of an address could see another host: no login, no backslash, no
# percent sign, no letter that some would turn into an ASCII one. (RFC 3986 against WHATWG's URL.)
_PLAIN = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")


def is_unambiguous_url(url: str) -> bool:
    """Is that an http(s) address of which everybody reads the same host? Who checks it and who connects to it are not
    the same code."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and port != 0
        and url.isprintable()
        and url == url.lstrip()
        and _PLAIN.fullmatch(parts.netloc) is not None
    )


def parse_ranges(texts: Iterable[object]) -> tuple[Range, ...]:
    """`["10.0.0.0/8", "fd00::/8"]` -> ranges. ValueError for a text that is none."""
    return tuple(ipaddress.ip_network(str(text).strip()) for text in texts)


def is_public(address: str, allowed: Sequence[Range] = ()) -> bool:
    """May a download go to that numeric address: anywhere in the open internet, or in a range that the owner allows?"""
    found = _meant(ipaddress.ip_address(address.partition("%")[0]))
    if any(found in one for one in allowed if one.version == found.version):
        return True
    return found.is_global and not (
        found.is_multicast
        or found.is_reserved
        or "%" in address  # a link's own
        or any(found in one for one in INSIDE if one.version == found.version)
    )


def is_loopback(host: str) -> bool:
    """Does that host name or address mean this machine? Nothing is resolved."""
    name = host.lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        found = ipaddress.ip_address(name)
    except ValueError:
        return False
    # What other networks wrap an IPv4 address in can come from anywhere, and is none of this machine's.
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback


def is_private(address: str) -> bool:
    """Is that numeric address one of this machine's, or of the network around it?"""
    found = ipaddress.ip_address(address.partition("%")[0])
    found = getattr(found, "ipv4_mapped", None) or found  # nothing else that wraps one: it may come from anywhere
    return found.is_loopback or any(found in one for one in PRIVATE if one.version == found.version)


def is_of_link(address: str) -> bool:
    """Is that numeric address an IPv6 one of a single link, such as mDNS gives beside a host's others?"""
    found = ipaddress.ip_address(address.partition("%")[0])
    return found.version == 6 and found in LINK


def parse_ip_literal(host: str) -> str:
    """The address that a host is written as, in any of the ways that a resolver takes ("127.1", "0x7f000001"); "" for a
    name, which has to be resolved first."""
    host = host.removesuffix(".")
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host)) if host[:1].isdigit() else ""
    except (OSError, UnicodeError):
        return ""


def _meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in NAT64:
        return ipaddress.IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1] or address
