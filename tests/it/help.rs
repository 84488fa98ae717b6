//! The help of every verb is a snapshot, so that a change of the command line is seen in review.

use crate::scratch::Scratch;

/// The verbs, as the general help lists them.
fn verbs(help: &str) -> Vec<&str> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')))
        .filter_map(|line| line.split_whitespace().next())
        .collect()
}

#[test]
fn the_help_of_every_verb() {
    let scratch = Scratch::empty();
    let general = scratch.baton(&["--help"]);
    assert_eq!(general.code, Some(0));
    let verbs = verbs(&general.stdout);
    assert!(verbs.len() > 10, "{verbs:?}");
    let mut reference = general.stdout.clone();
    for verb in verbs.iter().filter(|verb| **verb != "help") {
        let help = scratch.baton(&[verb, "--help"]);
        assert_eq!(help.code, Some(0), "{verb}");
        reference.push_str(&format!("\n# baton {verb}\n\n{}", help.stdout));
    }
    insta::assert_snapshot!(reference);
}
