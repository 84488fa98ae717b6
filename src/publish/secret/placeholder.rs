//! What has the form of a secret and is none.

/// Lower-case texts that stand in placeholders and in no random value.
const MARKS: [&str; 22] = [
    "example",
    "placeholder",
    "changeme",
    "change-me",
    "change_me",
    "your-",
    "your_",
    "yourtoken",
    "dummy",
    "redacted",
    "[masked",
    "xxxx",
    "****",
    "....",
    "${",
    "{{",
    "$(",
    "<",
    "00000000",
    "1234567890",
    "abcdefgh",
    "not-a-real",
];

/// Passwords that only documentation has.
const WORDS: [&str; 14] = [
    "password", "passwd", "pass", "secret", "token", "user", "username", "pw", "pwd", "postgres", "root",
    "admin", "guest", "test",
];

/// Signatures of tokens that are printed in everybody's documentation.
const KNOWN: [&str; 1] = ["sflkxwrjsmekkf2qt4fwpmejf36pok6yjv_adqssw5c"];

/// Whether a value is a stand-in: a hint to write one, a variable, a word of documentation.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    // The body of a key may be long; what is said about it stands at its beginning.
    let text = String::from_utf8_lossy(&value[..value.len().min(4096)]).to_ascii_lowercase();
    let is_variable =
        text.starts_with('$') || (text.starts_with('%') && text.ends_with('%')) || text.starts_with('{');
    is_variable
        || WORDS.contains(&text.as_str())
        || MARKS.iter().any(|mark| text.contains(mark))
        || KNOWN.iter().any(|known| text.ends_with(known))
}

/// Shannon entropy, in bits a byte.
#[expect(clippy::cast_precision_loss, reason = "lengths and counts are far below 2^52")]
pub(super) fn entropy(value: &[u8]) -> f64 {
    let mut counts = [0_usize; 256];
    for byte in value {
        counts[usize::from(*byte)] += 1;
    }
    let length = value.len() as f64;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = *count as f64 / length;
            -share * share.log2()
        })
        .sum()
}
