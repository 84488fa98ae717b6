//! What a turn would commit, as lines.

use crate::runner::{PlannedCommit, Preview};

/// A paragraph a commit, then what is left alone and what is refused, each with its reason.
pub(super) fn render_preview(preview: &Preview) -> String {
    let mut lines = Vec::new();
    for PlannedCommit { subject, files } in &preview.commits {
        lines.push(format!("would commit: {subject}"));
        lines.extend(files.iter().map(|file| format!("  {file}")));
    }
    if preview.commits.is_empty() {
        lines.push("would commit nothing".to_owned());
    }
    for (title, listed) in
        [("left alone:", &preview.left), ("refused, so that nothing is committed:", &preview.refused)]
    {
        if !listed.is_empty() {
            lines.push(title.to_owned());
            lines.extend(listed.iter().map(|line| format!("  {line}")));
        }
    }
    lines.join("\n")
}
