"""The one file that joins the pieces: what nodes and the command line call.

Everything that can block runs in the engine's own threads and comes back as a `concurrent.futures.Future`; nothing is
opened, started or imported before it is needed.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from .config.budget import Spending
from .config.keys import default_provider
from .config.providers import COMETAPI, no_such_provider
from .config.settings import Settings
from .config.timing import DEFAULT, Timing
from .delivery.background import BackgroundDownloads
from .delivery.rebuild import Rebuilt, rebuild
from .delivery.stored_files import is_same_video, own_file_of, second_name
from .delivery.thumbnails import Picture, Thumbnails
from .delivery.tracker import JobTracker
from .delivery.waits import Wait
from .errors import GatewayError, InvalidInputError, SoraError, StorageError
from .gateway.client import Client
from .gateway.clients import ClientPool
from .jobs.quote import Quote
from .jobs.remote_video import LONGEST_ID
from .jobs.spec import Job, VideoRequest
from .jobs.state import JobState
from .ledger.backups import Kept, backup
from .ledger.costs import BY, report
from .ledger.ledger import Ledger
from .ledger.merge import Imported, held_elsewhere, import_home
from .ledger.restore import restore
from .models.catalogue import Catalogue
from .models.refresh import LiveCatalogue, Refreshed, seen_here
from .purchasing.balance import Balance, balance_of
from .purchasing.buying import Buyer
from .purchasing.purchaser import PreparedPurchase, Purchaser, PurchaseResult, Tell, tell_nobody
from .purchasing.quote import quote
from .purchasing.reconcile import ask_about, ask_again, find_in_provider_list, reconcile
from .sandbox.local import LocalSandbox
from .util.daemon_pool import DaemonPool, pass_on
from .views.change_feed import ChangeFeed
from .views.history import HistoryView
from .views.news import News, in_trouble

ASK_THREADS, ALL_ASK_THREADS = 3, 8  # the same for what buys nothing

T = TypeVar("T")

__all__ = ["BY", "Engine", "PurchaseResult", "Wait"]


class Engine:
    """One per process. `output` is the root of all video files; they go into its folder `folder`. What the ledgers in
    `others()` hold is not bought here. All waits are those of `timing`."""

    def __init__(
        self,
        home: Path,
        output: Path,
        *,
        folder: str = "sora",
        env: Mapping[str, str] | None = None,
        others: Callable[[], Iterable[Path]] = tuple,
        timing: Timing = DEFAULT,
    ) -> None:
        self.timing = timing
        self.settings = Settings(home=home, output=output, folder=folder, env=os.environ if env is None else env)
        self._models = LiveCatalogue(home, lambda: seen_here(self.ledger.queries.seen_models, self._clients), timing)
        self.ledger = Ledger(
            home,
            url=lambda: self.settings.database_url,
            output=output,
            budget=lambda: self.settings.budget,
            timing=timing,
        )
        self._closing = threading.Event()
        self._sandbox = LocalSandbox(home / "sandbox", self.settings.env)
        self._clients = ClientPool(self.settings, self._sandbox, timing)
        self._purchaser = Purchaser(
            self.ledger,
            self._clients,
            self._models.fresh,
            self.settings,
            timing=timing,
            closing=self._closing,
            elsewhere=lambda identity: held_elsewhere(identity, others(), timing),
        )
        self._tracker = JobTracker(self.ledger, self._clients, self.settings, timing)
        self._background = BackgroundDownloads(self.ledger, self.settings, self._tracker, timing)
        self.history = HistoryView(self.ledger, self.settings, timing)
        self._news = News(timing)
        self._thumbnails = Thumbnails(self._tracker, self._clients, self.settings)
        self._buyer = Buyer(
            self.ledger,
            self._purchaser,
            begin=self._tracker.begin,
            call_later=self._tracker.poller.alarm,
            bought=self._background.bought,
            timing=timing,
        )
        self._asking = DaemonPool("sora-ask", ALL_ASK_THREADS, ASK_THREADS)

    @property
    def catalogue(self) -> Catalogue:
        """The models that are known now."""
        return self._models.now()

    def fresh_catalogue(self) -> Catalogue:
        """The same after the ledger was asked what it saw of them: not for the host's event loop."""
        return self._models.fresh()

    def was_bought(self, model: str, seconds: str, size: str, provider: str | None, prompt: str | None) -> bool:
        """May the ledger have such a purchase, so that it costs nothing to ask for it again? Without a prompt, any."""
        try:
            return self.ledger.database.exists and self.ledger.queries.has_bought(
                model, seconds, size, provider or COMETAPI, prompt
            )
        except SoraError:  # of the ledger, or of the settings that say where it is: told by whoever needs it
            return False

    def refresh_models(self) -> Future[Refreshed]:
        """Ask CometAPI for its public list of models, and keep it. GatewayError, StorageError: it stays as it is."""
        return self._asking.submit(lambda: self._models.refresh(self._clients.provider(COMETAPI)), COMETAPI)

    def balance(self, name: str, *, account: bool = False) -> Future[Balance]:
        """Ask what is left at that provider, for its owner; the errors are those of `balance_of`."""
        provider = self._clients.provider(name)

        def ask() -> Balance:
            return balance_of(provider, self.settings, self.ledger, account=account, timing=self.timing)

        return self._asking.submit(ask, name)

    def provider_names(self) -> list[str]:
        """The providers that a workflow may name, cometapi first."""
        return self._clients.names()

    def default_provider(self) -> str:
        """The provider that a new node names."""
        return default_provider(self.settings)

    def check_provider(self, name: str) -> None:
        """InvalidInputError where a workflow names one that is not there; nothing else of it is looked at."""
        if name not in self.provider_names():
            raise no_such_provider(self.settings, name)

    def quote(self, wanted: Mapping[str, Any]) -> Quote:
        """What a node's purchase would cost; what is `wanted`, and the errors, are those of `quote.quote`. No key is
        needed, and nothing is sent or written."""

        def find(name: str, provider: str) -> Job | None:
            return self.find(_id_in(name), provider) if self.ledger.database.exists else None

        return quote(wanted, self._clients, self.fresh_catalogue(), find)

    def submit(self, spec: VideoRequest, *, listed: bool = False, tell: Tell = tell_nobody) -> Future[PurchaseResult]:
        """Buy what `spec` asks for, once; the errors are those of `Purchaser`. Cancelled, it sends nothing that is not
        on its way yet. With `listed` the catalogue has to have the model of a new purchase; `tell(warning)` hears, in
        a thread, what is to be known of it before anything is sent."""
        return self._buyer.buy(lambda: self._purchaser.prepare(spec, listed=listed, tell=tell), spec.provider)

    def remix(
        self, job_id: str, prompt: str, take: int = 1, project: str = "", *, tell: Tell = tell_nobody
    ) -> Future[PurchaseResult]:
        """Buy a remix of a finished job, for the parent's project unless another one is named. InvalidInputError if it
        is not finished, or its provider has no remix. `tell`: see `submit`."""

        def prepare() -> PreparedPurchase:
            parent = self._tracker.look(job_id)
            if not parent.state.is_rendered:
                raise InvalidInputError(
                    f"Job {parent.id} is {parent.state.value}: only a finished video can be remixed.",
                    hint="Connect the `job` output of WaitForVideo, which waits until it is finished.",
                    job=parent.id,
                    code="job_not_finished",
                )
            self.catalogue.check_remix(parent.model, parent.id)
            spec = VideoRequest(
                kind="remix", provider=parent.provider, prompt=prompt, take=take, parent=parent.video_id,
                project=project,
            )  # fmt: skip
            return self._purchaser.prepare(spec, remix_of=parent, tell=tell)

        return self._buyer.buy_for(prepare, lambda: self._provider_of(job_id))

    def wait(self, job_id: str, *, timeout_s: float) -> Wait:
        """Wait until the job's MP4 is on disk. `timeout_s` ends the waiting for the gateway, never the job."""
        return self._tracker.wait(job_id, timeout_s=timeout_s)

    def collect_in_background(self, job_id: str) -> None:
        """Watch and fetch an unfinished job in the background, since nobody waits for it now; not where the owner does
        not want it."""
        self._background.collect_in_background(job_id)

    def start_background_downloads(self) -> int:
        """Look after every job that is unfinished or not yet fetched and that nobody watches, and from now on after
        every purchase; returns how many there are now. Other processes see from now on that the ledger is in use. On a
        farm this machine's caps count for the others, also before it buys anything. InvalidInputError, LedgerError: it
        could not begin."""
        self.ledger.database.stay()
        found = self._background.begin()
        if self.ledger.database.shared:
            _ = self.ledger.database.owner.id  # which begins the heartbeat
        return found

    def open(self, text: str, provider: str = "") -> Future[Job]:
        """A job by its ledger id, a line of `labels()`, or a gateway's id: one of that provider where it is named, else
        of the only provider that the ledger has it from, else one from elsewhere, which is looked up there.
        JobFailedError for one that failed and cannot be asked about again."""
        name = _id_in(text)

        def find() -> Job:
            job = self.find(name, provider)
            if job is not None:
                return ask_again(self.ledger, self._clients, self._tracker.look(job.id))
            if not re.fullmatch(rf"[\w.:=+/-]{{6,{LONGEST_ID}}}", name):
                raise InvalidInputError(f"{name!r} is no job of the ledger and no gateway's id.", code="unknown_video")
            chosen = self._clients.provider(provider or self.provider_names()[0])
            try:
                video = self._clients.client(chosen.name).retrieve(name)
            except GatewayError as error:
                if error.is_unknown_job:
                    known = ", ".join(f"{job.id} ({job.provider})" for job in self.ledger.queries.of_gateways(name))
                    raise InvalidInputError(
                        f"{chosen.name} knows no job {name}: {error.message}",
                        hint=f"The ledger has it as job {known}: choose that one."
                        if known
                        else "Check the id, and the provider where it was bought.",
                        code="unknown_video",
                    ) from None
                raise error.changed(charge="none") from None  # looking costs nothing
            return self.ledger.observed(self.ledger.adopt(chosen.name, chosen.origin, name).id, video)

        return self._asking.submit(find, provider) if provider else self._ask(find, name)

    def find(self, name: str, provider: str = "") -> Job | None:
        """The ledger's job of that id, or of that gateway's id at `provider`; InvalidInputError where none is named and
        several providers have it."""
        if not provider or not name:
            return self.ledger.queries.find(name)
        origin = self._clients.provider(provider).origin
        return self.ledger.queries.by_id(name) or self.ledger.queries.by_gateway_id(provider, origin, name)

    def ask_again(self, job_id: str) -> Future[Job]:
        """Ask the gateway once more about a job that failed, which is free; the errors are those of `ask_about`. Any
        other job comes back as it is."""
        return self._ask(lambda: ask_about(self.ledger, self._clients, self.ledger.job(job_id)), job_id)

    def thumbnail(self, job_id: str, variant: str = "thumbnail") -> Future[Picture]:
        """A finished job's `thumbnail` or `spritesheet`, uint8 [H, W, 3]; the errors are those of
        `Thumbnails.picture`."""
        return self._asking.submit(lambda: self._thumbnails.picture(job_id, variant), "stills")

    def small_picture(self, job_id: str) -> Future[Path]:
        """A small JPEG of the stored video; the errors are those of `HistoryView.thumbnail`."""
        return self._asking.submit(lambda: self.history.thumbnail(job_id), "stills")

    def reconcile(self, job_id: str, *, video_id: str = "") -> Future[Job]:
        """End an unknown purchase: with the id found at the gateway (asked for it first), or declared lost."""

        def run() -> Job:
            return reconcile(self.ledger, self._clients, self._tracker.read(job_id), video_id)

        return self._ask(run, job_id)

    def find_in_provider_list(self, job_id: str) -> Future[Job]:
        """End an unknown purchase with what the gateway's list shows, where it has one; PurchaseUncertainError where
        that does not tell. Any other job comes back as it is."""

        def run() -> Job:
            return find_in_provider_list(self.ledger, self._clients, self._tracker.read(job_id))

        return self._ask(run, job_id)

    def set_visibility(self, job_id: str, aside: str) -> Future[Job]:
        """Stop looking after a job in the background (UNWATCHED), leave it out of lists (FORGOTTEN), or "" to end
        either; the errors are those of `Ledger.set_visibility`."""

        def put() -> Job:
            job = self.ledger.set_visibility(job_id, aside)
            if aside:
                self._background.leave(job_id)
            else:
                self._background.collect_in_background(job_id)
            return job

        return self._asking.submit(put)

    def listen(self, tell: Callable[[Job, str], None]) -> None:
        """Have `tell(job, the state before)` called, in a thread of the engine's, when a job of this process changed;
        for one job not more often than every quarter of a second. `news` tells from now on what is noted here."""

        def note(job: Job, was: str) -> None:
            self._news.add(job, was)
            tell(job, was)

        self.ledger.listener = ChangeFeed(self._tracker, note, self.timing).changed

    def news(self, after: str = "", age_s: float = 0.0) -> dict[str, Any]:
        """{"mark", "jobs"}: rows of jobs that got into trouble since that mark and still are, the latest last; without
        a mark those of the last `age_s` seconds. For who may have missed what `listen` told."""
        mark, names = self._news.since(after, age_s)
        jobs = [self.ledger.job(name) for name in names]
        return {"mark": mark, "jobs": [self.history.row(job) for job in jobs if in_trouble(job)]}

    def unsettled(self) -> list[Job]:
        """Purchases of which nobody knows what became of them."""
        self._tracker.recover_orphans()
        return self.ledger.jobs(state=JobState.UNKNOWN)

    def client(self, provider: str, *, key: bool = True) -> Client:
        """A client for that provider, for a look that costs nothing; MissingKeyError, InvalidInputError. Without its
        `key` it is the caller's own, to be closed."""
        return self._clients.client(provider) if key else Client(self._clients.provider(provider), "", self.timing)

    def labels(self, limit: int = 200) -> list[str]:
        """The ledger's newest jobs as readable lines, for a combo; [] where there is no ledger yet."""
        if not self.ledger.database.exists:
            return []
        return [job.label for job in self.ledger.jobs(limit=limit)]

    def set_project(self, job_id: str, project: str) -> Future[Job]:
        """Put a job down to another project; the errors are those of `Ledger.set_project`."""
        return self._asking.submit(lambda: self.ledger.set_project(job_id, project))

    def costs(self, by: str, since: str = "", *, page: bool = False) -> dict[str, Any]:
        """What jobs cost, grouped `by` one of BY; the form and the errors are those of `costs.report`."""
        return report(self.ledger.database, by=by, since=since, now=self.timing.clock(), page=page)

    def spending(self) -> Spending:
        """What the last 24 hours cost, and the caps that count here."""
        budget = self.settings.budget
        return self.ledger.spending(budget) if self.ledger.database.exists else Spending(0.0, budget, budget)

    def backup(self, file: Path) -> Kept:
        """Copy ledger, references and settings to a zip file, while they may be in use; the errors of `backup`."""
        self._refuse_shared("pg_dump copies it")
        return backup(self.settings.home, file.absolute(), self.timing)

    def restore(self, file: Path) -> Kept:
        """Put back what `backup` copied; the errors are those of `restore.restore`."""
        self._refuse_shared("psql or pg_restore puts it back")
        return restore(self.settings.home, file.absolute(), self.timing)

    def rebuild(self) -> Rebuilt:
        """Add every job that can still be found to the ledger, which may be damaged; the errors of `rebuild`."""
        return rebuild(self.ledger, self._clients, self.settings.output)

    def import_home(self, home: Path) -> Imported:
        """Bring the jobs of another state folder into the ledger; the errors are those of `merge.import_home`."""
        return import_home(home.absolute(), self.ledger)

    def _refuse_shared(self, instead: str) -> None:
        if self.ledger.database.shared:
            raise InvalidInputError(
                "The ledger is a PostgreSQL database.",
                hint=f"{instead}; the images are in {' and '.join(map(str, self.ledger.references.folders))}.",
            )

    def path(self, job: Job) -> Path:
        """The absolute path of a stored job's file under our own output root; StorageError where it is gone.

        A file that was stored under another root (by the command line, say) is linked to ours first.
        """
        return own_file_of(job, self.settings)

    def link(self, job: Job, target: Path) -> Path:
        """The stored file under another name, too: a hard link, else a copy. Nothing is overwritten."""
        source = self.path(job)
        if target.exists() and not is_same_video(job, target, source):
            raise StorageError(f"{target} exists already.", hint="Choose another name.", job=job.id)
        return target if target.exists() else second_name(job, source, target)

    def _ask(self, question: Callable[[], Job], name: str) -> Future[Job]:
        """Have a provider asked about a job, which buys nothing, in one of the threads for that provider."""
        future: Future[Job] = Future()

        def begin() -> None:
            asked = self._asking.submit(question, self._provider_of(name))
            asked.add_done_callback(lambda done: pass_on(done, future))

        self._tracker.begin(begin, future)
        return future

    def _provider_of(self, name: str) -> str:
        """By a ledger id or a gateway id; "" for a job that the ledger does not know."""
        job = self.ledger.queries.by_id(name) or next(iter(self.ledger.queries.of_gateways(name) if name else []), None)
        return job.provider if job is not None else ""

    def close(self) -> None:
        """Stop all threads. Creates that are under way get a moment for their answer; the rest goes on next time."""
        self._closing.set()
        self._buyer.close()
        self._asking.close()
        self._tracker.close()
        self._clients.close()
        self.ledger.close()


def _id_in(text: str) -> str:
    """The id at the end of a line of `labels()`, or the text itself."""
    return text.strip().rsplit(" · ", 1)[-1].strip()
