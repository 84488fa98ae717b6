//! What codex, opencode, copilot, goose and aider wrote, recorded against a model server on loopback, and what it means.

use std::path::PathBuf;

use baton::agent::{End, HowEnded, OutputFormat, Reader, Reply};
use baton::model::Stream;
use rstest::rstest;

use HowEnded::{Code, Signal};

const AT: &str = "2026-11-21T12:00:00Z";

/// A recorded case; a stream that it has no file for was empty.
struct Case {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    usage_file: Option<Vec<u8>>,
    format: OutputFormat,
}

impl Case {
    fn recorded(cli: &str, name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/agents").join(cli);
        let read = |ending: &str| std::fs::read(folder.join(format!("{name}.{ending}"))).ok();
        Self {
            stdout: read("stdout").unwrap_or_else(|| panic!("no recorded case {cli}/{name}")),
            stderr: read("stderr").unwrap_or_default(),
            usage_file: read("usage.json"),
            format: cli.parse().unwrap(),
        }
    }

    fn read(&self, ended: HowEnded, signalled_by_us: bool) -> Reply {
        self.read_cut(ended, signalled_by_us, self.stdout.len())
    }

    /// With standard output cut after so many bytes.
    fn read_cut(&self, ended: HowEnded, signalled_by_us: bool, length: usize) -> Reply {
        let now = AT.parse().unwrap();
        let mut reader = Reader::of_format(self.format, &[]);
        for chunk in self.stdout[..length].chunks(1000) {
            reader.push(Stream::Stdout, chunk, now);
        }
        reader.push(Stream::Stderr, &self.stderr, now);
        reader.finish(&End { ended, signalled_by_us, at: now, usage_file: self.usage_file.as_deref() })
    }
}

/// `class | input, of it cached / output | cost | detail`, without what is not there.
fn verdict(reply: &Reply) -> String {
    let usage = reply.usage;
    let mut parts = vec![reply.class.to_string()];
    if usage.input_tokens + usage.output_tokens > 0 {
        parts.push(format!("{}, {} / {}", usage.input_tokens, usage.cached_tokens, usage.output_tokens));
    }
    parts.extend(usage.cost_usd.map(|cost| format!("${cost:.4}")));
    parts.extend(reply.detail.clone());
    parts.join(" | ")
}

#[rstest]
#[case("codex", "ok", Code(0), "ok | 2468, 400 / 112")]
#[case("codex", "resume", Code(0), "ok | 3702, 600 / 168")]
#[case("codex", "ro", Code(0), "ok | 2468, 400 / 112")]
#[case("codex", "e400", Code(1), "")]
#[case("codex", "e401", Code(1), "")]
#[case("codex", "e403", Code(1), "")]
#[case("codex", "e404", Code(1), "")]
#[case("codex", "e429", Code(1), "")]
#[case("codex", "e500", Code(1), "")]
#[case("codex", "quota", Code(1), "")]
#[case("codex", "ctx", Code(1), "")]
#[case("codex", "cut", Code(1), "")]
#[case("codex", "limit", Signal(9), "")]
#[case("codex", "noprompt", Code(1), "")]
#[case("codex", "resume-unknown", Code(1), "")]
#[case("codex", "sigint", Code(1), "")]
#[case("codex", "sigterm", Signal(15), "")]
#[case("opencode", "ok2", Code(0), "")]
#[case("opencode", "resume", Code(0), "")]
#[case("opencode", "noauto", Code(0), "")]
#[case("opencode", "noauto-outside", Code(0), "")]
#[case("opencode", "e401", Code(1), "")]
#[case("opencode", "e403", Code(1), "")]
#[case("opencode", "e429", Code(1), "")]
#[case("opencode", "e500full", Code(1), "")]
#[case("opencode", "ctx", Code(1), "")]
#[case("opencode", "badmodel", Code(1), "")]
#[case("opencode", "noprompt", Code(1), "")]
#[case("opencode", "resume-unknown", Code(1), "")]
#[case("opencode", "fSIGTERM", Signal(15), "")]
#[case("copilot", "ok", Code(0), "")]
#[case("copilot", "resume", Code(0), "")]
#[case("copilot", "noallow", Code(0), "")]
#[case("copilot", "e401", Code(1), "")]
#[case("copilot", "e403", Code(1), "")]
#[case("copilot", "e404", Code(1), "")]
#[case("copilot", "e429", Code(1), "")]
#[case("copilot", "e500", Code(1), "")]
#[case("copilot", "e529", Code(1), "")]
#[case("copilot", "quota", Code(1), "")]
#[case("copilot", "ctx", Code(1), "")]
#[case("copilot", "cut", Code(1), "")]
#[case("copilot", "noprompt", Code(1), "")]
#[case("copilot", "resume-unknown", Code(1), "")]
#[case("copilot", "sigterm", Code(0), "")]
#[case("goose", "ok", Code(0), "")]
#[case("goose", "namedresume", Code(0), "")]
#[case("goose", "resume", Code(0), "")]
#[case("goose", "e400", Code(0), "")]
#[case("goose", "e401", Code(0), "")]
#[case("goose", "e403", Code(0), "")]
#[case("goose", "e429", Code(0), "")]
#[case("goose", "e500", Code(0), "")]
#[case("goose", "e529", Code(0), "")]
#[case("goose", "ctx", Code(0), "")]
#[case("goose", "cut", Code(0), "")]
#[case("goose", "maxturns", Code(0), "")]
#[case("goose", "mode-approve", Code(1), "")]
#[case("goose", "mode-chat", Code(0), "")]
#[case("goose", "noprompt", Code(1), "")]
#[case("goose", "resume-unknown", Code(1), "")]
#[case("goose", "sigint", Code(0), "")]
#[case("goose", "sigint-stream", Code(0), "")]
#[case("aider", "ok2", Code(0), "")]
#[case("aider", "msgfile", Code(0), "")]
#[case("aider", "autocommit", Code(0), "")]
#[case("aider", "noyes", Code(0), "")]
#[case("aider", "e401", Code(0), "")]
#[case("aider", "e500full", Code(0), "")]
#[case("aider", "e529", Signal(9), "")]
#[case("aider", "ctx", Code(0), "")]
#[case("aider", "badmodel", Code(0), "")]
#[case("aider", "cutstream", Signal(9), "")]
#[case("aider", "noprompt", Code(0), "")]
fn recorded_output_is_judged_by_what_it_says(
    #[case] cli: &str,
    #[case] name: &str,
    #[case] ended: HowEnded,
    #[case] expected: &str,
) {
    assert_eq!(verdict(&Case::recorded(cli, name).read(ended, false)), expected, "{cli}/{name}");
}
