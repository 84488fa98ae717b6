//! A commit as git stores it, read and rewritten: so what is not understood stays as it is.

use crate::publish::ObjectId;

/// The headers that hold only for the very commit that they were made for.
const BOUND: [&[u8]; 5] = [b"tree", b"parent", b"gpgsig", b"gpgsig-sha256", b"mergetag"];

/// The parents of a commit.
pub(super) fn parents(content: &[u8]) -> Vec<ObjectId> {
    let text = |value: &[u8]| std::str::from_utf8(value).ok()?.parse().ok();
    fields(head_and_rest(content).0)
        .filter(|(name, _)| *name == b"parent")
        .filter_map(|(_, it)| text(it))
        .collect()
}

/// The message, as text.
pub(super) fn message(content: &[u8]) -> String {
    String::from_utf8_lossy(head_and_rest(content).1).trim_start_matches('\n').to_owned()
}

/// The same commit with another tree and other parents, and without its signatures.
pub(super) fn rewritten(content: &[u8], tree: &ObjectId, parents: &[ObjectId]) -> Vec<u8> {
    let (head, rest) = head_and_rest(content);
    let mut new = format!("tree {tree}\n").into_bytes();
    for parent in parents {
        new.extend_from_slice(format!("parent {parent}\n").as_bytes());
    }
    for field in field_lines(head).filter(|field| !BOUND.contains(&name_and_value(field).0)) {
        new.extend_from_slice(field);
        new.push(b'\n');
    }
    new.extend_from_slice(rest);
    new
}

/// The head with the line break that ends it, and what follows: an empty line and the message.
fn head_and_rest(content: &[u8]) -> (&[u8], &[u8]) {
    let end = content.windows(2).position(|two| two == b"\n\n").map_or(content.len(), |at| at + 1);
    content.split_at(end)
}

/// One field after the other, each with the lines that continue it.
fn field_lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = head;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let breaks = rest.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
        let end = breaks.into_iter().find(|at| rest.get(at + 1) != Some(&b' ')).unwrap_or(rest.len());
        let field = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or_default();
        Some(field)
    })
}

fn name_and_value(field: &[u8]) -> (&[u8], &[u8]) {
    let at = field.iter().position(|byte| *byte == b' ').unwrap_or(field.len());
    (&field[..at], field.get(at + 1..).unwrap_or_default())
}

fn fields(head: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    field_lines(head).map(name_and_value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: &str) -> ObjectId {
        digit.repeat(40).parse().unwrap()
    }

    #[test]
    fn all_but_tree_parents_and_signatures_stays_byte_by_byte() {
        let head = b"author A <a@x> 1 +0100\ncommitter C <c@x> 2 +0000\n";
        let signature = b"gpgsig -----BEGIN\n \n abc\n -----END\n";
        let other = b"encoding ISO-8859-1\nodd value\n and more\n";
        let rest = b"\nsubject \xe9\n\nbody\n";
        let old = [
            format!("tree {}\nparent {}\nparent {}\n", id("1"), id("2"), id("3")).as_bytes(),
            head,
            signature,
            other,
            rest,
        ]
        .concat();
        assert_eq!(parents(&old), [id("2"), id("3")]);
        assert_eq!(message(&old), "subject \u{fffd}\n\nbody\n");
        let new = rewritten(&old, &id("4"), &[id("5")]);
        let wanted =
            [format!("tree {}\nparent {}\n", id("4"), id("5")).as_bytes(), head, other, rest].concat();
        assert_eq!(String::from_utf8_lossy(&new), String::from_utf8_lossy(&wanted));
        assert_eq!(new, wanted);
    }

    #[test]
    fn a_commit_without_parents_or_message_is_read() {
        let old = format!("tree {}\nauthor A <a@x> 1 +0100\ncommitter C <c@x> 2 +0000\n", id("1"));
        assert_eq!(parents(old.as_bytes()), []);
        assert_eq!(message(old.as_bytes()), "");
        let new = rewritten(old.as_bytes(), &id("1"), &[]);
        assert_eq!(new, old.as_bytes());
    }
}
