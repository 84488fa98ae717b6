//! Contents, read piece by piece in bounded memory.

use super::find::find_secrets;
use super::fingerprint::Fingerprint;

/// A secret in a file: where, and which, never what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The rule that found it.
    pub rule: &'static str,
    /// Line, from 1.
    pub line: u64,
    /// Column in bytes, from 1.
    pub column: u64,
    /// Its name.
    pub fingerprint: Fingerprint,
}

/// More bytes than this are searched at a time.
const PIECE: usize = 1 << 20;
/// The longest match, the body of a private key, is shorter.
const OVERLAP: usize = 64 << 10;
/// As far as a rule looks back from its keyword, and more.
const LOOK_BACK: usize = 1024;

/// A scan of one content. It holds a little more than a megabyte, however long the content and its lines are.
#[derive(Debug)]
pub struct Scan {
    buffer: Vec<u8>,
    /// Where the search goes on; what stands before is only looked back at.
    done: usize,
    /// The place of the buffer's first byte.
    line: u64,
    column: u64,
    hits: Vec<Hit>,
}

impl Default for Scan {
    fn default() -> Self {
        Self { buffer: Vec::new(), done: 0, line: 1, column: 1, hits: Vec::new() }
    }
}

impl Scan {
    /// Takes the next bytes.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = (PIECE + OVERLAP).saturating_sub(self.buffer.len()).min(bytes.len());
            self.buffer.extend_from_slice(&bytes[..room]);
            bytes = &bytes[room..];
            if self.buffer.len() >= PIECE + OVERLAP {
                self.search(self.buffer.len() - OVERLAP);
            }
        }
    }

    /// All that was found, in order.
    #[must_use]
    pub fn finish(mut self) -> Vec<Hit> {
        self.search(self.buffer.len());
        self.hits
    }

    /// Reports what begins before `until`, and forgets what nobody looks back at any more.
    fn search(&mut self, until: usize) {
        for span in find_secrets(&self.buffer) {
            let start = span.secret.start;
            if start < self.done || start >= until {
                continue;
            }
            let (line, column) = place(&self.buffer[..start], self.line, self.column);
            let fingerprint = Fingerprint::of(span.rule.id, &self.buffer[span.secret]);
            self.hits.push(Hit { rule: span.rule.id, line, column, fingerprint });
        }
        let forgotten = until.saturating_sub(LOOK_BACK);
        (self.line, self.column) = place(&self.buffer[..forgotten], self.line, self.column);
        self.buffer.drain(..forgotten);
        self.done = until - forgotten;
    }
}

/// The place after these bytes.
fn place(bytes: &[u8], line: u64, column: u64) -> (u64, u64) {
    let lines = bytes.split(|byte| *byte == b'\n').count() as u64 - 1;
    match bytes.iter().rposition(|byte| *byte == b'\n') {
        None => (line, column + bytes.len() as u64),
        Some(last) => (line + lines, (bytes.len() - last) as u64),
    }
}

/// The hits of a content that is in memory already.
#[must_use]
pub fn scan(bytes: &[u8]) -> Vec<Hit> {
    let mut scan = Scan::default();
    scan.feed(bytes);
    scan.finish()
}
