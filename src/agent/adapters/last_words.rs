//! The last thing that an agent said, where its stream delivers a message in pieces. Bounded: of a long message the end is
//! kept.

use super::super::reply::MAX_REPLY_BYTES;

/// The message that is being said, or was said last.
#[derive(Debug, Default)]
pub(super) struct LastWords {
    message: String,
    text: String,
}

impl LastWords {
    /// A piece of the message of this id. A piece of another message begins a new one.
    pub(super) fn hear(&mut self, message: &str, piece: &str) {
        if self.message != message {
            message.clone_into(&mut self.message);
            self.text.clear();
        }
        self.text.push_str(piece);
        if self.text.len() > 2 * MAX_REPLY_BYTES {
            let start = self.text.ceil_char_boundary(self.text.len() - MAX_REPLY_BYTES);
            self.text.drain(..start);
        }
    }

    /// What was said last.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_one_message_are_joined_and_the_next_message_replaces_them() {
        let mut words = LastWords::default();
        for (message, piece) in [("1", "I will "), ("1", "write."), ("2", "Do"), ("2", "ne.")] {
            words.hear(message, piece);
        }
        assert_eq!(words.text(), "Done.");
    }

    #[test]
    fn of_an_endless_message_the_end_is_kept() {
        let mut words = LastWords::default();
        for _ in 0..10 {
            words.hear("1", &"é".repeat(MAX_REPLY_BYTES / 3));
        }
        words.hear("1", "the end");
        assert!(words.text().ends_with("éthe end"));
        assert!(words.text().len() <= 2 * MAX_REPLY_BYTES);
    }
}
