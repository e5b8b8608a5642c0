"""The ledger's schema, as append-only numbered steps: a step that was released is never changed, only followed.

Not Alembic: its context is one global per process, and ComfyUI runs its own in the same process.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, inspect, text

from ..errors import LedgerError


def _1_jobs(connection: Connection) -> None:
    """One row per purchase. `slot` holds the identity while the row stands for it, and is empty once it is free again
    (refused, declared lost): its uniqueness is what makes a purchase happen once."""
    real = "DOUBLE PRECISION"
    connection.execute(
        text(f"""
        CREATE TABLE jobs (
            id VARCHAR(16) PRIMARY KEY,
            slot VARCHAR(64) UNIQUE,
            identity VARCHAR(64) NOT NULL,
            kind VARCHAR(16) NOT NULL,
            state VARCHAR(16) NOT NULL,
            provider VARCHAR(64) NOT NULL,
            origin TEXT NOT NULL,
            model TEXT NOT NULL,
            seconds VARCHAR(16) NOT NULL,
            size VARCHAR(16) NOT NULL,
            prompt TEXT NOT NULL,
            take INTEGER NOT NULL,
            parent TEXT NOT NULL,
            extra_fields TEXT NOT NULL,
            reference_files TEXT NOT NULL,
            owner VARCHAR(32) NOT NULL,
            video_id TEXT NOT NULL,
            remote_status TEXT NOT NULL,
            progress {real},
            estimated_usd {real},
            created_at {real} NOT NULL,
            sent_at {real},
            submitted_at {real},
            completed_at {real},
            stored_at {real},
            error TEXT NOT NULL,
            error_code TEXT NOT NULL,
            request_id TEXT NOT NULL,
            path TEXT NOT NULL,
            root TEXT NOT NULL,
            sha256 VARCHAR(64) NOT NULL,
            bytes BIGINT
        )""")
    )
    connection.execute(text("CREATE INDEX jobs_created_at ON jobs (created_at)"))
    connection.execute(text("CREATE INDEX jobs_video_id ON jobs (video_id)"))
    connection.execute(text("CREATE INDEX jobs_state ON jobs (state)"))


def _2_watchers(connection: Connection) -> None:
    """One process at a time watches a job: `watcher` does until `watched_until`. `owners` tells which live, where a
    file lock cannot; `probes` are files by which machines see that they share one output folder."""
    for column in ("watcher VARCHAR(32) NOT NULL DEFAULT ''", "watched_until DOUBLE PRECISION NOT NULL DEFAULT 0"):
        connection.execute(text(f"ALTER TABLE jobs ADD COLUMN {column}"))
    connection.execute(text("CREATE TABLE owners (id VARCHAR(32) PRIMARY KEY, seen_at DOUBLE PRECISION NOT NULL)"))
    connection.execute(
        text("CREATE TABLE probes (machine VARCHAR(255) PRIMARY KEY, file TEXT NOT NULL, at DOUBLE PRECISION NOT NULL)")
    )
    for index in ("state, created_at", "model, created_at", "sha256"):
        connection.execute(text(f"CREATE INDEX jobs_{index.replace(', ', '_')} ON jobs ({index})"))
    connection.execute(text("DROP INDEX jobs_state"))


def _3_lists(connection: Connection) -> None:
    """A list of one model in one state needs no look at all the others."""
    connection.execute(text("CREATE INDEX jobs_state_model_created_at ON jobs (state, model, created_at)"))


def _4_aside(connection: Connection) -> None:
    """What a person set aside: `unwatched` is not fetched in the background, `forgotten` is not listed. And the
    remixes of a video are found by its id."""
    connection.execute(text("ALTER TABLE jobs ADD COLUMN aside VARCHAR(16) NOT NULL DEFAULT ''"))
    connection.execute(text("CREATE INDEX jobs_parent ON jobs (parent)"))


def _5_identity_2(connection: Connection) -> None:
    """Version 2 of the identity beside version 1: `slot2` is held as `slot` is. A process that runs older code leaves
    both empty; identities.py fills them in. `fit` is how the references of the job were fitted."""
    for column in (
        "identity2 VARCHAR(64) NOT NULL DEFAULT ''",
        "slot2 VARCHAR(64)",
        "fit VARCHAR(16) NOT NULL DEFAULT ''",
    ):
        connection.execute(text(f"ALTER TABLE jobs ADD COLUMN {column}"))
    connection.execute(text("CREATE UNIQUE INDEX jobs_slot2 ON jobs (slot2)"))
    connection.execute(text("CREATE INDEX jobs_identity2 ON jobs (identity2)"))


def _6_machines(connection: Connection) -> None:
    """On which machine of a farm a job was bought, a process runs, and which caps its owner set. Processes with older
    code leave them empty. `jobs` comes first, as in transactions that use both tables: else one could wait for the
    other."""
    connection.execute(text("ALTER TABLE jobs ADD COLUMN machine VARCHAR(255) NOT NULL DEFAULT ''"))
    for column in (
        "machine VARCHAR(255) NOT NULL DEFAULT ''",
        "usd_per_day DOUBLE PRECISION",
        "usd_per_job DOUBLE PRECISION",
    ):
        connection.execute(text(f"ALTER TABLE owners ADD COLUMN {column}"))


def _7_costs(connection: Connection) -> None:
    """What a job was bought for (`project`, free text), and the dollars that its provider says it charged; NULL where
    none says so. Processes with older code leave both as they are."""
    for column in ("project TEXT NOT NULL DEFAULT ''", "charged_usd DOUBLE PRECISION"):
        connection.execute(text(f"ALTER TABLE jobs ADD COLUMN {column}"))


def _8_stale(connection: Connection) -> None:
    """Since when a job is stale. (The state `queued` needs no column. Processes with older code cannot read it, and
    fail before they buy.)"""
    connection.execute(text("ALTER TABLE jobs ADD COLUMN stale_at DOUBLE PRECISION"))


STEPS: tuple[Callable[[Connection], None], ...] = (
    _1_jobs, _2_watchers, _3_lists, _4_aside, _5_identity_2, _6_machines, _7_costs, _8_stale,
)  # fmt: skip


def migrate(connection: Connection) -> None:
    """Bring the schema up to date, inside the caller's exclusive transaction. LedgerError for a newer ledger."""
    if not inspect(connection).has_table("schema_version"):
        connection.execute(text("CREATE TABLE schema_version (version INTEGER NOT NULL)"))
        connection.execute(text("INSERT INTO schema_version VALUES (0)"))
    version = connection.execute(text("SELECT version FROM schema_version")).scalar_one()
    if version > len(STEPS):
        raise LedgerError(
            f"The ledger was written by a newer version of this pack (schema {version}, this one knows {len(STEPS)}).",
            hint="Update the pack; the ledger was left as it is.",
            code="ledger_newer",
        )
    for number, step in enumerate(STEPS[version:], start=version + 1):
        step(connection)
        connection.execute(text("UPDATE schema_version SET version = :number"), {"number": number})
