//! Masking of output as it comes: line by line, wherever its pieces are cut.

use super::mask::Masker;

/// An unfinished line longer than this is let through as far as no secret can be cut by it.
const LONGEST_LINE: usize = 16 << 10;
/// As far before a secret's value as a rule looks for its name.
const CONTEXT: usize = 256;
/// As much of a long line is held back: longer than any token in one line.
const HELD_BACK: usize = 4 << 10;
/// The body of a key has fewer lines.
const LONGEST_KEY: usize = 400;

/// Output that is masked while it comes.
#[derive(Debug, Default)]
pub struct MaskStream {
    partial: Vec<u8>,
    /// Lines of a private key that may still come; 0 outside of one.
    key_lines: usize,
}

impl MaskStream {
    /// Takes the next bytes; what can be shown by now is appended to `shown`.
    pub fn push(&mut self, masker: &Masker, bytes: &[u8], shown: &mut Vec<u8>) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.partial.extend_from_slice(piece);
            if self.partial.ends_with(b"\n") {
                let line = std::mem::take(&mut self.partial);
                self.line(masker, &line, shown);
            } else if self.partial.len() > LONGEST_LINE {
                self.show_beginning(masker, shown);
            }
        }
    }

    /// Gives what is still held back.
    pub fn finish(&mut self, masker: &Masker, shown: &mut Vec<u8>) {
        let line = std::mem::take(&mut self.partial);
        if !line.is_empty() {
            self.line(masker, &line, shown);
        }
        self.key_lines = 0;
    }

    fn line(&mut self, masker: &Masker, line: &[u8], shown: &mut Vec<u8>) {
        if self.key_lines > 0 {
            self.key_lines -= 1;
            if contains(line, b"-----END") {
                self.key_lines = 0;
            } else if is_key_material(line) {
                return;
            } else {
                self.key_lines = 0;
            }
        }
        shown.extend_from_slice(&masker.mask_bytes(line));
        let begins = contains(line, b"-----BEGIN ") && contains(line, b"PRIVATE KEY");
        if begins && !contains(line, b"-----END") {
            self.key_lines = LONGEST_KEY;
            if line.ends_with(b"\n") {
                shown.extend_from_slice(b"[masked:private-key]\n");
            }
        }
    }

    /// Shows a long line's beginning, cut where no secret is.
    fn show_beginning(&mut self, masker: &Masker, shown: &mut Vec<u8>) {
        if self.key_lines > 0 && is_key_material(&self.partial) {
            self.partial.clear();
            return;
        }
        let mut spans: Vec<_> = masker.spans(&self.partial).into_iter().map(|(span, _)| span).collect();
        spans.sort_by_key(|span| span.start);
        let mut cut = self.partial.len() - HELD_BACK;
        // A secret is recognised by what stands before it, too: that stays with it.
        for span in spans.iter().rev() {
            let begin = span.start.saturating_sub(CONTEXT);
            if span.end > cut && begin < cut {
                cut = begin;
            }
        }
        if cut == 0 {
            cut = spans.last().map_or(self.partial.len() - HELD_BACK, |last| last.end);
        }
        let rest = self.partial.split_off(cut);
        shown.extend_from_slice(&masker.mask_bytes(&self.partial));
        self.partial = rest;
    }
}

fn contains(line: &[u8], part: &[u8]) -> bool {
    line.windows(part.len()).any(|window| window == part)
}

/// Base64, or a header of an encrypted key.
fn is_key_material(line: &[u8]) -> bool {
    let text = line.trim_ascii();
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    text.iter().all(is_base64)
        || [&b"Proc-Type:"[..], b"DEK-Info:", b"Comment:", b"Version:"]
            .iter()
            .any(|head| text.starts_with(head))
}
