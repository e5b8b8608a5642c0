"""The engine's waits as tests have them. A test that needs others takes `dataclasses.replace(FAST, …)`."""

from __future__ import annotations

from sora_jobs.config.timing import Timing

# Pauses before something is tried again are short. What a wait, a lease or a search decides by its length stays as it
# is: a test of that says its own.
FAST = Timing(
    create_backoff_max_s=0.05,
    join_poll_s=0.02,
    join_poll_max_s=0.1,
    connect_retry_s=0.001,
    content_retry_s=0.001,
    content_retry_max_s=0.05,
    other_download_poll_s=0.05,
    other_download_poll_max_s=0.2,
)
