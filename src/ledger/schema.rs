//! The schema and its migrations. A released migration is never edited; a change is a new one.

use std::fs::File;
use std::path::Path;

use rusqlite::Connection;

/// Each entry takes the schema one version up.
const MIGRATIONS: [&str; 1] = ["
CREATE TABLE turns (
    seq          INTEGER PRIMARY KEY,
    turn_id      TEXT NOT NULL UNIQUE,
    actor        TEXT NOT NULL CHECK (actor IN ('galph', 'ralph')),
    mode         TEXT NOT NULL,
    iteration    INTEGER NOT NULL,
    machine      TEXT NOT NULL,
    boot_id      TEXT NOT NULL,
    opened_at    TEXT NOT NULL,
    closed_at    TEXT,
    class        TEXT,
    detail       TEXT,
    prompt       TEXT,
    agent        TEXT,
    wall_seconds REAL,
    tree_before  TEXT,
    tree_after   TEXT,
    stalemate    INTEGER NOT NULL DEFAULT 0,
    log_path     TEXT,
    summary_path TEXT,
    record       TEXT
) STRICT;
CREATE UNIQUE INDEX turns_open ON turns (actor) WHERE closed_at IS NULL;
CREATE TABLE turn_phases (
    seq     INTEGER PRIMARY KEY,
    turn_id TEXT NOT NULL REFERENCES turns (turn_id),
    phase   TEXT NOT NULL,
    edge    TEXT NOT NULL CHECK (edge IN ('begin', 'done')),
    at      TEXT NOT NULL,
    data    TEXT NOT NULL
) STRICT;
CREATE INDEX turn_phases_turn ON turn_phases (turn_id, seq);
CREATE UNIQUE INDEX turn_phases_done ON turn_phases (turn_id, phase) WHERE edge = 'done';
"];

/// The schema of this version.
pub(super) const VERSION: usize = MIGRATIONS.len();

/// The schema of a ledger; 0 for one that is not made yet.
pub(super) fn found(connection: &Connection) -> rusqlite::Result<usize> {
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(usize::try_from(found).unwrap_or(usize::MAX))
}

/// Keeps others from opening the ledger in the same moment: two seats of one clone may begin together, and SQLite waits
/// for nobody while it changes its mode.
pub(super) fn alone(path: &Path) -> Option<File> {
    let directory = File::open(path.parent()?).ok()?;
    directory.lock().is_ok().then_some(directory)
}

/// Brings an older ledger up to date, each step in a transaction. A newer one is left alone: the version is returned.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<usize> {
    let found = found(connection)?;
    for (index, migration) in MIGRATIONS.iter().enumerate().skip(found) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(migration)?;
        transaction.execute_batch(&format!("PRAGMA user_version = {}", index + 1))?;
        transaction.commit()?;
    }
    Ok(found.max(VERSION))
}

/// SQLite calls a full disk an I/O error where it extends its shared memory, and has no words of the system's.
pub(super) fn no_space(source: &rusqlite::Error) -> &'static str {
    let code = source.sqlite_error().map(|error| error.extended_code);
    match code {
        Some(rusqlite::ffi::SQLITE_FULL | rusqlite::ffi::SQLITE_IOERR_SHMSIZE) => {
            ": no space left on the disk"
        }
        Some(_) | None => "",
    }
}
