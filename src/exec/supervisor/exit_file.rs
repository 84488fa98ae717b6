//! `exit.json`, written so that it is either absent or complete, also on a full disk and after a power cut.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use fs2::FileExt;

use crate::exec::{AttemptDir, ExecError, ExitRecord};

/// More than the longest record: its lists and texts are bounded.
const RESERVED: u64 = 16 * 1024;
/// The longest text of an error that is kept.
const LONGEST_MESSAGE: usize = 2048;

/// Disk space that is kept for the record, under another name.
pub(super) struct ExitFile {
    file: File,
    path: PathBuf,
}

/// Writes a record without an earlier reservation.
pub(in crate::exec) fn write_exit(dir: &AttemptDir, record: &ExitRecord) -> Result<(), ExecError> {
    ExitFile::reserve(dir)?.write(dir, record)
}

impl ExitFile {
    /// Sets space aside. An attempt that has none is not started.
    pub(super) fn reserve(dir: &AttemptDir) -> Result<Self, ExecError> {
        let path = dir.exit_reserve_path();
        let reserve = || {
            let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path)?;
            match file.allocate(RESERVED) {
                // Some file systems cannot set space aside; there a full disk costs the record.
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
                other => other?,
            }
            Ok(file)
        };
        let file = reserve().map_err(ExecError::file("reserve space in", &path))?;
        Ok(Self { file, path })
    }

    /// Gives the space back: there will be no record.
    pub(super) fn release(self) {
        // Left behind it would do no harm.
        let _ = std::fs::remove_file(self.path);
    }

    /// Writes the record, durable before its name appears.
    pub(super) fn write(mut self, dir: &AttemptDir, record: &ExitRecord) -> Result<(), ExecError> {
        let path = dir.exit_path();
        let text = serde_json::to_vec(&bounded(record)).map_err(|source| ExecError::Format {
            path: path.clone(),
            what: "exit record",
            source,
        })?;
        match self.place(dir, &text) {
            Ok(()) => Ok(()),
            // The agent may have deleted the directory; what it cost is recorded all the same.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                crate::durable::create_directories(dir.path(), 0o777)
                    .map_err(ExecError::file("create", dir.path()))?;
                let fresh = Self::reserve(dir)?;
                self.file = fresh.file;
                self.place(dir, &text).map_err(ExecError::file("write", path))
            }
            Err(error) => Err(ExecError::file("write", path)(error)),
        }
    }

    fn place(&mut self, dir: &AttemptDir, text: &[u8]) -> io::Result<()> {
        self.file.write_all(text)?;
        self.file.set_len(text.len() as u64)?;
        self.file.sync_data()?;
        std::fs::rename(&self.path, dir.exit_path())?;
        File::open(dir.path())?.sync_all()
    }
}

fn bounded(record: &ExitRecord) -> ExitRecord {
    use crate::exec::How;
    let mut record = record.clone();
    if let How::SpawnFailed(failure) = &mut record.how {
        shorten(&mut failure.message);
    }
    if let Some(error) = &mut record.capture_error {
        shorten(error);
    }
    record
}

fn shorten(text: &mut String) {
    if text.len() > LONGEST_MESSAGE {
        text.truncate(text.floor_char_boundary(LONGEST_MESSAGE));
        text.push_str("...");
    }
}
