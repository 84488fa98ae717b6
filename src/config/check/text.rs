//! Names, paths, globs: the parts that many keys share.

use std::path::{Component, Path, PathBuf};

use globset::GlobBuilder;

use super::super::node::{NodePath, shortened};
use super::Checker;

/// The nearest of the known words, if one is near enough to have been meant.
pub(in super::super) fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    const NEAR: f64 = 0.82;
    known
        .map(|candidate| (likeness(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= NEAR)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}

/// How like two words are, from 0 to 1; case, hyphens and underscores do not matter.
pub(in super::super) fn likeness(word: &str, known: &str) -> f64 {
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    strsim::jaro_winkler(&plain(word), &plain(known))
}

/// The normal form of a prompt's name: relative to the prompts folder, ending in `.md`.
pub(in super::super) fn prompt_name(text: &str) -> Result<String, &'static str> {
    let trimmed = text.trim_matches(' ');
    if trimmed.is_empty() {
        return Err("it is empty");
    }
    if trimmed.chars().any(char::is_control) {
        return Err("it has a control character");
    }
    if trimmed.contains('\\') {
        return Err("it has a backslash; write folders with `/`");
    }
    if trimmed.starts_with('/') {
        return Err("it is absolute; write it relative to the prompts folder");
    }
    let mut parts: Vec<&str> = trimmed.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.contains(&"..") {
        return Err("it leaves the prompts folder");
    }
    while parts.len() > 1 && parts[0] == "prompts" {
        parts.remove(0);
    }
    let name = parts.join("/");
    if name.is_empty() || name == ".md" || trimmed.ends_with('/') {
        return Err("it names no file");
    }
    if [".yaml", ".yml", ".json"].iter().any(|plan| name.ends_with(plan)) {
        return Err("it names a plan, and a turn cannot run plans in this version");
    }
    let has_extension = Path::new(&name).extension().is_some_and(|extension| extension == "md");
    Ok(if has_extension { name } else { format!("{name}.md") })
}

impl Checker<'_> {
    /// A prompt's name, brought into its normal form.
    pub(super) fn prompt(&mut self, at: &NodePath, name: &mut String) {
        match prompt_name(name) {
            Ok(normal) => *name = normal,
            Err(reason) => {
                let message = format!("`{at}` is not a prompt name: {reason}");
                self.refuse(at, message, Some("name a file below `prompts_dir`, such as `main.md`"));
            }
        }
    }

    /// A path inside the workspace, brought into its normal form.
    pub(super) fn workspace_path(&mut self, at: &NodePath, path: &mut PathBuf) {
        let mut normal = PathBuf::new();
        let mut reason = None;
        for component in path.components() {
            match component {
                Component::Normal(part) => normal.push(part),
                Component::CurDir => {}
                Component::ParentDir => reason = Some("leaves the workspace by `..`"),
                Component::RootDir | Component::Prefix(_) => reason = Some("is absolute"),
            }
        }
        if reason.is_none() && normal.as_os_str().is_empty() {
            reason = Some("names no path");
        }
        if reason.is_none() && normal.starts_with(".git") {
            reason = Some("lies in the git directory");
        }
        match reason {
            None => *path = normal,
            Some(reason) => self.refuse(
                at,
                format!("`{at}` {reason}: `{}`", shortened(&path.to_string_lossy())),
                Some("write a path relative to the workspace"),
            ),
        }
    }

    /// Globs of paths relative to the workspace.
    pub(super) fn globs(&mut self, at: &NodePath, globs: &[String]) {
        for (index, glob) in globs.iter().enumerate() {
            self.glob(&at.index(index), glob);
        }
    }

    /// One glob of paths relative to the workspace.
    fn glob(&mut self, at: &NodePath, glob: &str) {
        let outside = glob.starts_with('/') || glob.split('/').any(|part| part == "..");
        if outside {
            let message = format!("`{at}` leaves the workspace: `{}`", shortened(glob));
            self.refuse(at, message, Some("write a glob relative to the workspace"));
        } else {
            self.pattern(at, glob);
        }
    }

    /// One glob, of whatever.
    pub(super) fn pattern(&mut self, at: &NodePath, glob: &str) {
        if glob.trim().is_empty() {
            self.refuse(at, format!("`{at}` is empty"), Some("remove it, or write `**` to match all"));
        } else if let Err(error) = GlobBuilder::new(glob).literal_separator(true).build() {
            let message = format!("`{at}` is not a glob: `{}`: {}", shortened(glob), error.kind());
            self.refuse(at, message, None);
        }
    }

    /// Extensions, brought into their normal form with a dot.
    pub(super) fn extensions(&mut self, at: &NodePath, extensions: &mut [String]) {
        for (index, extension) in extensions.iter_mut().enumerate() {
            let bare = extension.trim_start_matches('.');
            if bare.is_empty() || bare.contains(['/', '\\', '*', ' ']) {
                let at = at.index(index);
                let message = format!("`{at}` is not an extension: `{}`", shortened(extension));
                self.refuse(&at, message, Some("write it with its dot, such as `.md`"));
            } else {
                *extension = format!(".{bare}");
            }
        }
    }

    /// Names of environment variables.
    pub(super) fn environment_names(&mut self, at: &NodePath, names: &[String]) {
        for (index, name) in names.iter().enumerate() {
            self.environment_name(&at.index(index), name);
        }
    }

    /// The name of an environment variable.
    pub(super) fn environment_name(&mut self, at: &NodePath, name: &str) {
        if name.is_empty() || name.contains(['=', '\0', ' ', '$']) {
            let message = format!("`{at}` is not the name of an environment variable: `{}`", shortened(name));
            self.refuse(at, message, Some("write the name alone, such as `API_TOKEN`"));
        }
    }

    /// A text that is not empty and has one line.
    pub(super) fn one_line(&mut self, at: &NodePath, text: &str) {
        if text.trim().is_empty() {
            self.refuse(at, format!("`{at}` is empty"), None);
        } else if text.chars().any(char::is_control) {
            self.refuse(at, format!("`{at}` has more than one line"), None);
        }
    }

    /// A program with its arguments.
    pub(super) fn arguments(&mut self, at: &NodePath, arguments: &[String]) {
        let help = Some("write the program and its arguments as a list: [\"my-agent\", \"--headless\"]");
        match arguments.first() {
            None => self.refuse(at, format!("`{at}` is empty"), help),
            Some(program) if program.trim().is_empty() => {
                self.refuse(&at.index(0), format!("`{at}` names no program"), help);
            }
            Some(_) => {}
        }
        if let Some(index) = arguments.iter().position(|argument| argument.contains('\0')) {
            let at = at.index(index);
            self.refuse(&at, format!("`{at}` has a NUL character, which no program can be given"), None);
        }
    }

    /// A number or a length of time that is more than nothing.
    pub(super) fn more_than_nothing(&mut self, at: &NodePath, amount: Amount, help: &str) {
        if amount == Amount::Nothing {
            self.refuse(at, format!("`{at}` must be more than 0"), Some(help));
        }
    }
}

/// Whether an amount is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Amount {
    Nothing,
    Something,
}

impl From<u64> for Amount {
    fn from(number: u64) -> Self {
        if number == 0 { Self::Nothing } else { Self::Something }
    }
}

impl From<crate::model::Span> for Amount {
    fn from(span: crate::model::Span) -> Self {
        if span.is_zero() { Self::Nothing } else { Self::Something }
    }
}

impl From<crate::model::ByteSize> for Amount {
    fn from(size: crate::model::ByteSize) -> Self {
        size.0.into()
    }
}
