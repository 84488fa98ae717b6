//! Other spellings of one file, brought into ours before the files are laid over each other.
//!
//! The flat keys of earlier files become the nested ones, the seats' other names become `galph` and `ralph`, prompt
//! names their normal form. What is given twice in one file is refused with both places.

use super::check::prompt_name;
use super::node::{Entry, Node, NodePath, Value};
use super::origin::Notice;
use super::problem::Problems;

/// A flat key of earlier files, and the key that it means.
pub(super) const FLAT_KEYS: [(&str, &str); 9] = [
    ("doc_whitelist", "publish.docs.globs"),
    ("tracked_output_globs", "publish.tracked_outputs.globs"),
    ("report_extensions", "publish.reports.extensions"),
    ("tracked_output_extensions", "publish.tracked_outputs.extensions"),
    ("router_enabled", "router.enabled"),
    ("router_mode", "router.mode"),
    ("router_prompt", "router.prompt"),
    ("router_review_every_n", "router.review_every_n"),
    ("router_allowlist", "router.allowlist"),
];

/// Keys of earlier files that mean nothing here, whatever they hold.
pub(super) const UNUSED_KEYS: [&str; 3] = ["workflow", "spec_bootstrap", "findings_file"];

/// Other names of the seats, as keys of `agent.roles` and of `--agent-role`.
const SEAT_ALIASES: [(&str, &str); 2] = [("supervisor", "galph"), ("loop", "ralph")];

/// The seat's own name for one of its other names; anything else as it is.
pub(super) fn seat_name(name: &str) -> &str {
    SEAT_ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, seat)| seat)
}

/// Brings one file into our spelling.
pub(super) fn normalise(tree: &mut Node, problems: &mut Problems, notices: &mut Vec<Notice>) {
    for key in UNUSED_KEYS {
        if let Some(entry) = tree.remove(key) {
            notices.push(Notice {
                origin: entry.key_origin,
                message: format!("`{key}` is accepted from earlier files and has no effect"),
            });
        }
    }
    for (flat, nested) in FLAT_KEYS {
        if let Some(entry) = tree.remove(flat) {
            nest(tree, entry, nested, problems);
        }
    }
    rename_keys(tree, "agent.roles", |key| Some(seat_name(key).to_owned()), problems);
    rename_keys(tree, "agent.prompts", |key| prompt_name(key).ok(), problems);
}

fn nest(tree: &mut Node, flat: Entry, nested: &str, problems: &mut Problems) {
    if let Some(given) = tree.at(&NodePath::dotted(nested)) {
        let message = format!("`{}` means `{nested}`, which is also given at {}", flat.key, given.origin);
        problems.add(&flat.key_origin, message, Some(format!("keep `{nested}` and remove `{}`", flat.key)));
        return;
    }
    // A section that is no mapping is reported when it is decoded.
    tree.put(nested, &flat.key_origin, flat.node);
}

fn rename_keys(
    tree: &mut Node,
    section: &str,
    rename: impl Fn(&str) -> Option<String>,
    problems: &mut Problems,
) {
    let Some(Value::Map(entries)) = tree.at_mut(&NodePath::dotted(section)).map(|node| &mut node.value)
    else {
        return;
    };
    let mut renamed: Vec<(String, Entry)> = Vec::new();
    for mut entry in std::mem::take(entries) {
        let name = rename(&entry.key).unwrap_or_else(|| entry.key.clone());
        if let Some((spelling, first)) = renamed.iter().find(|(_, known)| known.key == name) {
            let Entry { key, key_origin, .. } = &entry;
            let message =
                format!("`{key}` in `{section}` means the same as `{spelling}` at {}", first.key_origin);
            problems.add(key_origin, message, Some("keep one of the two".to_owned()));
            continue;
        }
        let spelling = std::mem::replace(&mut entry.key, name);
        renamed.push((spelling, entry));
    }
    *entries = renamed.into_iter().map(|(_, entry)| entry).collect();
}
