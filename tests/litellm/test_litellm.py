"""A third party's gateway in the middle: our whole road through a real LiteLLM proxy, behind which the sandbox stands.

It sends a create upstream three times when that is in trouble. Nobody tells us, so the ledger has to say what can be
known: that nobody can tell whether there is a job.
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sora_jobs.engine import Engine
from sora_jobs.errors import JobFailedError, PurchaseUncertainError, RequestRejectedError
from sora_jobs.jobs.spec import Job, VideoRequest
from sora_jobs.media.export import save_frames
from sora_jobs.media.frames import FrameChoice
from sora_jobs.sandbox import Sandbox

from ..failures import failing
from .proxy import ENABLED, OPT_IN, Proxy

pytestmark = pytest.mark.skipif(not ENABLED, reason=OPT_IN)

SPEC = VideoRequest(provider="proxy", prompt="a paper boat", model="sora-2", seconds="4", size="1280x720")
OMNI = {"model": "seedance-2-5", "size": "854x480"}  # at the proxy, a sandbox that speaks as vLLM-Omni makes it


class Chain:
    """Our engine, the proxy, and the sandbox; all counts are since the test began."""

    def __init__(self, folder: Path, proxy: Proxy, sandbox: Sandbox) -> None:
        home = folder / "home"
        home.mkdir()
        (home / "providers.toml").write_text(
            f'[provider.proxy]\nbase_url = "{proxy.url}/v1"\nkey_variable = "PROXY_KEY"\nremix = true\n'
            "poll_seconds = 0.2\nusd_per_second = 0.1\n",
            encoding="utf-8",
        )
        self.engine = Engine(home, folder / "output", env={"PROXY_KEY": proxy.key, "SORA_BACKGROUND_DOWNLOADS": "0"})
        self._counts, self._jobs = sandbox.routes.counts, sandbox.routes.jobs
        self._sent_before, self._bought_before = self._all_sent(), self._all_bought()

    def buy(self, directives: str = "", **change: Any) -> Job:
        prompt = f"{SPEC.prompt} [sandbox: {directives}]" if directives else SPEC.prompt
        job: Job = self.engine.start_create(dataclasses.replace(SPEC, prompt=prompt, **change)).result(120).job
        return job

    def wait(self, job: Job) -> Job:
        done: Job = self.engine.start_wait(job.id, timeout=30).future.result(40)
        return done

    def only_row(self) -> Job:
        (job,) = self.engine.ledger.jobs()
        return job

    @property
    def sent(self) -> int:
        """How many creates came to the sandbox."""
        return self._all_sent() - self._sent_before

    @property
    def bought(self) -> int:
        """How many of them became a job there."""
        return self._all_bought() - self._bought_before

    def _all_sent(self) -> int:
        return self._counts["POST", "/v1/videos"]

    def _all_bought(self) -> int:
        return len(self._jobs.store.newest())


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("sandbox"), seconds=1, dialect="openai") as running:
        yield running


@pytest.fixture(scope="module")
def proxy(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("proxy")
    with Sandbox(folder / "omni", seconds=1, dialect="vllm-omni") as omni:
        upstreams = {"sora-2": f"{sandbox.url}/v1", OMNI["model"]: f"{omni.url}/v1"}
        with Proxy(folder / "run", upstreams) as running:
            yield running


@pytest.fixture
def chain(tmp_path: Path, proxy: Proxy, sandbox: Sandbox) -> Iterator[Chain]:
    made = Chain(tmp_path, proxy, sandbox)
    yield made
    made.engine.close()


def test_create_wait_file_and_frames(chain: Chain, sandbox: Sandbox, tmp_path: Path) -> None:
    """The film is on disk under an id that the proxy made; the same again is not bought twice."""
    job = chain.buy()
    assert len(job.video_id) > 200
    (there,) = sandbox.routes.jobs.store.newest()
    assert there.id in base64.b64decode(job.video_id.removeprefix("video_") + "==").decode()
    done = chain.wait(job)
    path = chain.engine.path(done)
    assert (done.state.value, path.read_bytes()) == ("stored", sandbox.routes.jobs.renders.path_of(there).read_bytes())
    files = save_frames(path, tmp_path / "frames", FrameChoice(frame_load_cap=3))
    assert [file.name for file in files] == [f"frame_{number:06}.png" for number in range(3)]
    assert (chain.buy().id, chain.sent, chain.bought) == (job.id, 1, 1)


def test_a_remix(chain: Chain) -> None:
    """Through the proxy as well; it names its source by the sandbox's own id, which is of no use to us."""
    parent = chain.wait(chain.buy())
    remix = chain.engine.start_remix(parent.id, "at night [sandbox: fail=broken]").result(60).job
    assert (remix.parent, chain.bought) == (parent.video_id, 2)
    with failing(JobFailedError, "broken"):
        chain.wait(remix)


def test_a_failing_job(chain: Chain) -> None:
    """Told as what it is, with the sandbox's own code."""
    job = chain.buy("fail=moderation_blocked")
    with failing(JobFailedError, "moderation_blocked"):
        chain.wait(job)
    assert chain.engine.ledger.job(job.id).error_code == "moderation_blocked"


def test_a_failing_job_of_vllm_omni_behind_it(chain: Chain) -> None:
    """That answers HTTP 500 with the whole object, which comes as text inside an error of the proxy."""
    job = chain.buy("fail=broken", **OMNI)
    with pytest.raises(JobFailedError, match="broken"):
        chain.wait(job)


def test_a_refusal(chain: Chain) -> None:
    """HTTP 400 is sent upstream once, and read as the no that it is."""
    with pytest.raises(RequestRejectedError, match="blocked by our moderation system") as refused:
        chain.buy("refuse=moderation")
    assert (refused.value.charge, chain.sent, chain.bought) == ("none", 1, 0)
    assert (chain.only_row().state.value, chain.only_row().video_id) == ("refused", "")
    assert "blocked by our moderation system" in chain.only_row().error


def test_a_model_that_it_does_not_have(chain: Chain) -> None:
    """Refused by the proxy itself: nothing goes upstream."""
    with pytest.raises(RequestRejectedError, match="Invalid model name"):
        chain.buy(model="nobody-has-this")
    assert (chain.sent, chain.only_row().state.value) == (0, "refused")


def test_429(chain: Chain) -> None:
    """Three times by the proxy, then by us, who waited as long as was asked: one job in the end, as the row says."""
    job = chain.buy("429=3, fail=x")
    assert (chain.sent, chain.bought) == (4, 1)
    assert (job.state.value, job.error) == ("submitted", "")


def test_500(chain: Chain) -> None:
    """Three creates upstream, and no word on whether there is a job: unknown, and not sent again by itself."""
    with pytest.raises(PurchaseUncertainError, match="HTTP 500") as lost:
        chain.buy("refuse=server_error")
    assert (lost.value.charge, chain.sent, chain.bought) == ("possible", 3, 0)
    row = chain.only_row()
    assert (row.state.value, row.video_id) == ("unknown", "")
    assert "HTTP 500" in row.error
    assert "The server had an error" in row.error
    with pytest.raises(PurchaseUncertainError):
        chain.buy("refuse=server_error")
    assert chain.sent == 3


@pytest.mark.parametrize(
    ("directive", "status", "says"),
    [("lost_answer", 500, "Server disconnected"), ("broken_answer", 502, "502 Bad Gateway")],
)
def test_a_lost_answer(chain: Chain, directive: str, status: int, says: str) -> None:
    """Three jobs are paid for at the sandbox. The ledger has one purchase of which nobody can tell, says that it may
    have cost money, and sends nothing more until its owner has settled it."""
    with pytest.raises(PurchaseUncertainError, match=f"HTTP {status}") as lost:
        chain.buy(directive)
    assert (lost.value.charge, chain.sent, chain.bought) == ("possible", 3, 3)
    row = chain.only_row()
    assert (row.state.value, row.estimated_usd) == ("unknown", 0.4)
    assert says in row.error
    with pytest.raises(PurchaseUncertainError) as again:
        chain.buy(directive)
    assert (again.value.job, chain.sent) == (row.id, 3)
    assert chain.engine.reconcile(row.id, lost=True).state.value == "lost"


def test_a_proxy_that_sends_once(tmp_path: Path, sandbox: Sandbox) -> None:
    """With `num_retries: 0`, as our page on providers says, a lost answer is one job upstream and not three."""
    with Proxy(tmp_path / "run", {"sora-2": f"{sandbox.url}/v1"}, retries=0) as proxy:
        chain = Chain(tmp_path, proxy, sandbox)
        try:
            with pytest.raises(PurchaseUncertainError):
                chain.buy("lost_answer, silent")
            assert (chain.sent, chain.bought, chain.only_row().state.value) == (1, 1, "unknown")
        finally:
            chain.engine.close()
