//! What a durable write costs on this disk, in the three ways in which baton makes one, and what a new file costs.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

/// Empty files, one after the other. Where the file system looks at recently freed inodes before it gives out one, this
/// rises with what others have deleted, and so does a turn.
pub(crate) struct Created(PathBuf, u32);

impl Created {
    pub(crate) fn create(directory: &Path) -> Self {
        Self(directory.to_owned(), 0)
    }

    pub(crate) fn write(&mut self) {
        self.1 += 1;
        File::create(self.0.join(self.1.to_string())).unwrap();
    }
}

/// A file that grows: append and fdatasync.
pub(crate) struct Appended(File);

impl Appended {
    pub(crate) fn create(directory: &Path) -> Self {
        let path = directory.join("appended");
        Self(OpenOptions::new().append(true).create(true).open(path).unwrap())
    }

    pub(crate) fn write(&mut self) {
        self.0.write_all(&[b'x'; 512]).unwrap();
        self.0.sync_data().unwrap();
    }
}

/// A small file that is replaced: temporary file, fdatasync, rename, fsync of the directory.
pub(crate) struct Replaced(PathBuf);

impl Replaced {
    pub(crate) fn create(directory: &Path) -> Self {
        Self(directory.join("replaced.json"))
    }

    pub(crate) fn write(&self) {
        let temporary = self.0.with_extension("tmp");
        let mut file = File::create(&temporary).unwrap();
        file.write_all(&[b'x'; 1024]).unwrap();
        file.sync_data().unwrap();
        fs::rename(&temporary, &self.0).unwrap();
        File::open(self.0.parent().unwrap()).unwrap().sync_all().unwrap();
    }
}

/// One row in one transaction of a SQLite database with a write-ahead log, fully synchronous.
pub(crate) struct Committed(Connection);

impl Committed {
    pub(crate) fn create(directory: &Path) -> Self {
        let connection = Connection::open(directory.join("committed.db")).unwrap();
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
                 CREATE TABLE facts (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;",
            )
            .unwrap();
        Self(connection)
    }

    pub(crate) fn write(&self) {
        let mut insert = self.0.prepare_cached("INSERT INTO facts (text) VALUES (?1)").unwrap();
        insert.execute(["x".repeat(400)]).unwrap();
    }
}
