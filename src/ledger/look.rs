//! Opening the ledger for looking only, beside a running turn or in a directory that cannot be written.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use super::store::{TURN_COLUMNS, read_phase, read_turn};
use super::{Ledger, LedgerError, PhaseRecord, Turn, schema};
use crate::model::TurnId;

impl Ledger {
    /// Opens the ledger for looking only: nothing is created, migrated or written. `None` when there is no ledger yet.
    pub fn open_read_only(path: &Path) -> Result<Option<Self>, LedgerError> {
        /// A writer that ends takes its log away, perhaps between our look at it and our opening of it.
        const TRIES: u32 = 3;
        let mut tries = 1;
        loop {
            match Self::try_open_read_only(path) {
                Err(LedgerError::Sqlite { .. }) if tries < TRIES => tries += 1,
                opened => return opened,
            }
        }
    }

    fn try_open_read_only(path: &Path) -> Result<Option<Self>, LedgerError> {
        let fail = |source| LedgerError::Sqlite { action: "open", path: path.to_owned(), source };
        if !path.exists() {
            return Ok(None);
        }
        let flags =
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(read_only_uri(path), flags).map_err(fail)?;
        connection.busy_timeout(Duration::from_secs(1)).map_err(fail)?;
        let found = schema::found(&connection).map_err(fail)?;
        if found > schema::VERSION {
            return Err(LedgerError::Newer { path: path.to_owned(), found, known: schema::VERSION });
        }
        // A process that was killed while it created the ledger has left an empty one.
        Ok((found > 0).then(|| Self { connection, path: path.to_owned() }))
    }

    /// Shows every turn that has ended, oldest first and one at a time, since their records may be large.
    pub fn visit_closed(&self, mut visit: impl FnMut(Turn)) -> Result<(), LedgerError> {
        let sql = format!("SELECT {TURN_COLUMNS} FROM turns WHERE closed_at IS NOT NULL ORDER BY seq");
        let mut read = || {
            let mut statement = self.connection.prepare_cached(&sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                visit(read_turn(row)?);
            }
            Ok(())
        };
        read().map_err(|source| self.unreadable(source))
    }

    /// The newest record of a turn's journal: at which phase it is.
    pub fn last_phase(&self, turn: TurnId) -> Result<Option<PhaseRecord>, LedgerError> {
        self.connection
            .query_row(
                "SELECT phase, edge, at, data FROM turn_phases WHERE turn_id = ?1 ORDER BY seq DESC LIMIT 1",
                params![turn.to_string()],
                |row| read_phase(row, turn),
            )
            .optional()
            .map_err(|source| self.unreadable(source))
    }
}

/// SQLite would create its shared memory beside the database even for a reader. Without a log there is nothing that it
/// is needed for; with one, what is there is read as it is.
fn read_only_uri(path: &Path) -> OsString {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let has_log = fs::metadata(log).is_ok_and(|metadata| metadata.len() > 0);
    let mut uri = b"file:".to_vec();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'%' | b'?' | b'#' => uri.extend(format!("%{byte:02X}").into_bytes()),
            byte => uri.push(*byte),
        }
    }
    uri.extend(if has_log { b"?mode=ro&readonly_shm=1".as_slice() } else { b"?mode=ro&immutable=1" });
    OsString::from_vec(uri)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::testing::{closing, ledger, opening, phase};
    use crate::ledger::{Edge, Entry};
    use crate::model::Actor;

    fn listing(directory: &Path) -> Vec<(String, u64)> {
        let mut files: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len()))
            .collect();
        files.sort();
        files
    }

    #[test]
    fn looking_creates_nothing_and_sees_what_is_written_beside_a_writer_and_after_it() {
        let empty = tempfile::tempdir().unwrap();
        assert!(Ledger::open_read_only(&empty.path().join("ledger.db")).unwrap().is_none());
        assert_eq!(listing(empty.path()), []);

        let directory = tempfile::Builder::new().prefix("odd %41?#").tempdir().unwrap();
        let path = directory.path().join("ledger.db");
        let mut writer = Ledger::open(&path).unwrap();
        writer.write(&[Entry::Open(opening(1, Actor::Galph)), phase(1, "claimed", Edge::Begin)]).unwrap();
        writer.write(&[phase(1, "claimed", Edge::Done)]).unwrap();
        let look = || {
            let before = listing(directory.path());
            let ledger = Ledger::open_read_only(&path).unwrap().unwrap();
            let last = ledger.last_phase(TurnId::from_parts(1, 1)).unwrap().unwrap();
            assert_eq!((last.phase.as_str(), last.edge), ("claimed", Edge::Done));
            assert_eq!(ledger.last_phase(TurnId::from_parts(1, 2)).unwrap(), None);
            let open = ledger.open_turns().unwrap().len();
            drop(ledger);
            assert_eq!(listing(directory.path()), before);
            open
        };
        assert_eq!(look(), 1);
        writer.write(&[Entry::Close(Box::new(closing(1)))]).unwrap();
        assert_eq!(look(), 0);
        drop(writer);
        assert_eq!(look(), 0);
    }

    #[test]
    fn turns_that_have_ended_are_shown_in_order_and_open_ones_are_not() {
        let (_directory, mut ledger) = ledger();
        for number in [1, 2] {
            let open = Entry::Open(opening(number, Actor::Galph));
            ledger.write(&[open, Entry::Close(Box::new(closing(number)))]).unwrap();
        }
        ledger.write(&[Entry::Open(opening(3, Actor::Galph))]).unwrap();
        let mut seen = Vec::new();
        ledger.visit_closed(|turn| seen.push(turn.opening.id)).unwrap();
        assert_eq!(seen, [TurnId::from_parts(1, 1), TurnId::from_parts(1, 2)]);
    }

    #[test]
    fn what_a_killed_writer_left_in_its_log_is_seen_without_touching_it() {
        let (directory, mut ledger) = ledger();
        ledger.write(&[Entry::Open(opening(1, Actor::Galph))]).unwrap();
        let copy = tempfile::tempdir().unwrap();
        for (name, _) in listing(directory.path()) {
            fs::copy(directory.path().join(&name), copy.path().join(&name)).unwrap();
        }
        let before = listing(copy.path());
        assert!(before.iter().any(|(name, len)| name == "ledger.db-wal" && *len > 0), "{before:?}");
        let seen = Ledger::open_read_only(&copy.path().join("ledger.db")).unwrap().unwrap();
        assert_eq!(seen.open_turns().unwrap().len(), 1);
        drop(seen);
        assert_eq!(listing(copy.path()), before);
    }
}
