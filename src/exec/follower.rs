//! Reads what an attempt has written so far, while it runs and after.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::{AttemptDir, ExecError};
use crate::model::Stream;

/// A reader of both capture files that remembers how far it has come; it never holds more than the caller's buffer.
#[derive(Debug)]
pub struct Follower {
    dir: AttemptDir,
    stdout: Tail,
    stderr: Tail,
}

#[derive(Debug)]
struct Tail {
    file: Option<File>,
    offset: u64,
}

impl Follower {
    /// Follows an attempt from these offsets, in bytes. The files need not exist yet.
    #[must_use]
    pub fn new(dir: &AttemptDir, stdout_offset: u64, stderr_offset: u64) -> Self {
        Self {
            dir: dir.clone(),
            stdout: Tail { file: None, offset: stdout_offset },
            stderr: Tail { file: None, offset: stderr_offset },
        }
    }

    /// Reads the next bytes of a stream into `buffer`; 0 means that there is nothing new now.
    pub fn read(&mut self, stream: Stream, buffer: &mut [u8]) -> Result<usize, ExecError> {
        let path = match stream {
            Stream::Stdout => self.dir.stdout_path(),
            Stream::Stderr => self.dir.stderr_path(),
        };
        let tail = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let file = match &tail.file {
            Some(file) => file,
            None => match File::open(&path) {
                Ok(file) => tail.file.insert(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
                Err(error) => return Err(ExecError::file("read", path)(error)),
            },
        };
        let count = file.read_at(buffer, tail.offset).map_err(ExecError::file("read", path))?;
        tail.offset += count as u64;
        Ok(count)
    }

    /// How far a stream has been read, in bytes.
    pub fn offset(&self, stream: Stream) -> u64 {
        match stream {
            Stream::Stdout => self.stdout.offset,
            Stream::Stderr => self.stderr.offset,
        }
    }
}
