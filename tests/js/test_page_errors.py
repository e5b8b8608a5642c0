"""What the page says of an error is what messages.py says: the same sentences, put together in the same way."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from sora_jobs import errors
from sora_jobs.errors import MediaError, PurchaseUncertainError, RequestRejectedError, SoraError
from sora_jobs.messages import _BY_CODE, RECONCILE_HINT

from .. import page_errors

SCRIPT = """
import { errorText, setLanguage } from %s;
const given = JSON.parse(await new Promise((read) => {
  let text = "";
  process.stdin.on("data", (part) => (text += part)).on("end", () => read(text));
}));
const said = {};
for (const language of ["en", "vi", "zh"]) {
  await setLanguage(language);
  said[language] = given.map(errorText);
}
process.stdout.write(JSON.stringify(said));
"""


def some_errors() -> Iterator[SoraError]:
    """Of every class, with every code that has words; with and without a job, a request and a hint."""
    classes = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, SoraError)]
    for each in classes:
        for code in ("", "no_such_code", *_BY_CODE):
            yield each("It ended ($1 & more).", code=code)
            yield each("It ended.", code=code, hint="Look at {job}.", job="j1", request_id="r9", charge="charged")
    for status in (302, 401, 404, 413, 500):
        yield RequestRejectedError("no", http_status=status)
    yield PurchaseUncertainError("cut", hint=RECONCILE_HINT, job="j1")
    yield MediaError("no video")


@pytest.mark.parametrize("language", page_errors.LANGUAGES)
def test_the_pages_tables_are_made_of_messages_toml(language: str) -> None:
    """`python tests/page_errors.py` writes them anew."""
    assert page_errors.place(language).read_text(encoding="utf-8") == page_errors.rendered(language)


def test_the_page_says_what_the_nodes_say() -> None:
    """Whatever the language of the server is when it tells the page."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    made = list(some_errors())
    module = json.dumps((page_errors.ROOT / "js" / "words.mjs").as_uri())
    ran = subprocess.run(
        [node, "--input-type=module", "--eval", SCRIPT % module],
        input=json.dumps([error.changed(language="vi").for_page() for error in made]),
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    said = json.loads(ran.stdout)
    for language, texts in said.items():
        assert texts == [str(error.changed(language=language)) for error in made], language
    assert {error.kind for error in made} >= {*_BY_CODE.values()} - {"moderation_create", "moderation_output"}
