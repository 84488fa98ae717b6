//! Bytes to text, piece by piece: what is not UTF-8 becomes U+FFFD, wherever the pieces are cut.

use std::io::{self, Read};

use crate::publish::secret::{MaskStream, Masker};

/// How much is held in memory at a time.
const PIECE: usize = 64 * 1024;

/// Why a copy stopped.
pub(super) enum Stopped {
    /// The source could not be read on.
    Reading(io::Error),
    /// The sink failed.
    Writing(io::Error),
}

/// Gives the whole source to `sink`, as bytes without secrets.
pub(super) fn copy_bytes(
    source: &mut dyn Read,
    masker: &Masker,
    mut sink: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), Stopped> {
    let mut buffer = vec![0; PIECE];
    let mut lines = MaskStream::default();
    let mut shown = Vec::new();
    let copied = loop {
        match source.read(&mut buffer) {
            Ok(0) => break Ok(()),
            Ok(count) => {
                lines.push(masker, &buffer[..count], &mut shown);
                sink(&shown).map_err(Stopped::Writing)?;
                shown.clear();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Err(Stopped::Reading(error)),
        }
    };
    lines.finish(masker, &mut shown);
    sink(&shown).map_err(Stopped::Writing)?;
    copied
}

/// Gives the whole source to `sink`, as text without secrets.
pub(super) fn copy_text(
    source: &mut dyn Read,
    masker: &Masker,
    mut sink: impl FnMut(&str) -> io::Result<()>,
) -> Result<(), Stopped> {
    let mut held: Vec<u8> = Vec::new();
    let copied = copy_bytes(source, masker, |piece| {
        held.extend_from_slice(piece);
        let cut = held.len() - unfinished(&held);
        write_lossy(&held[..cut], &mut sink)?;
        held.drain(..cut);
        Ok(())
    });
    write_lossy(&held, &mut sink).map_err(Stopped::Writing)?;
    copied
}

/// How many bytes at the end may be the beginning of a character.
fn unfinished(bytes: &[u8]) -> usize {
    let last = bytes.utf8_chunks().last().map_or(&[][..], |chunk| chunk.invalid());
    match std::str::from_utf8(last) {
        Err(error) if error.valid_up_to() == 0 && error.error_len().is_none() => last.len(),
        _ => 0,
    }
}

fn write_lossy(bytes: &[u8], sink: &mut impl FnMut(&str) -> io::Result<()>) -> io::Result<()> {
    for chunk in bytes.utf8_chunks() {
        if !chunk.valid().is_empty() {
            sink(chunk.valid())?;
        }
        if !chunk.invalid().is_empty() {
            sink("\u{fffd}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A source that gives so many bytes at a time.
    struct Dribble<'a>(&'a [u8], usize);

    impl Read for Dribble<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    proptest! {
        #[test]
        fn where_the_pieces_are_cut_makes_no_difference(
            bytes in proptest::collection::vec(
                prop_oneof![any::<u8>(), Just(0xe2), Just(0x82), Just(0xac), Just(0xf0), Just(0x9f)],
                0..60,
            ),
            at_a_time in 1_usize..7,
        ) {
            let mut text = String::new();
            let copied = copy_text(&mut Dribble(&bytes, at_a_time), &Masker::default(), |piece| {
                text.push_str(piece);
                Ok(())
            });
            prop_assert!(copied.is_ok());
            prop_assert_eq!(text, String::from_utf8_lossy(&bytes).into_owned());
        }
    }
}
