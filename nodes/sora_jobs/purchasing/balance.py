"""What is left at CometAPI, asked when its owner wants it and at no other time. Nothing of it is kept.

Two calls are known (docs/gateway.md). That of a key sends it in a header to the provider's own origin. That of the
account sends it in the URL to a second origin, where servers and proxies may write it into their logs; so only who
wants that one gets it, and it can have a key of its own that cannot buy anything.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import requests

from ..config.keys import QUERY_KEY
from ..config.providers import COMETAPI, COMETAPI_URL, Provider
from ..config.snapshot import Config
from ..config.timing import DEFAULT, Timing
from ..errors import GatewayError, InvalidInputError, LedgerError
from ..gateway.http import (
    NETWORK_ERRORS,
    Bearer,
    classify_network_error,
    in_words,
    iter_body,
    network_hint,
    new_session,
    same_origin,
)
from ..ledger.ledger import Ledger
from ..util.bounded_read import read_json
from ..util.redact import place_of, register_url

LIMIT_PATH = "/v1/dashboard/billing/subscription"
USED_PATH = "/v1/dashboard/billing/usage"
ACCOUNT_PATH = "/user/quota"
LARGEST_ANSWER = 1 << 20  # bytes: the account's lists every key
UNLIMITED_USD = 1e8  # from here on, and -1, it is a sign for "no limit" and no sum
TELLING = (401, 403, 429)  # statuses that say what is wrong; 404, say, would speak of a job


@dataclass(frozen=True)
class Places:
    """The two origins that are asked. Only a test has others; no setting, variable or workflow does."""

    own: str = COMETAPI_URL
    account: str = "https://query.cometapi.com"


PLACES = Places()


@dataclass(frozen=True, kw_only=True)
class Balance:
    """What is left, in US dollars; None for what is unknown or `unlimited`. `of` a key, or of the whole account.

    `next_usd` is what the next job may cost: by the price of the "last_job", or by the owner's "cap" per job. `short`:
    less than that is left.
    """

    provider: str
    of: Literal["key", "account"]
    host: str  # which told it
    asked_at: float  # seconds since the epoch
    left_usd: float | None
    used_usd: float | None
    unlimited: bool
    next_usd: float = 0.0
    next_by: Literal["last_job", "cap"] = "cap"
    short: bool = False


class KeyInUrl(requests.auth.AuthBase):
    """Puts the key into the URL, as late as can be, for that exact origin and for nobody else."""

    def __init__(self, key: str, origin: str) -> None:
        self._key, self._origin = key, origin

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if not same_origin(request.url or "", self._origin):
            message = "The key is for the gateway's own address only."
            raise GatewayError(message, transient=False, charge="none", code="key_not_for_origin")
        request.prepare_url(request.url or "", {"key": self._key})
        register_url(request.url or "")
        return request


def knows_balance(provider: Provider, places: Places | None = None) -> bool:
    """Is a call for the balance known there? CometAPI's are, at CometAPI's own origin."""
    return provider.name == COMETAPI and same_origin(provider.base_url, (places or PLACES).own)


def balance_of(
    provider: Provider,
    config: Config,
    ledger: Ledger,
    *,
    account: bool = False,
    places: Places | None = None,
    timing: Timing = DEFAULT,
) -> Balance:
    """Ask what is left of the provider's key or, in the second way, of the account. InvalidInputError where no such
    call is known; MissingKeyError; GatewayError where it does not tell."""
    places = places or PLACES
    _check_known(provider, places)
    if account:
        found = ask_account(provider, _account_key(provider, config), places, timing)
    else:
        found = ask_key(provider, provider.key(config.env), timing)
    next_usd, next_by = next_price(provider, config, ledger)
    left = found.left_usd
    short = left is not None and (left <= 0 or left < next_usd)
    return dataclasses.replace(found, next_usd=next_usd, next_by=next_by, short=short)


def ask_key(provider: Provider, key: str, timing: Timing) -> Balance:
    """What is left of the key, by two calls to the provider's own origin with the key in their header."""
    signed = Bearer(key, provider)
    limit = _needed(provider, _ask(provider, LIMIT_PATH, signed, timing), "hard_limit_usd")
    cents = _needed(provider, _ask(provider, USED_PATH, signed, timing), "total_usage")
    unlimited = _is_unlimited(limit)
    left, used = None if unlimited else limit - cents / 100, cents / 100
    return _made(provider, "key", left, used, unlimited=unlimited, asked_at=timing.clock())


def ask_account(provider: Provider, key: str, places: Places, timing: Timing) -> Balance:
    """What is left of the account. Of the response, which lists all keys by name, two numbers are read."""
    # The owner's headers and authorities are for the provider's own origin.
    there = dataclasses.replace(provider, base_url=places.account, headers=(), ca_bundle="")
    fields = _ask(there, ACCOUNT_PATH, KeyInUrl(key, places.account), timing)
    left, used = _needed(there, fields, "total_quota"), _usd(fields, "total_used_quota")
    unlimited = _is_unlimited(left)
    if used is not None and (used < 0 or _is_unlimited(used)):
        used = None
    remaining = None if unlimited else left
    return _made(there, "account", remaining, used, unlimited=unlimited, asked_at=timing.clock())


def next_price(provider: Provider, config: Config, ledger: Ledger) -> tuple[float, Literal["last_job", "cap"]]:
    """What the next job there may cost, in dollars: as much as the last one, or else as a job may cost here."""
    with contextlib.suppress(LedgerError):
        if ledger.database.exists:
            last = ledger.queries.last_bought(provider.name)
            if last is not None and last.estimated_usd:
                return last.estimated_usd, "last_job"
            return ledger.spending(config.budget).per_job.usd_per_job, "cap"
    return config.budget.usd_per_job, "cap"


def _check_known(provider: Provider, places: Places) -> None:
    if provider.name != COMETAPI:
        raise InvalidInputError(
            f"No call for the balance at {provider.name} is known.",
            hint=f"It is known of {COMETAPI} alone.",
            code="balance_unsupported",
        )
    if not knows_balance(provider, places):
        raise InvalidInputError(
            f"The base URL of {COMETAPI} is at {place_of(provider.base_url)}, where no call for the balance is known.",
            hint=f"Only {place_of(places.own)} is asked: it would need COMETAPI_BASE_URL to be unset.",
            code="balance_unsupported",
        )


def _account_key(provider: Provider, config: Config) -> str:
    """The key that the owner made for this call alone, else the provider's."""
    file = config.settings.home / "keys" / QUERY_KEY
    if file.exists() or file.with_name(f"{file.name}.txt").exists():  # the second is told: Windows hides its ending
        return dataclasses.replace(provider, key_variable="", key_file=file).key({})
    return provider.key(config.env)


def _made(
    provider: Provider,
    of: Literal["key", "account"],
    left: float | None,
    used: float | None,
    *,
    unlimited: bool,
    asked_at: float,
) -> Balance:
    host = urlsplit(provider.base_url).hostname or ""
    return Balance(
        provider=provider.name,
        of=of,
        host=host,
        asked_at=asked_at,
        left_usd=None if left is None else round(left, 6),
        used_usd=None if used is None else round(used, 6),
        unlimited=unlimited,
    )


def _ask(provider: Provider, path: str, auth: requests.auth.AuthBase, timing: Timing) -> Any:
    """The JSON of the response. GatewayError, which does not hold on to what went wrong: that has the URL, and JSON
    that is none has other keys' names."""
    url, timeout_s = provider.base_url + path, timing.balance_timeout_s
    end = timing.monotonic() + timeout_s
    body, why, code, hint = b"", "", "", ""
    try:
        with (
            new_session(url, provider) as session,
            session.get(url, auth=auth, timeout=timeout_s, stream=True, allow_redirects=False) as response,
        ):
            status = response.status_code
            for piece in iter_body(response) if status == 200 else ():
                body += piece
                if len(body) > LARGEST_ANSWER or timing.monotonic() > end:
                    raise requests.exceptions.ReadTimeout("the response is too long or too slow")
    except NETWORK_ERRORS as error:
        why, code, hint = in_words(error), classify_network_error(error), network_hint(error, "")
    if why:
        raise _trouble(provider, why, code=code, hint=hint)
    if status != 200:
        raise _trouble(provider, f"HTTP {status}", http_status=status if status in TELLING else None)
    fields = None
    with contextlib.suppress(ValueError):
        fields = read_json(body)
    if not isinstance(fields, dict):
        raise _trouble(provider, "the response is not a JSON object")
    return fields


def _trouble(
    provider: Provider, why: str, *, code: str = "", hint: str = "", http_status: int | None = None
) -> GatewayError:
    host = urlsplit(provider.base_url).hostname
    usual = "Look at the balance on CometAPI's own page. If this stays, check the key, the network and the proxy."
    if host == urlsplit(PLACES.own).hostname:
        usual += " `sora balance --account` asks the call that CometAPI documents; it sends the key in a URL."
    return GatewayError(
        f"{host} did not tell the balance: {why}.",
        hint=hint or usual,
        charge="none",
        code=code,
        http_status=http_status,
    )


def _needed(provider: Provider, fields: Any, name: str) -> float:
    if (found := _usd(fields, name)) is None:
        raise _trouble(provider, f"the response has no number {name}")
    return found


def _usd(fields: Any, name: str) -> float | None:
    """The finite number of that name; None for anything else."""
    value = fields.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or abs(value) > 1e15:
        return None
    return float(value) if math.isfinite(value) else None


def _is_unlimited(usd: float) -> bool:
    return usd == -1 or usd >= UNLIMITED_USD
