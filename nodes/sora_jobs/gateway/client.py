"""The calls of `/v1/videos` over requests: create, retrieve, content, remix; where a gateway has one, its list.

One `Client` serves one provider with one key. Each call is made once: whether it is made again is decided by its caller
and the table in retries.py, by the error.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import quote, urlsplit

import requests

from ..config.providers import Provider
from ..config.timing import DEFAULT, Timing
from ..errors import GatewayError, InvalidInputError, PurchaseUncertainError, SoraError, UnreachableError
from ..jobs.create_call import CreateCall
from ..jobs.remote_video import RemoteVideo
from ..messages import RECONCILE_HINT
from ..util.redact import place_of
from .calls import Calls, Listener
from .error_body import GatewayErrorBody, Response
from .http import (
    NETWORK_ERRORS,
    CountedBody,
    classify_network_error,
    in_words,
    is_not_connected,
    network_hint,
    new_session,
)
from .responses import read_created, read_list, read_reason, read_status
from .streams import open_address, open_content

PART_OF_ROLE = {"reference": "input_reference"}  # the form's field for an upload


@dataclass(frozen=True, kw_only=True)
class ProbeResult:
    """A response to a call that costs nothing. `redirect` is the host that it leads to; `is_page` tells HTML."""

    status: int
    date: str
    redirect: str
    is_page: bool
    body: bytes = field(repr=False)


@dataclass
class Client:
    """Calls to one provider. Thread-safe."""

    provider: Provider
    key: str = field(repr=False)
    timing: Timing = DEFAULT

    def __post_init__(self) -> None:
        self._calls = Calls(self.provider, self.key, self.timing)

    def listen(self, listener: Listener | None) -> None:
        """Have `listener(response, received)` called for each response from now on, in the thread of the request.
        `received` is None as it opens. None ends it."""
        self._calls.listener = listener

    def create(self, call: CreateCall) -> RemoteVideo:
        """Buy a video. UnreachableError, RequestRejectedError: nothing was bought. PurchaseUncertainError: nobody can
        tell."""
        # Text fields travel as parts without a file name, so that the form is multipart even without a file.
        parts: list[tuple[str, Any]] = [(name, (None, value)) for name, value in call.fields.items()]
        parts += [(PART_OF_ROLE[one.role], (one.name, one.data, one.mime)) for one in call.uploads]
        return self._created(requests.Request("POST", self._calls.url("/v1/videos"), files=parts))

    def remix(self, video_id: str, prompt: str) -> RemoteVideo:
        """Buy a remix of a completed video; errors as for create."""
        url = self._calls.url(f"{_path_of(video_id)}/remix")
        return self._created(requests.Request("POST", url, json={"prompt": prompt}))

    def retrieve(self, video_id: str) -> RemoteVideo:
        """The job's state. GatewayError where it cannot be learned now.

        Where it failed and no reason is given, the content call is asked for one, once.
        """
        video = read_status(self._ask(_path_of(video_id), "the job's state"), video_id, accepted=self._calls.accepted)
        self._calls.accepted = True
        if video.phase != "failed" or video.complaint is not None:
            return video
        reason = self._reason(video_id)
        known_by = video.request_id or (reason.request_id if reason else "")
        return dataclasses.replace(video, complaint=reason, request_id=known_by)

    def list_videos(self) -> list[RemoteVideo]:
        """The newest jobs at the gateway, for providers that have such a call. GatewayError where it gives none."""
        return read_list(self._ask("/v1/videos?limit=100&order=desc", "its list of jobs"))

    def content(self, video_id: str, headers: Mapping[str, str], variant: str = "") -> requests.Response:
        """An open stream of the finished video, or of that `variant` of it, which the caller closes.

        GatewayError for any status but 200, 206 and 416. A redirect leads to an address as in `stream`, and so does
        JSON that holds one.
        """
        # The film itself is asked for without a variant: SGLang takes any for the number of a film, and has no such.
        asked = f"?variant={variant}" if variant else ""
        url = self._calls.url(f"{_path_of(video_id)}/content{asked}")
        return open_content(self._calls, url, headers, follow=not variant)

    def stream(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        """The same from an address that the gateway gave, without the key. NotOfferedError: it has lapsed."""
        return open_address(self._calls, url, headers)

    def reach(self, path: str = "/v1/models") -> ProbeResult:
        """What a call that costs nothing (the list of models) brings; GatewayError if there is no response."""
        try:
            response = self._calls.ask(path)
        except NETWORK_ERRORS as error:
            raise GatewayError(
                f"{self.provider.name} could not be reached: {in_words(error)}.",
                hint=network_hint(error, "Check the network, the proxy and the provider's base URL."),
                charge="none",
                code=classify_network_error(error),
            ) from None
        head = response.body[:200].lstrip().lower()
        return ProbeResult(
            status=response.status,
            date=response.headers.get("date", ""),
            redirect=place_of(response.headers.get("location", "")),
            is_page=head.startswith((b"<!doctype", b"<html")),
            body=response.body,
        )

    def close(self) -> None:
        self._calls.close()

    def _ask(self, path: str, what: str) -> Response:
        """A call that changes nothing, and may be repeated."""
        try:
            return self._calls.ask(path)
        except NETWORK_ERRORS as error:
            raise GatewayError(
                f"{self.provider.name} could not be asked for {what}: {in_words(error)}.",
                hint=network_hint(error, "The job goes on there; run again later."),
                code=classify_network_error(error),
            ) from None

    def _created(self, request: requests.Request) -> RemoteVideo:
        video = read_created(self._buy(request))
        self._calls.accepted = True
        return video

    def _reason(self, video_id: str) -> GatewayErrorBody | None:
        """Why a job failed, from its content call; None where that does not tell, or goes wrong in any way."""
        url = self._calls.url(f"{_path_of(video_id)}/content")
        timeout_s = min(self.timing.failure_reason_timeout_s, self.provider.timeout_s)
        try:
            with (
                new_session(url, self.provider) as session,
                session.get(
                    url, auth=self._calls.signed, timeout=timeout_s, stream=True, allow_redirects=False
                ) as response,
            ):
                # Of anything else, such as a video after all, nothing is read.
                told = response.status_code >= 400 or "json" in response.headers.get("Content-Type", "")
                return read_reason(self._calls.read(response, timeout_s)) if told else None
        except (*NETWORK_ERRORS, SoraError):
            return None

    def _buy(self, request: requests.Request) -> Response:
        """Send a paid request once. The type of the error says whether it can have arrived."""
        request.auth = self._calls.signed
        # A connection of its own: one kept from an earlier call may be dead without our knowing, and the loss of a
        # create on it would look like money perhaps spent.
        with new_session(request.url, self.provider) as session:
            body = CountedBody(b"")
            try:
                prepared = session.prepare_request(request)
                assert isinstance(prepared.body, bytes)
                body = CountedBody(prepared.body)
                prepared.body = body  # type: ignore[assignment]  # requests takes any readable; the length is set
                settings = session.merge_environment_settings(prepared.url or "", {}, True, None, None)
                with session.send(
                    prepared, timeout=self._calls.timeouts, allow_redirects=False, **settings
                ) as response:
                    return self._calls.read(response)
            except NETWORK_ERRORS as error:
                self._lost_create(error, body.handed_out)

    def _lost_create(self, error: Exception, handed_out: bool) -> NoReturn:
        host = urlsplit(self.provider.base_url).netloc
        if not handed_out:
            raise UnreachableError(
                f"{self.provider.name} ({host}) could not be reached: {in_words(error)}.",
                hint=network_hint(error, "Check the network, the proxy and the provider's base URL, then run again."),
                code=classify_network_error(error),
                transient=is_not_connected(error),
            ) from None
        raise PurchaseUncertainError(
            f"The connection to {self.provider.name} was lost before its response came: {in_words(error)}.",
            hint=RECONCILE_HINT,
            code="connection_lost",
        ) from None


def _path_of(video_id: str) -> str:
    """The path of a video. InvalidInputError for an id that some server would take for a way to other calls."""
    if not video_id or any(part in (".", "..") for part in re.split(r"[/\\]", video_id)):
        raise InvalidInputError(f"{video_id[:80]!r} is no id of a video.", code="invalid_video_id")
    return f"/v1/videos/{quote(video_id, safe='')}"
