//! The prompt as the agent gets it: read, checked, expanded where it asks for it, with our notes at its end.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A prompt larger than this is a mistake: no model takes it, and it would be paid for.
pub const MAX_PROMPT_BYTES: u64 = 4 << 20;

/// A prompt cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// There is no such file.
    #[error("{shown}: no such prompt")]
    Missing {
        /// The path, relative to the workspace.
        shown: String,
    },
    /// It is something else than a file.
    #[error("{shown}: not a regular file")]
    NotAFile {
        /// The path.
        shown: String,
    },
    /// It has no text.
    #[error("{shown}: the prompt is empty")]
    Empty {
        /// The path.
        shown: String,
    },
    /// It is not text.
    #[error("{shown}:{line}:{column}: the prompt is not UTF-8 text")]
    Binary {
        /// The path.
        shown: String,
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1.
        column: usize,
    },
    /// It is far too large.
    #[error("{shown}: the prompt has {bytes} bytes; the most is {MAX_PROMPT_BYTES}")]
    Gigantic {
        /// The path.
        shown: String,
        /// Its size.
        bytes: u64,
    },
    /// It leads out of the workspace by a symbolic link.
    #[error("{shown}: leads out of the workspace, to {}", .target.display())]
    Outside {
        /// The path.
        shown: String,
        /// Where to.
        target: PathBuf,
    },
    /// The file system refused.
    #[error("cannot read {shown}")]
    Read {
        /// The path.
        shown: String,
        /// Why.
        source: io::Error,
    },
    /// Its template cannot be expanded.
    #[error("{shown}:{line}: {problem}")]
    Template {
        /// The path.
        shown: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
}

/// Reads a prompt and checks that it can be used.
pub fn read_prompt(workspace: &Path, prompts_dir: &Path, name: &str) -> Result<String, PromptError> {
    let relative = prompts_dir.join(name);
    let shown = relative.display().to_string();
    let path = workspace.join(&relative);
    let failed = |source: io::Error| {
        if source.kind() == io::ErrorKind::NotFound {
            PromptError::Missing { shown: shown.clone() }
        } else {
            PromptError::Read { shown: shown.clone(), source }
        }
    };
    let target = path.canonicalize().map_err(failed)?;
    if !target.starts_with(workspace) {
        return Err(PromptError::Outside { shown, target });
    }
    let metadata = fs::metadata(&path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(PromptError::NotAFile { shown });
    }
    if metadata.len() > MAX_PROMPT_BYTES {
        return Err(PromptError::Gigantic { shown, bytes: metadata.len() });
    }
    let bytes = fs::read(&path).map_err(failed)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        PromptError::Binary {
            shown: shown.clone(),
            line: before.split(|byte| *byte == b'\n').count(),
            column: before.len() - line_start + 1,
        }
    })?;
    if text.contains('\0') {
        let before = text.split('\0').next().unwrap_or_default();
        return Err(PromptError::Binary {
            shown,
            line: before.split('\n').count(),
            column: before.rsplit('\n').next().map_or(0, str::len) + 1,
        });
    }
    if text.trim().is_empty() {
        return Err(PromptError::Empty { shown });
    }
    Ok(text)
}

/// The text for the agent: the prompt as it is, or expanded when its front matter says `template: true`, and then the
/// notes, if there are any.
pub fn compose_prompt(
    shown: &str,
    text: &str,
    variables: &BTreeMap<&'static str, String>,
    notes: &[String],
) -> Result<String, PromptError> {
    let mut composed = match template_body(text) {
        None => text.to_owned(),
        Some((skipped, body)) => expand(shown, skipped, body, variables)?,
    };
    if !notes.is_empty() {
        if !composed.ends_with('\n') {
            composed.push('\n');
        }
        composed.push_str("\n---\n\n## Notes from baton\n\n");
        for note in notes {
            composed.push_str("- ");
            composed.push_str(&note.replace('\n', "\n  "));
            composed.push('\n');
        }
    }
    Ok(composed)
}

/// The text after the front matter and how many lines come before it, when the front matter asks for expansion.
fn template_body(text: &str) -> Option<(usize, &str)> {
    let rest = text.strip_prefix("---\n").or_else(|| text.strip_prefix("---\r\n"))?;
    let mut offset = text.len() - rest.len();
    let mut wanted = false;
    for (lines, line) in (2..).zip(rest.split_inclusive('\n')) {
        offset += line.len();
        match line.trim_end() {
            "---" => return wanted.then(|| (lines, &text[offset..])),
            "template: true" => wanted = true,
            _ => {}
        }
    }
    None
}

fn expand(
    shown: &str,
    skipped: usize,
    body: &str,
    variables: &BTreeMap<&'static str, String>,
) -> Result<String, PromptError> {
    let mut environment = minijinja::Environment::new();
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    let mut expanded = environment.render_str(body, variables).map_err(|error| PromptError::Template {
        shown: shown.to_owned(),
        line: skipped + error.line().unwrap_or(1),
        problem: error.detail().map_or_else(|| error.kind().to_string(), str::to_owned),
    })?;
    // The engine drops one newline at the end; a prompt is a text of whole lines.
    if body.ends_with('\n') {
        expanded.push('\n');
    }
    Ok(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(name: &str, content: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("prompts")).unwrap();
        fs::write(root.join("prompts").join(name), content).unwrap();
        (directory, root)
    }

    fn refusal(content: &[u8]) -> String {
        let (_directory, root) = workspace("main.md", content);
        read_prompt(&root, Path::new("prompts"), "main.md").unwrap_err().to_string()
    }

    #[test]
    fn prompts_that_cannot_be_used_are_refused_with_their_place() {
        assert_eq!(refusal(b" \n\t\n"), "prompts/main.md: the prompt is empty");
        assert_eq!(refusal(b"fine\nab\xff"), "prompts/main.md:2:3: the prompt is not UTF-8 text");
        assert_eq!(refusal(b"fine\n\na\0b"), "prompts/main.md:3:2: the prompt is not UTF-8 text");
        let gigantic = vec![b'a'; usize::try_from(MAX_PROMPT_BYTES).unwrap() + 1];
        assert_eq!(refusal(&gigantic), "prompts/main.md: the prompt has 4194305 bytes; the most is 4194304");
        let (_directory, root) = workspace("main.md", b"x");
        let read = |name| read_prompt(&root, Path::new("prompts"), name).unwrap_err().to_string();
        assert_eq!(read("other.md"), "prompts/other.md: no such prompt");
        assert_eq!(read("."), "prompts/.: not a regular file");
    }

    #[test]
    fn a_link_out_of_the_workspace_is_refused() {
        let (_directory, root) = workspace("main.md", b"x");
        let outside = tempfile::NamedTempFile::new().unwrap();
        std::os::unix::fs::symlink(outside.path(), root.join("prompts/link.md")).unwrap();
        let error = read_prompt(&root, Path::new("prompts"), "link.md").unwrap_err();
        let target = outside.path().canonicalize().unwrap();
        assert_eq!(
            error.to_string(),
            format!("prompts/link.md: leads out of the workspace, to {}", target.display())
        );
    }

    #[test]
    fn names_with_spaces_and_other_scripts_are_fine() {
        let (_directory, root) = workspace("été plan.md", "naïve\n".as_bytes());
        assert_eq!(read_prompt(&root, Path::new("prompts"), "été plan.md").unwrap(), "naïve\n");
    }

    fn variables() -> BTreeMap<&'static str, String> {
        BTreeMap::from([("BATON_ACTOR", "ralph".to_owned())])
    }

    #[test]
    fn a_prompt_goes_in_as_it_is_unless_it_says_that_it_is_a_template() {
        let plain = "Hello {{ BATON_ACTOR }}";
        assert_eq!(compose_prompt("p", plain, &variables(), &[]).unwrap(), plain);
        let other_front_matter = "---\ntitle: x\n---\n{{ BATON_ACTOR }}\n";
        assert_eq!(compose_prompt("p", other_front_matter, &variables(), &[]).unwrap(), other_front_matter);
        let template = "---\ntemplate: true\n---\nHello {{ BATON_ACTOR }}\n";
        assert_eq!(compose_prompt("p", template, &variables(), &[]).unwrap(), "Hello ralph\n");
    }

    #[test]
    fn a_template_error_names_the_line_of_the_file() {
        let template = "---\ntemplate: true\n---\nfine\n{{ NOBODY.x }}\n";
        let error = compose_prompt("prompts/p.md", template, &variables(), &[]).unwrap_err();
        assert!(error.to_string().starts_with("prompts/p.md:5: "), "{error}");
    }

    #[test]
    fn notes_stand_at_the_end_under_a_heading_of_their_own() {
        let notes = ["verify `tests`: failed".to_owned(), "two\nlines".to_owned()];
        assert_eq!(
            compose_prompt("p", "Do it.", &variables(), &notes).unwrap(),
            "Do it.\n\n---\n\n## Notes from baton\n\n- verify `tests`: failed\n- two\n  lines\n"
        );
    }
}
