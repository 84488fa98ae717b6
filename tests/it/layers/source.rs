//! Just enough of a reader of Rust for the rules: comments, texts and characters are left out, what remains is a list
//! of words and marks in which paths and `use` trees are found.

/// A path that starts at `crate::` or `std::`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Import {
    /// What follows: one name after `crate`, up to two after `std`.
    pub(super) name: String,
    /// From 1.
    pub(super) line: usize,
}

/// What was found in one file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reading {
    /// Tests included: they obey the table too.
    pub(super) crate_imports: Vec<Import>,
    /// Tests left out: they may touch the world.
    pub(super) std_imports: Vec<Import>,
    /// Lines with a chain of `super` that leaves the module.
    pub(super) supers_to_root: Vec<usize>,
    /// Up to the test module, which ends a file.
    pub(super) lines_without_tests: usize,
}

struct Token<'a> {
    text: &'a str,
    line: usize,
}

/// Reads a file whose own module lies `depth` modules below the crate's root.
pub(super) fn read(text: &str, depth: usize) -> Reading {
    let tokens = tokens(text);
    let mut reading = Reading { lines_without_tests: text.lines().count(), ..Reading::default() };
    // Inline modules that are open: their name, and how many braces were open outside of them.
    let mut inline: Vec<(&str, usize)> = Vec::new();
    let mut braces = 0;
    for (at, token) in tokens.iter().enumerate() {
        let word = |ahead: usize| tokens.get(at + ahead).map_or("", |token| token.text);
        match token.text {
            "{" => braces += 1,
            "}" => {
                braces -= 1;
                if inline.last().is_some_and(|(_, outside)| *outside == braces) {
                    inline.pop();
                }
            }
            "mod" if word(2) == "{" => {
                if word(1) == "tests" && inline.is_empty() {
                    reading.lines_without_tests = token.line.saturating_sub(1);
                }
                inline.push((word(1), braces));
            }
            "crate" if word(1) == "::" => {
                heads(&tokens[at + 2..], 1, &mut reading.crate_imports);
            }
            "std" if word(1) == "::" && !inline.iter().any(|(name, _)| *name == "tests") => {
                heads(&tokens[at + 2..], 2, &mut reading.std_imports);
            }
            "super" if at < 2 || tokens[at - 1].text != "::" => {
                let chain = (0..tokens.len())
                    .take_while(|step| word(step * 2) == "super" && word(step * 2 + 1) == "::")
                    .count();
                if chain > 0 && chain >= depth + inline.len() {
                    reading.supers_to_root.push(token.line);
                }
            }
            _ => {}
        }
    }
    reading
}

/// The first `names` names of each path that begins here: one path, or a tree in braces.
fn heads(tokens: &[Token<'_>], names: usize, found: &mut Vec<Import>) {
    let Some(first) = tokens.first() else { return };
    if first.text != "{" {
        found.push(Import { name: path(tokens, names), line: first.line });
        if names > 1
            && tokens.get(1).is_some_and(|token| token.text == "::")
            && tokens.get(2).is_some_and(|token| token.text == "{")
        {
            let parent = found.pop().map(|import| import.name).unwrap_or_default();
            let mut children = Vec::new();
            heads(&tokens[2..], names - 1, &mut children);
            found.extend(
                children
                    .into_iter()
                    .map(|child| Import { name: format!("{parent}::{}", child.name), line: child.line }),
            );
        }
        return;
    }
    let mut depth = 0;
    let mut begins = false;
    for (at, token) in tokens.iter().enumerate() {
        match token.text {
            "{" => {
                depth += 1;
                begins = depth == 1;
            }
            "}" => {
                depth -= 1;
                begins = false;
                if depth == 0 {
                    return;
                }
            }
            "," => begins = depth == 1,
            _ if begins => {
                heads(&tokens[at..], names, found);
                begins = false;
            }
            _ => {}
        }
    }
}

fn path(tokens: &[Token<'_>], names: usize) -> String {
    let mut name = tokens[0].text.to_owned();
    for step in 1..names {
        let mark = tokens.get(step * 2 - 1).map(|token| token.text);
        let next = tokens.get(step * 2).map(|token| token.text);
        match (mark, next) {
            (Some("::"), Some(next)) if next != "{" => {
                name.push_str("::");
                name.push_str(next);
            }
            _ => break,
        }
    }
    name
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while let Some(next) = text[at..].chars().next() {
        let rest = &text[at..];
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = literal(rest) {
            length
        } else if is_word(next) {
            let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            tokens.push(Token { text: &rest[..length], line });
            length
        } else if rest.starts_with("::") {
            tokens.push(Token { text: "::", line });
            2
        } else {
            if "{},".contains(next) {
                tokens.push(Token { text: &rest[..1], line });
            } else if !next.is_whitespace() {
                tokens.push(Token { text: ";", line });
            }
            next.len_utf8()
        };
        line += rest[..length].matches('\n').count();
        at += length;
    }
    tokens
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// The length of a text or character literal that begins here. A lifetime is none.
fn literal(rest: &str) -> Option<usize> {
    let unprefixed = ["br", "cr", "b", "c", "r"]
        .iter()
        .find_map(|prefix| {
            rest.strip_prefix(prefix)
                .filter(|rest| rest.starts_with('"') || rest.starts_with('#') || rest.starts_with('\''))
        })
        .unwrap_or(rest);
    let prefix = rest.len() - unprefixed.len();
    let is_raw = rest[..prefix].contains('r');
    if is_raw {
        let hashes = unprefixed.len() - unprefixed.trim_start_matches('#').len();
        let inside = unprefixed[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        let length = inside.find(&end).map_or(inside.len(), |at| at + end.len());
        return Some(prefix + hashes + 1 + length);
    }
    let quote = unprefixed.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let inside = &unprefixed[1..];
    if quote == '\'' && !inside.starts_with('\\') {
        let one = inside.chars().next()?.len_utf8();
        return inside[one..].starts_with('\'').then_some(prefix + 1 + one + 1);
    }
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return Some(prefix + 1 + at + 1),
            _ => {}
        }
    }
    Some(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn names(imports: &[Import]) -> Vec<&str> {
        imports.iter().map(|import| import.name.as_str()).collect()
    }

    #[rstest]
    #[case("use crate::model::Actor;", &["model"])]
    #[case("pub(crate) use crate::{model, turn::{self, Step}, repo::open as o};", &["model", "turn", "repo"])]
    #[case("use crate::{\n  a::{b, c},\n  d,\n};", &["a", "d"])]
    #[case("fn f() { crate::cli::run(); let x: Vec<crate::model::Actor>; }", &["cli", "model"])]
    #[case("// use crate::a;\n/* crate::b /* nested */ crate::c */ use crate::d;", &["d"])]
    #[case(r##"let a = "crate::x \" crate::y"; let b = r#"crate::z " "#; use crate::d;"##, &["d"])]
    #[case("let a = '\"'; use crate::d; let b = '\\''; fn f<'a>(x: &'a str) { crate::e() }", &["d", "e"])]
    #[case("let c = b\"crate::x\"; let d = b'\"'; crate::d()", &["d"])]
    #[case("pub(crate) fn f() {} macro!($crate::x)", &["x"])]
    fn paths_from_the_crate_are_found_and_nothing_else(#[case] text: &str, #[case] expected: &[&str]) {
        assert_eq!(names(&read(text, 1).crate_imports), expected);
    }

    #[rstest]
    #[case("use std::fs;", &["fs"])]
    #[case("use std::{fs, collections::BTreeMap, io::{self, Read}};", &["fs", "collections::BTreeMap", "io::self", "io::Read"])]
    #[case("use std::time::Duration; std::time::Instant::now()", &["time::Duration", "time::Instant"])]
    #[case("mod tests { use std::fs; } use std::env;", &["env"])]
    fn paths_from_the_standard_library_are_found(#[case] text: &str, #[case] expected: &[&str]) {
        assert_eq!(names(&read(text, 1).std_imports), expected);
    }

    #[rstest]
    #[case("use super::Failure;", 2, false)]
    #[case("use super::config;", 1, true)]
    #[case("use super::super::config;", 2, true)]
    #[case("mod tests { use super::*; }", 1, false)]
    #[case("mod tests { use super::super::config; }", 1, true)]
    #[case("mod tests { fn f() { if x { } } use super::*; } use super::x;", 1, true)]
    #[case("pub(super) fn f() {}", 1, false)]
    fn a_super_that_reaches_the_root_is_found(#[case] text: &str, #[case] depth: usize, #[case] found: bool) {
        assert_eq!(!read(text, depth).supers_to_root.is_empty(), found);
    }

    #[test]
    fn lines_are_counted_up_to_the_test_module() {
        let text = "//! x\n\nfn f() {\n}\n\n#[cfg(test)]\nmod tests {\n    use crate::a;\n}\n";
        let reading = read(text, 1);
        assert_eq!(reading.lines_without_tests, 6);
        assert_eq!(reading.crate_imports, [Import { name: "a".to_owned(), line: 8 }]);
    }
}
