"""Every error of the engine, in one tree.

::

    SoraError                       what happened, the charge, which job, what to do next
    ├── InvalidInputError           2  wrong usage or wrong input; nothing was sent
    │   └── MissingKeyError         2  no key for the provider
    ├── NotPurchasedError           3  the provider has no job from this request
    │   ├── RequestRejectedError    3  it clearly rejected the request
    │   ├── BudgetExceededError     3  the owner's budget does not allow it; nothing was sent
    │   └── UnreachableError        3  no connection was made
    ├── PurchaseUncertainError      4  the request may have arrived; `sora resume` reconciles it
    ├── JobFailedError              5  the provider accepted the job, and it ended without a video
    ├── NotFinishedError            6  run again: the job goes on at the provider, or waits there to be downloaded
    │   ├── WaitTimeoutError        6  our own deadline passed first
    │   ├── GatewayError            6  a request for the state or the content of a job failed
    │   │   ├── TruncatedVideoError 6  the video ended too early
    │   │   └── NotOfferedError     6  the response is not a video, or its URL has expired
    │   └── DownloadExpiredError    6  the video is no longer offered for download
    └── LocalError                  7  this machine: disk, ledger, codec
        ├── StorageError            7  a file could not be written or read
        ├── LedgerError             7  the ledger could not be opened or written
        └── MediaError              7  a file cannot be decoded

The number is the exit status of the command line.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

from .messages import Charge, kind_of, text_of, values_of
from .util.disk import code_of, hint_of, reason_of
from .util.redact import redact


class SoraError(Exception):
    """The root of the tree; never raised itself.

    `message` says in one sentence what happened, `hint` what to do next, and `charge` whether money may have been
    spent (none, possible, charged). `job` is the ledger's id. `request_id` is the provider's own, which its support
    asks for. `code` names the failure: the provider's own error code, else one of the pack's (tests/wording.toml lists
    those). `language` is that of its text. An error does not change after it was made: `changed` returns another one,
    and each waiter gets its own.
    """

    exit_code: ClassVar[int] = 7
    mentions_charge: ClassVar[bool] = True
    class_kind: ClassVar[str] = ""  # its table in messages.toml, unless its code or the HTTP status names another one
    fixes_kind: ClassVar[bool] = False  # class_kind counts whatever they name
    quotes_gateway: ClassVar[bool] = False  # the message is the provider's, and is explained by the table
    is_of_create: ClassVar[bool] = False  # an HTTP status (404, say) is about the create request, and not about a job
    ends_job: ClassVar[bool] = False  # running the same again does not go on with the job
    message: str
    hint: str
    job: str
    request_id: str
    code: str
    charge: Charge = "none"
    language: str = "en"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        job: str = "",
        request_id: str = "",
        code: str = "",
        charge: Charge | None = None,
    ) -> None:
        super().__init__(redact(message))
        self.__dict__ |= {"message": redact(message), "hint": _of_job(redact(hint), job), "job": job}
        self.__dict__ |= {"request_id": request_id, "code": code} | ({"charge": charge} if charge is not None else {})

    def __setattr__(self, name: str, value: object) -> None:
        """Python's own fields only: where it was raised, what it came from."""
        if not name.startswith("__"):
            raise AttributeError(f"{name} of an error does not change; changed({name}=…) gives another one.")
        super().__setattr__(name, value)

    def __str__(self) -> str:
        """Return the text for a person: message, charge, hint, job and request."""
        return text_of(self)

    def changed(self, **fields: Any) -> Self:
        """Another error of the same class, with these fields; it came from where this one came from."""
        other = type(self).__new__(type(self), *self.args)
        Exception.__init__(other, *self.args)
        other.__dict__ |= self.__dict__ | fields
        other.__cause__, other.__suppress_context__ = self.__cause__, self.__suppress_context__
        return other.with_traceback(self.__traceback__)

    @property
    def kind(self) -> str:
        """The class of failure, as messages.toml names it."""
        return kind_of(self)

    def as_dict(self) -> dict[str, str]:
        """Return the fields as `--json` writes them: with the earlier names of hint and charge, `advice` and `money`,
        beside them in this release."""
        old = {"none": "none", "possible": "perhaps", "charged": "spent"}[self.charge]
        return {
            "error": self.message, "hint": self.hint, "charge": self.charge, "job": self.job, "code": self.code,
            "kind": self.kind, "request_id": self.request_id, "text": str(self), "advice": self.hint, "money": old,
        }  # fmt: skip

    def for_page(self) -> dict[str, Any]:
        """Return the English text, and what ComfyUI's page makes one of in its own language: the kind and values."""
        text = str(self.changed(language="en"))
        return {"error": text, "kind": self.kind, "code": self.code, "values": values_of(self)}

    def with_job(self, job: str) -> Self:
        """The error, naming the ledger's job."""
        job = self.job or job
        return self.changed(job=job, hint=_of_job(self.hint, job))


def _of_job(hint: str, job: str) -> str:
    for command in ("sora resume", "sora cancel") if job else ():
        hint = hint.replace(f"{command} JOB", f"{command} {job}")
    return hint


class _FromResponse(Exception):
    """What an HTTP response of a provider adds to an error: `http_status`, None where no response came;
    `retry_after_s`, the delay that it asks for, None without one; `transient`: may the same request succeed later?"""

    quotes_gateway: ClassVar[bool] = True
    transient: bool = False
    retry_after_s: float | None
    http_status: int | None

    def __init__(
        self,
        message: str,
        *,
        transient: bool | None = None,
        retry_after_s: float | None = None,
        http_status: int | None = None,
        **more: Any,
    ) -> None:
        super().__init__(message, **more)
        self.__dict__ |= {"retry_after_s": retry_after_s, "http_status": http_status}
        self.__dict__ |= {} if transient is None else {"transient": transient}


class InvalidInputError(SoraError):
    """Wrong usage or wrong input, found before anything was sent or written."""

    exit_code = 2
    class_kind = "wrong_choice"


class MissingKeyError(InvalidInputError):
    """There is no key for the provider."""

    class_kind = "no_key"


class NotPurchasedError(SoraError):
    """The provider has no job from this request; the same request may be sent again."""

    exit_code = 3


class RequestRejectedError(_FromResponse, NotPurchasedError):
    """The provider clearly rejected the request; `transient` where it may accept the same one later."""

    is_of_create = True


class BudgetExceededError(NotPurchasedError):
    """The job would go over a cap that the machine's owner set."""

    class_kind = "budget"
    fixes_kind = True


class UnreachableError(NotPurchasedError):
    """No connection was made, so nothing can have been bought. `transient` where nobody was reached, which may pass;
    not where TLS, a proxy's rejection or a setting was in the way."""

    class_kind = "network"
    transient: bool = False

    def __init__(self, message: str, *, transient: bool = False, **more: Any) -> None:
        super().__init__(message, **more)
        self.__dict__ |= {"transient": transient}


class PurchaseUncertainError(SoraError):
    """The request may have arrived, and no response that could be read came back."""

    exit_code = 4
    class_kind = "perhaps_bought"
    fixes_kind = True
    charge: Charge = "possible"


class JobFailedError(SoraError):
    """The provider accepted the job and ended it without a video."""

    exit_code = 5
    class_kind = "job_failed"
    ends_job = True
    charge: Charge = "possible"


class NotFinishedError(SoraError):
    """The job goes on at the provider; running the same again takes it up."""

    exit_code = 6
    charge: Charge = "charged"


class WaitTimeoutError(NotFinishedError):
    """The caller's own deadline passed before the video was there."""

    class_kind = "waited_long"
    fixes_kind = True


class GatewayError(_FromResponse, NotFinishedError):
    """A request for the state or the content of a job did not give what it should.

    `transient` is False where asking again cannot help (a bad key, an id that the provider does not know).
    """

    transient = True

    @property
    def is_unknown_job(self) -> bool:
        """Does the provider not know the job: not yet, or not any more?"""
        return self.http_status in (400, 404) or self.kind == "not_known"


class TruncatedVideoError(GatewayError):
    """The download came to its end, and the video holds less than it says."""


class NotOfferedError(GatewayError):
    """The response to a request for the finished video is something else, or a rejection whose reason is not our key.

    `transient` is False for a URL that is not requested at all (one without https, say): only the provider's content
    endpoint can give the video then.
    """

    class_kind = "link_lapsed"
    quotes_gateway = False


class DownloadExpiredError(NotFinishedError):
    """The provider no longer offers the finished video."""

    class_kind = "link_lapsed"
    fixes_kind = True


class LocalError(SoraError):
    """Something on this machine: disk, ledger, codec."""

    exit_code = 7


class StorageError(LocalError):
    """A file could not be written or read."""

    class_kind = "disk"


class LedgerError(LocalError):
    """The ledger could not be opened or written."""


class MediaError(LocalError):
    """A file that is not a video, or cannot be decoded."""

    mentions_charge = False


def storage_error(message: str, error: OSError, *, then: str = "Run again.", **more: Any) -> StorageError:
    """The error for a file that could not be written or read: `what` failed, why, and what to do before `then`."""
    hint = f"{hint_of(error)} {then}".strip()
    return StorageError(f"{message}: {reason_of(error)}.", hint=hint, code=code_of(error), **more)


def no_thread_error(error: RuntimeError) -> LocalError:
    """Not one thread could be had: that is no reason to wait for ever, and nothing was sent."""
    message = f"No thread could be started: {error}."
    return LocalError(message, hint="Close other programs, then run again.", code="no_thread")
