//! Sections that are read and checked but that nothing acts on yet: whoever gives one is told, so that nobody relies on
//! a protection that is not there.

use super::origin::{Notice, Origins};

/// Keys without effect in this version, with everything below them.
const PENDING: [&str; 3] = ["governance", "notify", "serve"];

/// A notice for each section that somebody gave and that has no effect yet, at its first key.
pub fn pending_notices(origins: &Origins) -> Vec<Notice> {
    PENDING
        .iter()
        .filter_map(|section| {
            let is_below = |key: &str| {
                key.strip_prefix(section).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            let (_, origin) = origins.iter().find(|(key, _)| is_below(key) && origins.is_given(key))?;
            let message = format!("`{section}` has no effect in this version");
            Some(Notice { origin: origin.clone(), message })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Overrides, load};
    use std::collections::BTreeMap;

    #[test]
    fn what_has_no_effect_yet_is_said_where_it_is_given() {
        let workspace = tempfile::tempdir().unwrap();
        let yaml = "notify: { command: [x] }\nserve: { metrics_public: true }\npublish:\n  work: { enabled: true }\n";
        std::fs::write(workspace.path().join("orchestration.yaml"), yaml).unwrap();
        let loaded = load(workspace.path(), None, &BTreeMap::new(), &Overrides::default(), None).unwrap();
        let notices: Vec<String> = pending_notices(&loaded.origins).iter().map(ToString::to_string).collect();
        assert_eq!(
            notices,
            [
                "orchestration.yaml:1:20: `notify` has no effect in this version",
                "orchestration.yaml:2:26: `serve` has no effect in this version",
            ]
        );
    }

    #[test]
    fn every_pending_key_is_one_of_the_configuration() {
        let workspace = tempfile::tempdir().unwrap();
        let loaded = load(workspace.path(), None, &BTreeMap::new(), &Overrides::default(), None).unwrap();
        for section in PENDING {
            let known = loaded
                .origins
                .iter()
                .any(|(key, _)| key == section || key.starts_with(&format!("{section}.")));
            assert!(known, "{section}");
        }
        assert_eq!(pending_notices(&loaded.origins), [], "the built-in values are nobody's wish");
    }
}
