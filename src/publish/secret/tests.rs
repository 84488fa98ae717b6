//! The tables against their own examples, and properties of scans and masks.

use proptest::prelude::*;

use super::*;
use crate::publish::RepoPath;

fn joined(parts: &[&str]) -> String {
    parts.concat()
}

fn rules_of(text: &[u8]) -> Vec<&'static str> {
    scan(text).into_iter().map(|hit| hit.rule).collect()
}

#[test]
fn every_rule_finds_its_examples_and_no_rule_finds_a_look_alike() {
    let mut problems = Vec::new();
    let mut ids = std::collections::BTreeSet::new();
    for rule in content_rules() {
        assert!(ids.insert(rule.id), "{} is there twice", rule.id);
        assert!(!rule.examples.is_empty() && !rule.look_alikes.is_empty(), "{}", rule.id);
        for example in rule.examples {
            let text = joined(example);
            let found = rules_of(text.as_bytes());
            if found != [rule.id] {
                problems.push(format!("{}: `{text}` is found by {found:?}", rule.id));
            }
        }
        for look_alike in rule.look_alikes {
            let text = joined(look_alike);
            let found = rules_of(text.as_bytes());
            if !found.is_empty() {
                problems.push(format!("{}: `{text}` is found by {found:?}", rule.id));
            }
        }
    }
    assert!(ids.len() >= 35, "{} rules", ids.len());
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn names_are_told_with_what_the_content_says() {
    for rule in NAME_RULES {
        for (path, content) in rule.examples {
            let found = find_name(&RepoPath::from_bytes(*path), joined(content).as_bytes());
            assert_eq!(found.map(|hit| hit.rule), Some(rule.id), "{path}");
        }
        for (path, content) in rule.look_alikes {
            let found = find_name(&RepoPath::from_bytes(*path), joined(content).as_bytes());
            assert_eq!(found, None, "{path}");
        }
    }
}

#[test]
fn every_rule_is_in_the_documentation() {
    let page = include_str!("../../../docs/publishing.md");
    let content = content_rules().map(|rule| format!("| `{}` | {} |", rule.id, rule.what));
    let names = NAME_RULES.iter().map(|rule| format!("| `{}` | {} |", rule.id, rule.what));
    let missing: Vec<String> = content.chain(names).filter(|row| !page.contains(row.as_str())).collect();
    assert!(missing.is_empty(), "docs/publishing.md lacks:\n{}", missing.join("\n"));
}

#[test]
fn the_place_and_the_fingerprint_are_told_and_stay_the_same_in_long_contents() {
    let token = joined(content_rules().find(|rule| rule.id == "github-token").unwrap().examples[0]);
    let short = scan(format!("one\ntwo {token}\n").as_bytes());
    assert_eq!((short[0].line, short[0].column), (2, 5));
    let mut long = "a line of text that goes on for a while\n".repeat(100_000).into_bytes();
    long.extend_from_slice(&b"no end of line ".repeat(300_000));
    let column = 300_000 * 15 + 1;
    long.extend_from_slice(token.as_bytes());
    let hits = scan(&long);
    assert_eq!(hits.len(), 1);
    assert_eq!((hits[0].line, hits[0].column), (100_001, column));
    assert_eq!(hits[0].fingerprint, short[0].fingerprint);
    assert_eq!(hits[0].fingerprint.as_str().parse::<Fingerprint>().unwrap(), hits[0].fingerprint);
}

#[test]
fn this_repository_s_own_table_holds_nothing_that_it_would_find() {
    for text in [
        include_str!("table/cloud.rs"),
        include_str!("table/generic.rs"),
        include_str!("table/hosting.rs"),
        include_str!("table/services.rs"),
        include_str!("name.rs"),
        include_str!("tests.rs"),
    ] {
        assert_eq!(scan(text.as_bytes()), []);
    }
}

fn examples() -> Vec<(&'static str, String)> {
    content_rules().flat_map(|rule| rule.examples.iter().map(|parts| (rule.id, joined(parts)))).collect()
}

fn masker() -> Masker {
    Masker::new([("LONG".to_owned(), b"hunter2hunter2".to_vec()), ("A".to_owned(), b"hunter2".to_vec())]).0
}

#[test]
fn values_are_masked_longest_first_and_short_ones_are_refused() {
    let (masker, refused) = Masker::new([
        ("SHORT".to_owned(), b"abcde".to_vec()),
        ("PIN".to_owned(), b"hunter".to_vec()),
        ("PASS".to_owned(), b"hunter2 \n".to_vec()),
        ("KEY".to_owned(), b"first line\nsecond line\nx".to_vec()),
        ("EMPTY".to_owned(), Vec::new()),
    ]);
    assert_eq!(refused, [TooShort("SHORT".to_owned())]);
    assert_eq!(
        refused[0].to_string(),
        "the value of `SHORT` is shorter than 6 bytes and is not masked: it would be found in ordinary words"
    );
    assert_eq!(masker.mask("a hunter2, a hunter, abcde"), "a [masked:$PASS], a [masked:$PIN], abcde");
    assert_eq!(masker.mask("> second line <"), "> [masked:$KEY] <");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..2000), cut in 1_usize..100) {
        let whole = scan(&bytes);
        let mut pieces = Scan::default();
        bytes.chunks(cut).for_each(|piece| pieces.feed(piece));
        prop_assert_eq!(whole, pieces.finish());
        let masked = masker().mask_bytes(&bytes).into_owned();
        prop_assert_eq!(masker().mask_bytes(&masked).into_owned(), masked);
    }

    #[test]
    fn a_planted_secret_is_found_and_masked_whatever_surrounds_it(
        before in proptest::collection::vec(any::<u8>(), 0..300),
        after in proptest::collection::vec(any::<u8>(), 0..300),
        which in any::<prop::sample::Index>(),
        cut in 1_usize..200,
    ) {
        let examples = examples();
        let (rule, example) = which.get(&examples);
        let text = [&before[..], b"\n", example.as_bytes(), b"\n", &after].concat();
        let hits = scan(&text);
        prop_assert!(hits.iter().any(|hit| hit.rule == *rule), "{rule}: {example}");
        // What is masked is masked in the stream too, wherever it is cut, and once is enough.
        let masker = masker();
        let masked = masker.mask_bytes(&text).into_owned();
        prop_assert_eq!(scan(&masked), []);
        let (mut stream, mut shown) = (MaskStream::default(), Vec::new());
        text.chunks(cut).for_each(|piece| stream.push(&masker, piece, &mut shown));
        stream.finish(&masker, &mut shown);
        prop_assert_eq!(scan(&shown), []);
    }

    #[test]
    fn a_long_line_is_masked_across_its_cuts(
        before in 0_usize..40_000, cut in 1_usize..5000, which in any::<prop::sample::Index>(),
    ) {
        let examples: Vec<_> = examples().into_iter().filter(|(_, text)| !text.contains('\n')).collect();
        let (_, example) = which.get(&examples);
        let text = [&vec![b'.'; before][..], b" ", example.as_bytes(), b" ", &vec![b'.'; 20_000]].concat();
        let masker = masker();
        let (mut stream, mut shown) = (MaskStream::default(), Vec::new());
        text.chunks(cut).for_each(|piece| stream.push(&masker, piece, &mut shown));
        stream.finish(&masker, &mut shown);
        prop_assert_eq!(shown, masker.mask_bytes(&text).into_owned());
    }
}
