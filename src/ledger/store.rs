//! Writing and reading turns and their journal.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, TransactionBehavior, params};
use serde_json::Value;

use super::schema;
use crate::model::{Actor, TurnId};

/// The ledger cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// It was written by a newer version.
    #[error("{} was written by a newer baton (schema {found}, this one knows {known})", .path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: usize,
        /// Ours.
        known: usize,
    },
    /// SQLite refused.
    #[error("cannot {action} the ledger {}{}", .path.display(), schema::no_space(.source))]
    Sqlite {
        /// What was tried.
        action: &'static str,
        /// The database.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

/// Whether a record begins or ends a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// Written before the effect.
    Begin,
    /// Written after it.
    Done,
}

impl Edge {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::Done => "done",
        }
    }
}

/// One record to be written.
#[derive(Debug, Clone)]
pub enum Entry {
    /// A turn begins.
    Open(TurnOpening),
    /// A phase begins or ends.
    Phase(PhaseRecord),
    /// A turn ends.
    Close(Box<Closing>),
}

/// What is known of a turn when it begins.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnOpening {
    /// Its identifier.
    pub id: TurnId,
    /// The seat.
    pub actor: Actor,
    /// `combined`, `solo`, ...
    pub mode: String,
    /// The iteration; 0 where there is none (solo).
    pub iteration: u64,
    /// Which machine wrote this; a journal of another machine is never taken for our own.
    pub machine: String,
    /// The boot during which it was written.
    pub boot_id: String,
    /// When.
    pub at: Timestamp,
}

/// A journal record.
#[derive(Debug, Clone, PartialEq)]
pub struct PhaseRecord {
    /// The turn.
    pub turn: TurnId,
    /// The phase's word.
    pub phase: String,
    /// Begin or done.
    pub edge: Edge,
    /// When.
    pub at: Timestamp,
    /// What belongs to it.
    pub data: Value,
}

/// What is known of a turn when it ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Closing {
    /// The turn.
    pub turn: TurnId,
    /// When.
    pub at: Timestamp,
    /// Its outcome class, or `void` for a turn whose claim never happened.
    pub class: String,
    /// Why, in words.
    pub detail: String,
    /// The prompt.
    pub prompt: Option<String>,
    /// The agent.
    pub agent: Option<String>,
    /// How long the agent ran.
    pub wall_seconds: Option<f64>,
    /// The identity of the tree when the turn was claimed.
    pub tree_before: Option<String>,
    /// The identity of the tree when it ended.
    pub tree_after: Option<String>,
    /// Whether the turn ended in a hold for want of progress: turns before it do not count again.
    pub stalemate: bool,
    /// The log, relative to the workspace.
    pub log_path: Option<String>,
    /// The summary, relative to the workspace.
    pub summary_path: Option<String>,
    /// Everything else, for the next turn and for people.
    pub record: Value,
}

/// A turn as it was recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// How it began.
    pub opening: TurnOpening,
    /// How it ended, if it has.
    pub closing: Option<Closing>,
}

/// Which turns are asked for; newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnFilter {
    /// Of this seat only.
    pub actor: Option<Actor>,
    /// At most this many.
    pub limit: u32,
}

/// An open ledger.
#[derive(Debug)]
pub struct Ledger {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
}

pub(super) const TURN_COLUMNS: &str = "turn_id, actor, mode, iteration, machine, boot_id, opened_at, closed_at, class, detail, \
     prompt, agent, wall_seconds, tree_before, tree_after, log_path, summary_path, record, stalemate";

impl Ledger {
    /// Opens the ledger, creating or migrating it.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let fail = |action| move |source| LedgerError::Sqlite { action, path: path.to_owned(), source };
        let _alone = schema::alone(path);
        let mut connection = Connection::open(path).map_err(fail("open"))?;
        connection.busy_timeout(Duration::from_secs(10)).map_err(fail("open"))?;
        connection
            .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")
            .map_err(fail("open"))?;
        let found = schema::migrate(&mut connection).map_err(fail("migrate"))?;
        if found > schema::VERSION {
            return Err(LedgerError::Newer { path: path.to_owned(), found, known: schema::VERSION });
        }
        Ok(Self { connection, path: path.to_owned() })
    }

    /// Writes all entries or none; when this returns they are durable, and with them all that was written before.
    pub fn write(&mut self, entries: &[Entry]) -> Result<(), LedgerError> {
        write_entries(&mut self.connection, entries).map_err(|source| self.unwritable(source))
    }

    /// Writes all entries or none. Other processes see them at once, and no crash of this one loses them; a power
    /// cut may, until the next [`write`](Self::write) or [`sync`](Self::sync). For what can be found out again from durable records.
    pub fn write_soon_durable(&mut self, entries: &[Entry]) -> Result<(), LedgerError> {
        let connection = &mut self.connection;
        // In the write-ahead log, NORMAL leaves out the fsync of the commit and keeps those around a checkpoint.
        let written = connection
            .execute_batch("PRAGMA synchronous = NORMAL")
            .and_then(|()| write_entries(connection, entries));
        // Whatever became of the write, the next one has to be durable.
        let restored = connection.execute_batch("PRAGMA synchronous = FULL");
        written.and(restored).map_err(|source| self.unwritable(source))
    }

    /// Makes durable what [`write_soon_durable`](Self::write_soon_durable) has written.
    pub fn sync(&self) -> Result<(), LedgerError> {
        // A checkpoint begins with the fsync of the log, also where readers keep it from moving any page.
        let checkpoint = || self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        checkpoint().map_err(|source| self.unwritable(source))
    }

    /// The turns that have not ended, oldest first.
    pub fn open_turns(&self) -> Result<Vec<Turn>, LedgerError> {
        let sql = format!("SELECT {TURN_COLUMNS} FROM turns WHERE closed_at IS NULL ORDER BY seq");
        self.query(&sql, params![])
    }

    /// Turns, newest first.
    pub fn turns(&self, filter: TurnFilter) -> Result<Vec<Turn>, LedgerError> {
        let sql = format!(
            "SELECT {TURN_COLUMNS} FROM turns WHERE (?1 IS NULL OR actor = ?1) ORDER BY seq DESC LIMIT ?2"
        );
        self.query(&sql, params![filter.actor.map(Actor::as_str), filter.limit])
    }

    /// The newest summary that a turn has left, relative to the workspace.
    pub fn last_summary_path(&self) -> Result<Option<String>, LedgerError> {
        let read = || {
            let mut statement = self.connection.prepare_cached(
                "SELECT summary_path FROM turns WHERE summary_path IS NOT NULL ORDER BY seq DESC LIMIT 1",
            )?;
            statement.query_row([], |row| row.get(0)).optional()
        };
        read().map_err(|source| self.unreadable(source))
    }

    /// The trees before and after the newest turns that passed and whose trees are known, newest first; none from
    /// before the last stalemate.
    pub fn passed_trees(&self, limit: u32) -> Result<Vec<(String, String)>, LedgerError> {
        let read = || {
            let mut statement = self.connection.prepare_cached(
                "SELECT tree_before, tree_after FROM turns
                 WHERE class IN ('ok', 'no_change') AND tree_before IS NOT NULL AND tree_after IS NOT NULL
                     AND seq > (SELECT coalesce(max(seq), 0) FROM turns WHERE stalemate)
                 ORDER BY seq DESC LIMIT ?1",
            )?;
            let rows = statement.query_map(params![limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|source| self.unreadable(source))
    }

    /// The journal of a turn, in the order in which it was written.
    pub fn phases(&self, turn: TurnId) -> Result<Vec<PhaseRecord>, LedgerError> {
        let read = || {
            let mut statement = self.connection.prepare_cached(
                "SELECT phase, edge, at, data FROM turn_phases WHERE turn_id = ?1 ORDER BY seq",
            )?;
            let rows = statement.query_map(params![turn.to_string()], |row| read_phase(row, turn))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|source| self.unreadable(source))
    }

    fn query(&self, sql: &str, params: &[&dyn rusqlite::ToSql]) -> Result<Vec<Turn>, LedgerError> {
        let read = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            let rows = statement.query_map(params, read_turn)?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|source| self.unreadable(source))
    }

    fn unwritable(&self, source: rusqlite::Error) -> LedgerError {
        LedgerError::Sqlite { action: "write", path: self.path.clone(), source }
    }

    pub(super) fn unreadable(&self, source: rusqlite::Error) -> LedgerError {
        LedgerError::Sqlite { action: "read", path: self.path.clone(), source }
    }
}

fn write_entries(connection: &mut Connection, entries: &[Entry]) -> rusqlite::Result<()> {
    // At once for writing: one that begins as a reader is refused where somebody else writes meanwhile.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for entry in entries {
        write_entry(&transaction, entry)?;
    }
    transaction.commit()
}

fn write_entry(transaction: &Transaction<'_>, entry: &Entry) -> rusqlite::Result<()> {
    match entry {
        Entry::Open(turn) => transaction
            .prepare_cached(
                "INSERT INTO turns (turn_id, actor, mode, iteration, machine, boot_id, opened_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                turn.id.to_string(),
                turn.actor.as_str(),
                turn.mode,
                i64::try_from(turn.iteration).unwrap_or(i64::MAX),
                turn.machine,
                turn.boot_id,
                turn.at.to_string(),
            ])
            .map(|_| ()),
        Entry::Phase(record) => transaction
            .prepare_cached(
                "INSERT INTO turn_phases (turn_id, phase, edge, at, data) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                record.turn.to_string(),
                record.phase,
                record.edge.as_str(),
                record.at.to_string(),
                record.data.to_string(),
            ])
            .map(|_| ()),
        Entry::Close(closing) => {
            let changed = transaction
                .prepare_cached(
                    "UPDATE turns SET closed_at = ?2, class = ?3, detail = ?4, prompt = ?5, agent = ?6,
                     wall_seconds = ?7, tree_before = ?8, tree_after = ?9, log_path = ?10, summary_path = ?11,
                     record = ?12, stalemate = ?13 WHERE turn_id = ?1 AND closed_at IS NULL",
                )?
                .execute(params![
                    closing.turn.to_string(),
                    closing.at.to_string(),
                    closing.class,
                    closing.detail,
                    closing.prompt,
                    closing.agent,
                    closing.wall_seconds,
                    closing.tree_before,
                    closing.tree_after,
                    closing.log_path,
                    closing.summary_path,
                    closing.record.to_string(),
                    closing.stalemate,
                ])?;
            // A turn ends once: a second end would be a turn that was taken twice.
            if changed == 1 { Ok(()) } else { Err(rusqlite::Error::StatementChangedRows(changed)) }
        }
    }
}

fn invalid(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

fn parsed<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: std::str::FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text: String = row.get(column)?;
    text.parse().map_err(|error| invalid(column, error))
}

pub(super) fn read_phase(row: &Row<'_>, turn: TurnId) -> rusqlite::Result<PhaseRecord> {
    let edge: String = row.get(1)?;
    Ok(PhaseRecord {
        turn,
        phase: row.get(0)?,
        edge: if edge == "done" { Edge::Done } else { Edge::Begin },
        at: parsed(row, 2)?,
        data: parsed(row, 3)?,
    })
}

pub(super) fn read_turn(row: &Row<'_>) -> rusqlite::Result<Turn> {
    let id: TurnId = parsed(row, 0)?;
    let iteration: i64 = row.get(3)?;
    let opening = TurnOpening {
        id,
        actor: parsed(row, 1)?,
        mode: row.get(2)?,
        iteration: u64::try_from(iteration).unwrap_or(0),
        machine: row.get(4)?,
        boot_id: row.get(5)?,
        at: parsed(row, 6)?,
    };
    let closed: Option<String> = row.get(7)?;
    let closing = match closed {
        None => None,
        Some(_) => Some(Closing {
            turn: id,
            at: parsed(row, 7)?,
            class: row.get(8)?,
            detail: row.get(9)?,
            prompt: row.get(10)?,
            agent: row.get(11)?,
            wall_seconds: row.get(12)?,
            tree_before: row.get(13)?,
            tree_after: row.get(14)?,
            log_path: row.get(15)?,
            summary_path: row.get(16)?,
            record: parsed(row, 17)?,
            stalemate: row.get(18)?,
        }),
    };
    Ok(Turn { opening, closing })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{closing, ledger, opening, phase};
    use super::*;

    #[test]
    fn what_is_written_is_read_back_after_reopening() {
        let (directory, mut ledger) = ledger();
        ledger.write(&[Entry::Open(opening(1, Actor::Galph)), phase(1, "claimed", Edge::Begin)]).unwrap();
        drop(ledger);
        let mut ledger = Ledger::open(&directory.path().join("ledger.db")).unwrap();
        assert_eq!(ledger.open_turns().unwrap(), [Turn { opening: opening(1, Actor::Galph), closing: None }]);
        assert_eq!(ledger.phases(TurnId::from_parts(1, 1)).unwrap().len(), 1);
        ledger.write(&[phase(1, "claimed", Edge::Done), Entry::Close(Box::new(closing(1)))]).unwrap();
        assert_eq!(ledger.open_turns().unwrap(), []);
        let turns = ledger.turns(TurnFilter { actor: Some(Actor::Galph), limit: 5 }).unwrap();
        assert_eq!(turns, [Turn { opening: opening(1, Actor::Galph), closing: Some(closing(1)) }]);
    }

    #[test]
    fn what_is_durable_soon_is_seen_by_others_at_once_and_the_next_write_is_fully_synchronous() {
        let (directory, mut ledger) = ledger();
        ledger.write(&[Entry::Open(opening(1, Actor::Galph))]).unwrap();
        ledger.write_soon_durable(&[Entry::Close(Box::new(closing(1)))]).unwrap();
        let other = Ledger::open(&directory.path().join("ledger.db")).unwrap();
        assert_eq!(other.open_turns().unwrap(), []);
        assert!(ledger.write_soon_durable(&[Entry::Close(Box::new(closing(1)))]).is_err());
        let level: u32 = ledger.connection.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
        assert_eq!(level, 2);
        ledger.sync().unwrap();
    }

    #[test]
    fn the_newest_summary_is_found_past_turns_that_left_none() {
        let (_directory, mut ledger) = ledger();
        assert_eq!(ledger.last_summary_path().unwrap(), None);
        for (number, summary) in [(1, Some("first.md")), (2, Some("second.md")), (3, None)] {
            let closing = Closing { summary_path: summary.map(str::to_owned), ..closing(number) };
            let entries = [Entry::Open(opening(number, Actor::Galph)), Entry::Close(Box::new(closing))];
            ledger.write(&entries).unwrap();
        }
        assert_eq!(ledger.last_summary_path().unwrap().as_deref(), Some("second.md"));
    }

    #[test]
    fn the_trees_of_passed_turns_come_newest_first_and_only_since_the_last_stalemate() {
        let (_directory, mut ledger) = ledger();
        let turns = [("a", "b", "ok", false), ("b", "b", "no_change", true), ("b", "c", "ok", false)];
        let failed = [("c", "d", "failed", false), ("d", "e", "no_change", false)];
        for (n, (before, after, class, stalemate)) in (1..).zip(turns.into_iter().chain(failed)) {
            let closing = Closing {
                class: class.into(),
                tree_before: Some(before.into()),
                tree_after: Some(after.into()),
                stalemate,
                ..closing(n)
            };
            ledger.write(&[Entry::Open(opening(n, Actor::Galph)), Entry::Close(Box::new(closing))]).unwrap();
        }
        let pair = |before: &str, after: &str| (before.to_owned(), after.to_owned());
        assert_eq!(ledger.passed_trees(9).unwrap(), [pair("d", "e"), pair("b", "c")]);
        assert_eq!(ledger.passed_trees(1).unwrap(), [pair("d", "e")]);
    }

    #[test]
    fn all_entries_are_written_or_none() {
        let (_directory, mut ledger) = ledger();
        let twice = [
            Entry::Open(opening(1, Actor::Galph)),
            phase(1, "claimed", Edge::Done),
            phase(1, "claimed", Edge::Done),
        ];
        assert!(ledger.write(&twice).is_err());
        assert_eq!(ledger.open_turns().unwrap(), []);
    }

    #[test]
    fn a_seat_has_at_most_one_open_turn_and_a_turn_ends_once() {
        let (_directory, mut ledger) = ledger();
        ledger.write(&[Entry::Open(opening(1, Actor::Galph))]).unwrap();
        assert!(ledger.write(&[Entry::Open(opening(2, Actor::Galph))]).is_err());
        ledger.write(&[Entry::Open(opening(3, Actor::Ralph))]).unwrap();
        ledger.write(&[Entry::Close(Box::new(closing(1)))]).unwrap();
        assert!(ledger.write(&[Entry::Close(Box::new(closing(1)))]).is_err());
    }

    #[test]
    fn a_newer_ledger_and_a_file_that_is_none_are_refused_in_words() {
        let (directory, ledger) = ledger();
        ledger.connection.pragma_update(None, "user_version", 99).unwrap();
        drop(ledger);
        let path = directory.path().join("ledger.db");
        assert_eq!(
            Ledger::open(&path).unwrap_err().to_string(),
            format!("{} was written by a newer baton (schema 99, this one knows 1)", path.display())
        );
        let other = directory.path().join("other.db");
        std::fs::write(&other, "this is not a database, it is text".repeat(50)).unwrap();
        assert_eq!(
            Ledger::open(&other).unwrap_err().to_string(),
            format!("cannot open the ledger {}", other.display())
        );
    }
}
