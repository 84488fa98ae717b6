//! Text without a form: standard output is the reply, and the exit code decides.

use jiff::Timestamp;

use crate::model::Usage;

use super::super::Sighting;
use super::super::lines::Line;
use super::super::reader::{Adapter, Closing, Conclusion, Told};

/// The reader of plain text.
#[derive(Debug)]
pub(super) struct Text;

impl Adapter for Text {
    fn stdout(&mut self, line: &Line<'_>, _now: Timestamp, seen: &mut Vec<Sighting>) {
        if !line.text.trim().is_empty() {
            let end = if line.is_cut { "…" } else { "" };
            seen.push(Sighting::Said(format!("{}{end}", line.text)));
        }
    }

    fn finish(&mut self, closing: &Closing<'_>) -> Told {
        Told {
            text: closing.stdout.to_owned(),
            conclusion: Conclusion::ByExitCode,
            usage: Usage::default(),
            cumulative: None,
            session: None,
            terminal: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::reader::HowEnded;
    use super::*;
    use crate::agent::{End, MAX_REPLY_BYTES, OutputFormat, Reader, Reply};
    use crate::model::{OutcomeClass, Stream};
    use proptest::prelude::*;
    use rstest::rstest;

    fn read(stdout: &[u8], stderr: &[u8], ended: HowEnded, signalled_by_us: bool) -> Reply {
        let mut reader = Reader::of_format(OutputFormat::Text);
        reader.push(Stream::Stdout, stdout, Timestamp::UNIX_EPOCH);
        reader.push(Stream::Stderr, stderr, Timestamp::UNIX_EPOCH);
        reader.finish(&End { ended, signalled_by_us, at: Timestamp::UNIX_EPOCH, usage_file: None })
    }

    fn text(stdout: &[u8], stderr: &[u8], ended: HowEnded) -> Reply {
        read(stdout, stderr, ended, false)
    }

    #[test]
    fn exit_code_0_is_ok_and_standard_output_is_the_reply() {
        let reply = text(b"done\n<promise>COMPLETE</promise>\n", b"a warning\n", HowEnded::Code(0));
        assert_eq!(reply.class, OutcomeClass::Ok);
        assert_eq!(reply.text, "done\n<promise>COMPLETE</promise>\n");
        assert_eq!((reply.terminal, reply.detail, reply.session), (None, None, None));
    }

    #[rstest]
    #[case(HowEnded::Code(7), "", "first\nno such model\n\n", "exit code 7: no such model")]
    #[case(HowEnded::Code(1), "it is on stdout\n", " \n", "exit code 1: it is on stdout")]
    #[case(HowEnded::Code(-1), "", "", "exit code -1, without a word")]
    #[case(HowEnded::Signal(9), "", "", "killed by signal 9, without a word")]
    #[case(HowEnded::Code(1), "", "\u{1b}[31mred\u{1b}[0m", "exit code 1: \\u{1b}[31mred\\u{1b}[0m")]
    fn what_ends_otherwise_has_failed_and_says_why_in_one_line(
        #[case] ended: HowEnded,
        #[case] stdout: &str,
        #[case] stderr: &str,
        #[case] detail: &str,
    ) {
        let reply = text(stdout.as_bytes(), stderr.as_bytes(), ended);
        assert_eq!(reply.class, OutcomeClass::Failed);
        assert_eq!(reply.detail.as_deref(), Some(detail));
    }

    #[rstest]
    #[case(HowEnded::Code(0))]
    #[case(HowEnded::Code(1))]
    #[case(HowEnded::Signal(15))]
    fn what_we_signalled_is_interrupted_whatever_it_says(#[case] ended: HowEnded) {
        let reply = read(b"all is well\n", b"", ended, true);
        assert_eq!(reply.class, OutcomeClass::Interrupted);
        assert_eq!(reply.detail.as_deref(), Some("it was stopped from outside"));
    }

    #[test]
    fn what_vanished_is_interrupted() {
        let reply = text(b"all is well\n", b"", HowEnded::Vanished);
        assert_eq!(reply.class, OutcomeClass::Interrupted);
        assert_eq!(reply.detail.as_deref(), Some("it vanished, and nobody saw how it ended"));
    }

    #[rstest]
    #[case::followed_by_a_retry("[API Error: 429]\nRetrying in 2.0 seconds...\nhere you are\n")]
    #[case::long_before_the_end("[API Error: 429] is what I mended\n1\n2\n3\n4\n5\n6\n7\n8\n")]
    #[case::inside_a_line("I saw [API Error: 429]\n")]
    fn a_mark_of_failure_that_is_not_the_conclusion_does_not_count(#[case] stdout: &str) {
        assert_eq!(text(stdout.as_bytes(), b"", HowEnded::Code(0)).class, OutcomeClass::Ok);
    }

    #[test]
    fn a_long_reply_keeps_its_end_from_a_whole_character_on() {
        let stdout = format!("{}é{}", "x".repeat(10), "y".repeat(MAX_REPLY_BYTES - 1));
        let reply = text(stdout.as_bytes(), b"", HowEnded::Code(0));
        assert_eq!(reply.text, "y".repeat(MAX_REPLY_BYTES - 1));
    }

    #[test]
    fn a_long_last_line_is_cut_and_says_so() {
        let detail = text(b"", "z".repeat(5000).as_bytes(), HowEnded::Code(1)).detail.unwrap();
        assert_eq!(detail, format!("exit code 1: {}…", "z".repeat(287)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(
            stdout in prop::collection::vec(any::<u8>(), 0..600),
            stderr in prop::collection::vec(any::<u8>(), 0..200),
            code in -1_i32..3,
            signalled_by_us in any::<bool>(),
        ) {
            let reply = read(&stdout, &stderr, HowEnded::Code(code), signalled_by_us);
            prop_assert_eq!(reply.class == OutcomeClass::Ok, code == 0 && !signalled_by_us);
            prop_assert!(reply.detail.is_none_or(|detail| !detail.contains(char::is_control)));
        }
    }
}
