"""The public API: what programs, nodes and the command line call (docs/api.md). It joins the steps of a job.

Methods block. One whose name begins with `start_` begins the same in a thread of the engine's own and returns at once,
for callers with an event loop. Nothing is opened, started or imported before it is needed.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Self, TypeVar

from .config.budget import Spending
from .config.locations import default_output, state_folder
from .config.providers import COMETAPI, SANDBOX
from .config.settings import Settings
from .config.snapshot import Config
from .config.timing import DEFAULT, Timing
from .delivery.background import BackgroundDownloads
from .delivery.entry import OnProgress, Wait
from .delivery.maintenance import Maintenance
from .delivery.stored_files import StoredFiles
from .delivery.thumbnails import VARIANTS, Thumbnails
from .delivery.tracker import JobTracker
from .errors import LocalError
from .gateway.clients import ClientPool
from .jobs.quote import Quote
from .jobs.spec import Job, VideoRequest
from .ledger.costs import BY
from .ledger.ledger import Ledger
from .ledger.merge import held_elsewhere
from .ledger.whereabouts import Whereabouts
from .models.catalogue import Catalogue
from .models.model import Model
from .models.refresh import LiveCatalogue, Refreshed, seen_here
from .purchasing.asking import Asking
from .purchasing.balance import Balance
from .purchasing.buying import ALL_SUBMIT_THREADS, SUBMIT_THREADS, Buyer, bought
from .purchasing.lookup import Lookup
from .purchasing.prepared import PreparedPurchase, Tell, tell_nobody
from .purchasing.providers import Providers
from .purchasing.purchaser import Purchaser, PurchaseResult
from .purchasing.queue import Queue
from .purchasing.quote import quote, quote_request
from .purchasing.reconcile import reconcile
from .purchasing.remix import remix_request
from .sandbox.local import LocalSandbox
from .util.daemon_pool import DaemonPool
from .util.waiting import is_done
from .views.changes import Changes
from .views.history import HistoryView
from .views.settings import PageSettings

T = TypeVar("T")

__all__ = [
    "BY", "COMETAPI", "SANDBOX", "VARIANTS", "Balance", "Config", "Engine", "Model", "PurchaseResult", "Quote",
    "Refreshed", "Spending", "Wait",
]  # fmt: skip


class Engine:
    """One ledger, and the threads that buy, poll and download for it. Thread-safe; one process may have several.

    `home` is the state folder (ledger, keys, settings); without it, the one that the command line uses. Videos go into
    the folder `folder` of `output`; without that, where the command line puts them. `env` is read in place of the
    environment variables. With `others`, what another ledger of this user holds is not bought here. InvalidInputError
    if no `home` is given and this user has no home folder.

    The parts `background`, `changes`, `files`, `history`, `maintenance`, `page_settings`, `pictures`, `providers`,
    `queue` and `whereabouts` belong to the API. `ledger` and `settings` do not: they are for the engine's own packages.
    """

    def __init__(
        self,
        home: Path | str | None = None,
        output: Path | str | None = None,
        *,
        folder: str | None = None,
        env: Mapping[str, str] | None = None,
        others: bool = False,
        timing: Timing = DEFAULT,
    ) -> None:
        env = os.environ if env is None else env
        place = state_folder(env) if home is None else Path(home).absolute()
        root, usual = default_output() if output is None else (Path(output).absolute(), "sora")
        folder = usual if folder is None else folder
        self.timing, self._closing = timing, threading.Event()
        self.settings = Settings(home=place, output=root, folder=folder, env=env)
        self.ledger = Ledger(
            place,
            url=lambda: self.settings.read().database_url,
            output=self.settings.output,
            budget=lambda: self.settings.read().budget,
            timing=timing,
        )
        self.whereabouts = Whereabouts(self.settings, self.ledger.database, found=home is None)
        self._clients = ClientPool(self.settings, LocalSandbox(place / "sandbox", env), timing)
        self._models = LiveCatalogue(place, lambda: seen_here(self.ledger.queries.seen_models, self._clients), timing)
        self.home, self.output = self.settings.home, self.settings.output
        self._join(self.whereabouts.others if others else tuple)

    def _join(self, others: Callable[[], Iterable[Path]]) -> None:
        """Make the parts that know of each other."""
        parts, timing = (self.ledger, self._clients, self.settings), self.timing
        self._tasks = DaemonPool("sora-wait", 1)
        sending = DaemonPool("sora-submit", ALL_SUBMIT_THREADS, SUBMIT_THREADS)
        self._tracker = JobTracker(*parts, self._tasks, sending, timing)
        self._lookup = Lookup(self.ledger, self._clients, self._tracker.look)
        self._purchaser = Purchaser(
            self.ledger,
            self._clients,
            self._models.fresh,
            timing=timing,
            elsewhere=lambda identity: held_elsewhere(identity, others(), timing),
        )
        self.background = BackgroundDownloads(self.ledger, self.settings, self._tracker, self._tasks, timing)
        self._buyer = Buyer(
            self.ledger,
            self._purchaser,
            pool=sending,
            tasks=self._tasks,
            follow=self._tracker.follow,
            unwanted=lambda job_id: self._tracker.scheduler.wake(job_id, unless_wanted=True),
            bought=self.background.bought,
        )
        self.queue = Queue(self.ledger, self._purchaser, self._buyer, self._tracker.scheduler.wake)
        self._asking = Asking(self._lookup, self._tasks)
        self.files = StoredFiles(self.ledger, self.settings)
        self.history = HistoryView(self.ledger, self.settings, timing)
        self.changes = Changes(self.ledger, self.history, timing)
        self.maintenance = Maintenance(*parts)
        self.page_settings = PageSettings(self.settings, self.ledger, timing)
        self.pictures = Thumbnails(self._tracker, self._clients, self.settings)
        self.providers = Providers(*parts)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop all threads. Creates that are under way get a moment for their response; the rest goes on next time."""
        self._closing.set()
        self.background.close()
        self._tasks.close()
        self._tracker.close(self.timing.create_close_s)
        self._buyer.close()
        self._asking.close()
        self.changes.close()
        self._clients.close()
        self.ledger.close()

    # -- buy and wait -------------------------------------------------------------------------------------------------

    def create(self, request: VideoRequest, *, tell: Tell = tell_nobody) -> Job:
        """Buy what `request` asks for, once, and return its job as soon as the provider has it. The same request again
        returns the same job. `tell(warning)` is called, in another thread, before anything is sent.

        Ctrl-C stops what is not sent yet; the response to what is sent is waited for and recorded first.
        InvalidInputError, NotPurchasedError: nothing was bought. PurchaseUncertainError: perhaps; see `reconcile`.
        """
        return bought(self.start_create(request, tell=tell))

    def start_create(
        self, request: VideoRequest, *, listed: bool = False, tell: Tell = tell_nobody
    ) -> Future[PurchaseResult]:
        """Begin to buy. Cancelled, it sends nothing that is not on its way yet. With `listed` the catalogue has to have
        the model of a new purchase."""
        self._check_open()
        return self._buyer.buy(lambda: self._purchaser.prepare(request, listed=listed, tell=tell), request.provider)

    def remix(self, job: Job | str, prompt: str, take: int = 1, project: str = "", *, tell: Tell = tell_nobody) -> Job:
        """Buy a remix of a finished job as `create` buys, for the parent's project unless another one is named.
        InvalidInputError if it is not finished, or its provider has no remix."""
        return bought(self.start_remix(job, prompt, take, project, tell=tell))

    def start_remix(
        self, job: Job | str, prompt: str, take: int = 1, project: str = "", *, tell: Tell = tell_nobody
    ) -> Future[PurchaseResult]:
        """Begin to buy a remix."""

        def prepare() -> PreparedPurchase:
            parent = self._tracker.look(_id(job))
            request = remix_request(parent, prompt, take, project, self.catalogue)
            return self._purchaser.prepare(request, remix_of=parent, tell=tell)

        self._check_open()
        return self._buyer.buy_for(prepare, lambda: self._lookup.provider_of(_id(job)))

    def wait(self, job: Job | str, timeout: float = 3600.0, on_progress: OnProgress | None = None) -> Job:
        """Wait until the job's MP4 is on disk, `timeout` seconds at most, and return the stored job.
        `on_progress(fraction from 0 to 1, one line of status)` is called in this thread whenever either changes.

        Whatever ends the waiting, Ctrl-C too, the job goes on, and is downloaded in the background for as long as the
        engine is open. WaitTimeoutError, JobFailedError, NotFinishedError, LocalError: why there is no video.
        """
        wait, shown = self.start_wait(job, timeout), (-1.0, "")
        try:
            while not is_done(wait.future):
                if on_progress is not None and (now := (wait.fraction, wait.status)) != shown:
                    on_progress(*now)
                    shown = now
            return wait.future.result()
        except BaseException:  # Ctrl-C is no Exception
            wait.cancel()
            self.background.collect(_id(job))
            raise

    def start_wait(self, job: Job | str, timeout: float = 3600.0) -> Wait:
        """Begin to wait. A Wait has `future`, `fraction`, `status` and `cancel()`."""
        self._check_open()
        return self._tracker.wait(_id(job), timeout_s=timeout)

    def path(self, job: Job) -> Path:
        """Return the absolute path of a stored job's MP4 in `output`; StorageError where it is gone."""
        return self.files.path(job)

    # -- jobs of the ledger, and of providers -------------------------------------------------------------------------

    def jobs(
        self, *, state: str = "", model: str = "", search: str = "", limit: int = 100, archived: bool = False
    ) -> list[Job]:
        """Return the ledger's jobs, newest first: of that state and model, with `search` in the prompt or an id.
        Without `archived`, those that a person has archived are left out."""
        if not self.ledger.database.exists:
            return []
        return self.ledger.jobs(state=state, model=model, search=search, limit=limit, forgotten=archived)

    def find(self, text: str, provider: str = "") -> Job | None:
        """Return the ledger's job of that id, or of that id at `provider`; None where there is none. Nobody is asked.
        InvalidInputError if no provider is named and several have it."""
        return self._lookup.find(text, provider)

    def open(self, text: str, provider: str = "") -> Job:
        """Return a job by its ledger id, a line of `history.labels()`, or a provider's id: one of that provider where
        it is named, else of the only provider that the ledger has it from, else one from elsewhere, which is looked up
        there and added. InvalidInputError; JobFailedError for one that failed and cannot be asked about again."""
        return self._lookup.open(text, provider)

    def reconcile(self, job: Job | str, *, video_id: str = "", lost: bool = False) -> Job:
        """End an uncertain purchase: with the one job of the provider's list that fits, with the id that it has there
        (which is asked for first), or given up as `lost`, after which the same request is bought again. Any other job
        comes back as it is, unless it is given an id or up. PurchaseUncertainError if the list does not tell."""
        return reconcile(self.ledger, self._clients.now(), self._tracker.read(_id(job)), video_id, lost=lost)

    def ask_again(self, job: Job | str) -> Job:
        """Ask the provider again about a job that failed or is stale, which is free; others come back as they are."""
        return self._lookup.ask(_id(job))

    def uncertain_jobs(self) -> list[Job]:
        """Return the uncertain purchases. What a process that is dead now was sending becomes one first."""
        self._tracker.recover_orphans()
        return self.jobs(state="unknown")

    # -- money, models ------------------------------------------------------------------------------------------------

    def quote(self, wanted: VideoRequest | Mapping[str, Any], *, config: Config | None = None) -> Quote:
        """Return what a request, or what a node asks for (`quote.quote`), would cost. No key is needed, and nothing is
        sent or written. InvalidInputError where it is known to be impossible."""
        clients, catalogue = self._clients.now(config), self.fresh_catalogue()
        if isinstance(wanted, VideoRequest):
            return quote_request(wanted, clients, catalogue)
        return quote(wanted, clients, catalogue, lambda name, at: self._lookup.find(name, at, clients))

    def spent(self, config: Config | None = None) -> Spending:
        """Return what the last 24 hours cost, and the caps that count here."""
        budget = (config or self.settings.read()).budget
        return self.ledger.spending(budget) if self.ledger.database.exists else Spending(0.0, budget, budget)

    @property
    def catalogue(self) -> Catalogue:
        """The models that are known now."""
        return self._models.now()

    def fresh_catalogue(self) -> Catalogue:
        """The same after the ledger was asked what it saw of them: not for a host's event loop."""
        return self._models.fresh()

    def refresh_models(self) -> Refreshed:
        """Ask CometAPI for its public list of models, and keep it. GatewayError, StorageError: it stays as it is."""
        return self._models.refresh(self._clients.now().provider(COMETAPI))

    def start(self, work: Callable[[], T], *, key: str = "", job: Job | str = "") -> Future[T]:
        """Have `work()` done in a thread of the engine's: a method that asks a provider or decodes a video. Those with
        the same `key`, a provider's name, or for `job`'s provider, take turns, and do not hold up all others."""
        self._check_open()
        return self._asking.start(work, key, _id(job))

    def _check_open(self) -> None:
        if self._closing.is_set():
            raise LocalError("The engine is closed.", hint="Make another one.", code="closed")


def _id(job: Job | str) -> str:
    return job if isinstance(job, str) else job.id
