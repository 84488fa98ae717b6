//! Nothing of a secret outside the raw logs: what is journalled, told to an observer, or put into a prompt is masked
//! here, in one place each.

use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::Duration;

use crate::agent::Sighting;
use crate::attempt::Stream;
use crate::publish::secret::{MaskStream, Masker};

use super::check::{Check, CheckVerdict};
use super::journal::{ClaimedState, Completion, Ended, Record};
use super::observer::{Event, Observer};

/// More of a text is read than is kept, so that no secret is cut before it is recognised.
const MARGIN: u64 = 8 << 10;

impl Record {
    /// Masks the texts of others in it: what an agent said, what a command printed, what a commit is called.
    pub(super) fn mask(&mut self, masker: &Masker) {
        let text = |text: &mut String| masker.mask_in_place(text);
        let ended = |ended: &mut Option<Ended>| {
            if let Some(ended) = ended {
                masker.mask_in_place(&mut ended.detail);
            }
        };
        let checks = |checks: &mut Vec<Check>| checks.iter_mut().for_each(|check| mask_check(check, masker));
        let claimed = |claimed: &mut ClaimedState| {
            for state in [&mut claimed.before, &mut claimed.after] {
                text(&mut state.exit_reason);
                state.holds.iter_mut().for_each(|hold| text(&mut hold.reason));
            }
        };
        match self {
            Self::ClaimBegin(plan) => plan.state.iter_mut().for_each(claimed),
            Self::SelectDone(selected) => {
                text(&mut selected.reason);
                ended(&mut selected.ended);
            }
            Self::BaselineDone(found) | Self::VerifyDone(found) => {
                checks(&mut found.checks);
                ended(&mut found.ended);
            }
            Self::RunDone(ran) => {
                text(&mut ran.detail);
                text(&mut ran.reply);
            }
            Self::CommitDone(committed) => {
                committed.by_agent.iter_mut().for_each(|made| text(&mut made.subject));
                committed.left.iter_mut().for_each(text);
            }
            Self::StampBegin(plan) => {
                if let Some(hold) = &mut plan.hold {
                    text(&mut hold.reason);
                }
                match &mut plan.completion {
                    Some(
                        Completion::Accepted { evidence: words } | Completion::Refused { reason: words },
                    ) => text(words),
                    None => {}
                }
            }
            Self::ClaimDone(_)
            | Self::SelectBegin(_)
            | Self::BaselineBegin(_)
            | Self::RunBegin(_)
            | Self::VerifyBegin(_)
            | Self::CommitBegin(_)
            | Self::Refused(_)
            | Self::StampDone
            | Self::PublishBegin(_)
            | Self::PublishDone(_) => {}
        }
    }
}

fn mask_check(check: &mut Check, masker: &Masker) {
    masker.mask_in_place(&mut check.tail);
    match &mut check.verdict {
        CheckVerdict::Failed { how: words } | CheckVerdict::NotStarted { why: words } => {
            masker.mask_in_place(words);
        }
        CheckVerdict::Passed { .. } | CheckVerdict::TooFewTests { .. } | CheckVerdict::TimedOut => {}
    }
}

/// Whoever watches, told without secrets. An agent's output reaches it by whole lines.
pub(super) struct MaskedObserver<'a> {
    inner: &'a mut dyn Observer,
    masker: Masker,
    stdout: MaskStream,
    stderr: MaskStream,
}

impl<'a> MaskedObserver<'a> {
    pub(super) fn new(inner: &'a mut dyn Observer, masker: Masker) -> Self {
        Self { inner, masker, stdout: MaskStream::default(), stderr: MaskStream::default() }
    }

    pub(super) fn event(&mut self, event: &Event<'_>) {
        self.finish_output();
        let (masker, inner) = (&self.masker, &mut self.inner);
        match *event {
            Event::Selected { prompt, source, reason } => {
                inner.event(&Event::Selected { prompt, source, reason: &masker.mask(reason) });
            }
            Event::Verified { name, result } => {
                inner.event(&Event::Verified { name, result: &masker.mask(result) });
            }
            Event::Committed { commit, subject } => {
                inner.event(&Event::Committed { commit, subject: &masker.mask(subject) });
            }
            Event::Ended { actor, iteration, class, detail, wall, summary } => {
                inner.event(&Event::Ended {
                    actor,
                    iteration,
                    class,
                    detail: &masker.mask(detail),
                    wall,
                    summary,
                });
            }
            Event::Warning { text } => inner.event(&Event::Warning { text: &masker.mask(text) }),
            Event::AwaitingTurn { what } => inner.event(&Event::AwaitingTurn { what: &masker.mask(what) }),
            Event::Offline { why, again_in } => {
                inner.event(&Event::Offline { why: &masker.mask(why), again_in });
            }
            Event::Waiting { reason, until } => {
                inner.event(&Event::Waiting { reason: &masker.mask(reason), until });
            }
            // A preview names paths and reasons of ours, never contents.
            Event::Claimed { .. }
            | Event::AgentRunning { .. }
            | Event::Verifying { .. }
            | Event::Preview { .. } => {
                inner.event(event);
            }
        }
    }

    pub(super) fn output(&mut self, stream: Stream, bytes: &[u8]) {
        let mut shown = Vec::new();
        let lines = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        lines.push(&self.masker, bytes, &mut shown);
        if !shown.is_empty() {
            self.inner.output(stream, &shown);
        }
    }

    pub(super) fn sighting(&mut self, sighting: &Sighting) {
        let mask = |text: &String| self.masker.mask(text);
        let masked = match sighting {
            Sighting::Said(text) => Sighting::Said(mask(text)),
            Sighting::ToolStarted { id, name, summary } => {
                Sighting::ToolStarted { id: id.clone(), name: mask(name), summary: mask(summary) }
            }
            Sighting::ToolEnded { id, failed, summary } => {
                Sighting::ToolEnded { id: id.clone(), failed: *failed, summary: mask(summary) }
            }
            Sighting::Used(_) | Sighting::Waiting(_) | Sighting::Session(_) | Sighting::Other(_) => {
                sighting.clone()
            }
        };
        self.inner.sighting(&masked);
    }

    pub(super) fn tick(&mut self, elapsed: Duration, quiet: Duration) {
        self.inner.tick(elapsed, quiet);
    }

    /// Passes on the last lines of an attempt, which may have no end.
    fn finish_output(&mut self) {
        for (stream, lines) in [(Stream::Stdout, &mut self.stdout), (Stream::Stderr, &mut self.stderr)] {
            let mut shown = Vec::new();
            lines.finish(&self.masker, &mut shown);
            if !shown.is_empty() {
                self.inner.output(stream, &shown);
            }
        }
    }
}

/// The end of a captured stream as text, without secrets; nothing where there is none.
pub(super) fn masked_end(masker: &Masker, path: &Path, limit: u64) -> String {
    let mut text = masker.mask(&read_end(path, limit + MARGIN));
    let mut start = text.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text.split_off(start)
}

/// The end of a captured stream as text; nothing where there is none.
pub(super) fn read_end(path: &Path, limit: u64) -> String {
    let mut bytes = Vec::new();
    if let Ok(mut file) = fs::File::open(path) {
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        let read = file
            .seek(SeekFrom::Start(length.saturating_sub(limit)))
            .and_then(|_| file.take(limit).read_to_end(&mut bytes));
        if read.is_err() {
            return String::new();
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
