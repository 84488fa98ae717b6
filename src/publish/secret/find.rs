//! Where a buffer has secrets: one pass looks for the keywords of all rules, and only where one stands the rule's
//! pattern is tried. Patterns are compiled when they are first needed.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use regex_automata::Input;
use regex_automata::meta::Regex;
use regex_automata::util::syntax;

use super::placeholder::{entropy, is_placeholder};
use super::rule::ContentRule;
use super::table::content_rules;

/// A secret in a buffer.
#[derive(Debug, Clone)]
pub struct Span {
    /// What found it.
    pub rule: &'static ContentRule,
    /// The bytes of the secret itself.
    pub secret: Range<usize>,
}

type Compiled = LazyLock<Regex, Box<dyn FnOnce() -> Regex + Send>>;

struct Table {
    keywords: AhoCorasick,
    /// The rule of each keyword.
    owners: Vec<usize>,
    rules: Vec<(&'static ContentRule, Compiled)>,
}

static TABLE: LazyLock<Table> = LazyLock::new(Table::new);

impl Table {
    #[expect(clippy::expect_used, reason = "the keywords are part of the program, and every test uses them")]
    fn new() -> Self {
        let mut owners = Vec::new();
        let mut words: Vec<&str> = Vec::new();
        let mut rules = Vec::new();
        for (index, rule) in content_rules().enumerate() {
            words.extend(rule.keywords);
            owners.extend(rule.keywords.iter().map(|_| index));
            let compile: Box<dyn FnOnce() -> Regex + Send> = Box::new(|| compile(rule));
            rules.push((rule, LazyLock::new(compile)));
        }
        let keywords = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind(Some(AhoCorasickKind::DFA))
            .build(words)
            .expect("some hundred short words make a small automaton");
        Self { keywords, owners, rules }
    }
}

#[expect(clippy::expect_used, reason = "the patterns are part of the program, and a test uses each")]
fn compile(rule: &ContentRule) -> Regex {
    Regex::builder()
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .configure(Regex::config().utf8_empty(false))
        .build(rule.pattern)
        .expect("the pattern of a rule")
}

/// The secrets in a buffer, in order; where rules overlap, the one that stands first in the table counts.
pub fn find_secrets(bytes: &[u8]) -> Vec<Span> {
    let table = &*TABLE;
    let mut windows: Vec<Vec<Range<usize>>> = Vec::new();
    for hit in table.keywords.find_overlapping_iter(bytes) {
        if windows.is_empty() {
            windows.resize(table.rules.len(), Vec::new());
        }
        let owner = table.owners[hit.pattern().as_usize()];
        let rule = table.rules[owner].0;
        let window = hit.start().saturating_sub(rule.before)..(hit.start() + rule.after).min(bytes.len());
        match windows[owner].last_mut().filter(|last| last.end >= window.start) {
            Some(last) => {
                last.start = last.start.min(window.start);
                last.end = last.end.max(window.end);
            }
            None => windows[owner].push(window),
        }
    }
    let mut found: Vec<Span> = Vec::new();
    for ((rule, regex), windows) in table.rules.iter().zip(windows) {
        for window in windows {
            for captures in regex.captures_iter(Input::new(bytes).span(window.clone())) {
                let Some(secret) = captures.get_group(1).map(|group| group.range()) else { continue };
                if is_secret(rule, &bytes[secret.clone()]) && !overlaps(&found, &secret) {
                    found.push(Span { rule, secret });
                }
            }
        }
    }
    found.sort_by_key(|span| span.secret.start);
    found
}

fn is_secret(rule: &ContentRule, value: &[u8]) -> bool {
    let mixed = || value.iter().any(u8::is_ascii_digit) && value.iter().any(u8::is_ascii_alphabetic);
    entropy(value) >= rule.entropy && (!rule.mixed || mixed()) && !is_placeholder(value)
}

fn overlaps(found: &[Span], secret: &Range<usize>) -> bool {
    found.iter().any(|other| other.secret.start < secret.end && secret.start < other.secret.end)
}
