//! Files that are no configuration, or hardly.

use std::fmt::Write;

use proptest::prelude::*;
use rstest::rstest;

use super::super::find_workspace;
use super::{Desk, exists, user_file_in};

#[rstest]
#[case::tab(
    "router:\n\tenabled: true\n",
    "orchestration.yaml:2:2: not valid YAML: tabs disallowed within this context (block indentation)\n  2 |  enabled: true\n    |  ^\n  help: indent with spaces: YAML does not allow tabs there"
)]
#[case::open_bracket(
    "router: {enabled: true\n",
    "orchestration.yaml:1:9: not valid YAML: unclosed bracket '{'\n  1 | router: {enabled: true\n    |         ^"
)]
#[case::unquoted_colon(
    "prompts_dir: a: b\n",
    "orchestration.yaml:1:15: not valid YAML: mapping values are not allowed in this context\n  1 | prompts_dir: a: b\n    |               ^\n  help: quote a value that holds `: `"
)]
#[case::duplicate_key(
    "router:\n  enabled: true\n  enabled: false\n",
    "orchestration.yaml:3:3: the key `enabled` is given twice\n  3 |   enabled: false\n    |   ^\n  help: keep one of the two"
)]
#[case::two_documents(
    "---\nprompts_dir: a\n---\nprompts_dir: b\n",
    "orchestration.yaml:4:1: a second document begins here\n  4 | prompts_dir: b\n    | ^\n  help: keep one document; remove the `---` between them"
)]
#[case::no_mapping(
    "hello\n",
    "orchestration.yaml:1:1: expected keys with values, found `hello`\n  1 | hello\n    | ^\n  help: write `key: value` lines"
)]
#[case::unknown_tag(
    "prompts_dir: !secret a\n",
    "orchestration.yaml:1:22: the tag `!secret` has no meaning here\n  1 | prompts_dir: !secret a\n    |                      ^\n  help: remove the tag"
)]
#[case::unknown_alias(
    "router: *x\n",
    "orchestration.yaml:1:9: not valid YAML: alias references unknown anchor\n  1 | router: *x\n    |         ^"
)]
#[case::anchor_in_itself(
    "redact: &a [*a]\n",
    "orchestration.yaml:1:13: an anchor contains itself\n  1 | redact: &a [*a]\n    |             ^\n  help: write the values out in place of the alias"
)]
#[case::no_number(
    "turn: {wall_limit: .inf}\n",
    "orchestration.yaml:1:20: `.inf` is not a finite number\n  1 | turn: {wall_limit: .inf}\n    |                    ^"
)]
#[case::control_character(
    "prompts_dir: \0\n",
    "orchestration.yaml:1:14: not valid YAML: unexpected character: `\\u{0}'\n  1 | prompts_dir:\n    |              ^"
)]
fn what_is_not_our_yaml_is_refused_at_its_place(#[case] text: &str, #[case] refusal: &str) {
    assert_eq!(Desk::with(text).refusal(), refusal);
}

#[rstest]
#[case::brackets("[", 1_000_000)]
#[case::braces("a: {", 250_000)]
#[case::dashes("- ", 500_000)]
#[case::question_marks("? ", 500_000)]
fn a_megabyte_of_nesting_is_refused_in_one_line(#[case] unit: &str, #[case] times: usize) {
    let refusal = Desk::with(&unit.repeat(times)).refusal();
    let lines: Vec<&str> = refusal.lines().collect();
    assert!(lines[0].starts_with("orchestration.yaml:1:"), "{refusal}");
    assert!(lines[0].ends_with(": nested deeper than 24 levels"), "{refusal}");
    assert!(refusal.len() < 500);
}

#[test]
fn an_alias_bomb_is_refused_without_being_unfolded() {
    let mut text = "redact: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(text, "k{level}: &a{level} [{below}]").unwrap();
    }
    let refusal = Desk::with(&text).refusal();
    assert!(
        refusal.contains(": the document grows beyond all measure when its aliases are replaced\n"),
        "{refusal}"
    );
    assert!(refusal.ends_with("\n  help: write the values out in place of aliases"), "{refusal}");
}

#[test]
fn anchors_and_merge_keys_work_within_reason() {
    let text = "publish:\n  reports: &caps {max_file: 1MiB, max_total: 2MiB}\n  work: {<<: *caps, max_total: 3MiB}\n";
    let config = Desk::with(text).loaded().config;
    assert_eq!(config.publish.work.max_file.to_string(), "1MiB");
    assert_eq!(config.publish.work.max_total.to_string(), "3MiB");
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_read() {
    let desk = Desk::with("\u{feff}prompts_dir: a\r\nlogs_dir: b\r\nrouter:\r\n  enabled: true\r\n");
    let config = desk.loaded().config;
    assert_eq!((config.prompts_dir.to_str(), config.logs_dir.to_str()), (Some("a"), Some("b")));
    assert_eq!(desk.origin_of("prompts_dir"), "orchestration.yaml:1:14");
    assert_eq!(desk.origin_of("router.enabled"), "orchestration.yaml:4:12");
}

#[test]
fn text_that_is_not_utf_8_is_refused_at_its_place() {
    assert_eq!(
        Desk::with_bytes(b"# caf\xc3\xa9\nlogs_dir: caf\xe9\n").refusal(),
        "orchestration.yaml:2:14: is not UTF-8 text from here on\n  help: save the file in the encoding UTF-8"
    );
}

#[test]
fn a_directory_in_its_place_is_refused() {
    let desk = Desk::empty();
    std::fs::create_dir(desk.project()).unwrap();
    assert_eq!(
        desk.refusal(),
        "orchestration.yaml: is a directory, not a file\n  help: move it away, and write a YAML file in its place"
    );
}

#[cfg(unix)]
#[test]
fn a_socket_in_its_place_is_refused_and_never_opened() {
    let desk = Desk::empty();
    let _socket = std::os::unix::net::UnixListener::bind(desk.project()).unwrap();
    assert_eq!(
        desk.refusal(),
        "orchestration.yaml: is a pipe, a socket or a device, not a file\n  help: move it away, and write a YAML file in its place"
    );
}

#[cfg(unix)]
#[test]
fn a_link_to_nothing_is_not_taken_for_an_absent_file() {
    let desk = Desk::empty();
    std::os::unix::fs::symlink("elsewhere.yaml", desk.project()).unwrap();
    assert_eq!(
        desk.refusal(),
        "orchestration.yaml: is a link to nothing\n  help: create the file that it links to, or remove the link"
    );
}

#[cfg(unix)]
#[test]
fn an_unreadable_file_is_not_taken_for_an_absent_one() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::with("logs_dir: b\n");
    std::fs::set_permissions(desk.project(), std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read(desk.project()).is_ok() {
        // The superuser reads everything: the one thing left to see is that it is read.
        assert_eq!(desk.origin_of("logs_dir"), "orchestration.yaml:1:11");
        return;
    }
    assert_eq!(
        desk.refusal(),
        "orchestration.yaml: cannot be read: Permission denied (os error 13)\n  help: make it readable for this user"
    );
}

#[test]
fn a_file_beyond_a_mebibyte_is_not_read() {
    let desk = Desk::with(&"#".repeat((1 << 20) + 1));
    assert_eq!(
        desk.refusal(),
        "orchestration.yaml: is larger than 1 MiB\n  help: it cannot be a configuration; look what has been written there"
    );
    assert!(Desk::with(&format!("{}\n", "#".repeat((1 << 20) - 1))).load().is_ok());
}

#[test]
fn the_workspace_is_found_from_below() {
    let desk = Desk::with("");
    let deep = desk.folder.path().join("src/deep");
    std::fs::create_dir_all(&deep).unwrap();
    assert_eq!(find_workspace(&deep).as_deref(), Some(desk.folder.path()));
    std::fs::remove_file(desk.project()).unwrap();
    let above = desk.folder.path().ancestors().any(|folder| exists(&folder.join(super::PROJECT_FILE)));
    assert_eq!(find_workspace(&deep).is_some(), above);
}

#[rstest]
#[case(&[("XDG_CONFIG_HOME", "/xdg"), ("HOME", "/home/me")], Some("/xdg/baton/config.yaml"))]
#[case(&[("HOME", "/home/me")], Some("/home/me/.config/baton/config.yaml"))]
#[case(&[("XDG_CONFIG_HOME", "relative"), ("HOME", "/home/me")], Some("/home/me/.config/baton/config.yaml"))]
#[case(&[("XDG_CONFIG_HOME", ""), ("HOME", "")], None)]
#[case(&[], None)]
fn the_users_file_is_where_the_desktop_specification_says(
    #[case] env: &[(&str, &str)],
    #[case] path: Option<&str>,
) {
    assert_eq!(user_file_in(env).as_deref(), path);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_the_file_holds_it_is_read_or_refused_with_a_place(
        text in "(router|agent|verify|sync|a|- |: |\\{|\\}|\\[|\\]|, |\n  |\n|&x |\\*x|<<|!t |'|\"|null|3|-1|é|\t|#|\\||>|---\n){0,24}"
    ) {
        if let Err(error) = Desk::with(&text).load() {
            for problem in error.problems() {
                prop_assert!(problem.place.starts_with("orchestration.yaml"), "{}", problem);
                prop_assert!(!problem.message.is_empty());
            }
        }
    }
}
