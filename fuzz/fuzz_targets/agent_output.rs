//! Any output of any agent: read in pieces and at once it means the same, nothing panics, and what was signalled is no
//! success. Good seeds are the recordings: `cargo +nightly fuzz run agent_output fuzz/corpus/agent_output
//! tests/fixtures/agents/claude`.
#![no_main]

use baton::agent::{End, HowEnded, OutputFormat, Reader, Reply};
use baton::model::{OutcomeClass, Stream};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

fn read(format: OutputFormat, bytes: &[u8], piece: usize, end: &End<'_>) -> Reply {
    let mut reader = Reader::of_format(format);
    for piece in bytes.chunks(piece) {
        reader.push(Stream::Stdout, piece, end.at);
        reader.push(Stream::Stderr, piece, end.at);
    }
    reader.finish(end)
}

fuzz_target!(|data: (u8, u8, &[u8])| {
    let (piece, exit, bytes) = data;
    let at = Timestamp::UNIX_EPOCH;
    for format in OutputFormat::ALL {
        let end =
            End { ended: HowEnded::Code(i32::from(exit)), signalled_by_us: false, at, usage_file: Some(bytes) };
        let whole = read(format, bytes, bytes.len().max(1), &end);
        assert_eq!(whole, read(format, bytes, usize::from(piece).max(1), &end));
        assert!(whole.class != OutcomeClass::Ok || exit == 0);
        let signalled = read(format, bytes, 4096, &End { signalled_by_us: true, ..end });
        assert_eq!(signalled.class, OutcomeClass::Interrupted);
    }
});
