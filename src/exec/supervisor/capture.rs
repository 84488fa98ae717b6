//! What the agent writes, as bytes into files, in flat memory and with a cap. The agent is never held up: what
//! cannot be kept is read all the same, dropped, and counted.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::{Errno, read};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::exec::{AttemptDir, ExecError, Stream};

/// What a pipe holds: one read empties it.
const CHUNK: usize = 64 * 1024;
/// Chunks that are read from one stream before the other events are looked at.
const CHUNKS_AT_ONCE: usize = 16;

/// Both streams of one agent.
pub(super) struct Capture {
    streams: [Captured; 2],
    room: u64,
    dropped: u64,
    error: Option<String>,
    buffer: Vec<u8>,
}

struct Captured {
    file: File,
    pipe: Option<OwnedFd>,
    kept: u64,
}

/// The agent's ends of its pipes.
pub(super) struct AgentEnds {
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
}

impl Capture {
    /// Creates the files.
    pub(super) fn create(dir: &AttemptDir, max_output: u64) -> Result<Self, ExecError> {
        let create = |path: PathBuf| {
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)
                .map(|file| Captured { file, pipe: None, kept: 0 })
                .map_err(ExecError::file("write", path))
        };
        Ok(Self {
            streams: [create(dir.stdout_path())?, create(dir.stderr_path())?],
            room: max_output,
            dropped: 0,
            error: None,
            buffer: vec![0; CHUNK],
        })
    }

    /// Opens the pipes. The agent's ends must be closed here once it has them, or the end of file never comes.
    pub(super) fn open(&mut self) -> io::Result<AgentEnds> {
        let mut agent_ends = Vec::with_capacity(2);
        for stream in &mut self.streams {
            let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
            fcntl_setfl(&reader, OFlags::NONBLOCK)?;
            stream.pipe = Some(reader);
            agent_ends.push(writer);
        }
        let (Some(stderr), Some(stdout)) = (agent_ends.pop(), agent_ends.pop()) else {
            return Err(io::ErrorKind::Other.into());
        };
        Ok(AgentEnds { stdout, stderr })
    }

    /// The pipe of a stream, until its end of file.
    pub(super) fn pipe(&self, stream: Stream) -> Option<BorrowedFd<'_>> {
        self.streams[index(stream)].pipe.as_ref().map(AsFd::as_fd)
    }

    /// Whether both streams came to their end.
    pub(super) fn is_at_end(&self) -> bool {
        self.streams.iter().all(|stream| stream.pipe.is_none())
    }

    /// Reads what is there, up to a bound; the number of bytes that came.
    pub(super) fn drain(&mut self, stream: Stream) -> io::Result<u64> {
        let mut came = 0;
        for _ in 0..CHUNKS_AT_ONCE {
            let Some(pipe) = &self.streams[index(stream)].pipe else { break };
            match read(pipe, &mut self.buffer[..]) {
                Ok(0) => self.streams[index(stream)].pipe = None,
                Ok(count) => {
                    came += count as u64;
                    self.keep(stream, count);
                    if count < CHUNK {
                        break;
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(came)
    }

    /// Reads what is there, to the last byte, without waiting for more. Bounded, since a process that could not
    /// be ended may write for ever.
    pub(super) fn drain_rest(&mut self) -> io::Result<u64> {
        const ROUNDS: usize = 64;
        let mut came = 0;
        for stream in [Stream::Stdout, Stream::Stderr] {
            for _ in 0..ROUNDS {
                match self.drain(stream)? {
                    0 => break,
                    more => came += more,
                }
            }
        }
        Ok(came)
    }

    fn keep(&mut self, stream: Stream, count: usize) {
        let count = count as u64;
        let fits = if self.error.is_some() { 0 } else { count.min(self.room) };
        let captured = &mut self.streams[index(stream)];
        // `fits` is no more than what was read into the buffer.
        let bytes = &self.buffer[..usize::try_from(fits).unwrap_or(CHUNK)];
        let written = write_counted(&mut captured.file, bytes);
        captured.kept += written.count;
        self.room -= written.count;
        self.dropped += count - written.count;
        if let Some(error) = written.error {
            self.error = Some(error.to_string());
        }
    }

    /// Makes durable what was kept.
    pub(super) fn sync(&mut self) {
        for stream in &self.streams {
            if stream.kept > 0
                && let Err(error) = stream.file.sync_data()
            {
                self.error.get_or_insert_with(|| error.to_string());
            }
        }
    }

    /// Bytes kept of a stream.
    pub(super) fn kept(&self, stream: Stream) -> u64 {
        self.streams[index(stream)].kept
    }

    /// Bytes that were read and not kept.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Why a file could not be written; from then on everything was dropped.
    pub(super) fn into_error(self) -> Option<String> {
        self.error
    }
}

struct Written {
    count: u64,
    error: Option<io::Error>,
}

/// Writes and says how far it came: on a full disk a part of the bytes is in the file.
fn write_counted(file: &mut File, mut bytes: &[u8]) -> Written {
    let mut count = 0;
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Written { count, error: Some(io::ErrorKind::WriteZero.into()) },
            Ok(written) => {
                count += written as u64;
                bytes = &bytes[written..];
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Written { count, error: Some(error) },
        }
    }
    Written { count, error: None }
}

const fn index(stream: Stream) -> usize {
    match stream {
        Stream::Stdout => 0,
        Stream::Stderr => 1,
    }
}
