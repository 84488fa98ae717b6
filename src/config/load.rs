//! Finding and reading the layers.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::Actor;

use super::check::Checker;
use super::choices::read_choices;
use super::environment::read_given;
use super::layers::{lay_over, origins_of};
use super::legacy::normalise;
use super::node::Node;
use super::origin::{Notice, Origins};
use super::overrides::Overrides;
use super::problem::{ConfigError, Problems};
use super::resolve::{decode_all, resolve};
use super::root::Config;
use super::yaml::read_tree;

/// The project's file, at the root of a workspace.
pub const PROJECT_FILE: &str = "orchestration.yaml";

/// A configuration that is complete and means something.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// Where each came from.
    pub origins: Origins,
    /// What a person should know.
    pub notices: Vec<Notice>,
    /// The files that were read, as origins name them.
    pub files: Vec<String>,
}

/// The nearest directory, from `start` upward, that has an `orchestration.yaml` (of whatever kind).
pub fn find_workspace(start: &Path) -> Option<PathBuf> {
    start.ancestors().find(|folder| folder.join(PROJECT_FILE).symlink_metadata().is_ok()).map(Path::to_owned)
}

/// The user's file: `$XDG_CONFIG_HOME/baton/config.yaml`, else `~/.config/baton/config.yaml`; it need not exist.
///
/// A variable that is not absolute is ignored.
pub fn user_file(env: &BTreeMap<OsString, OsString>) -> Option<PathBuf> {
    let folder =
        |name: &str| env.get(OsStr::new(name)).map(PathBuf::from).filter(|folder| folder.is_absolute());
    let base = folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")))?;
    Some(base.join("baton").join("config.yaml"))
}

/// Reads all layers and resolves them.
///
/// `seat` is the one that this process plays, `None` for both (combined mode); it decides which of the earlier
/// scripts' environment names apply. Files that do not exist give nothing.
pub fn load(
    workspace: &Path,
    user_file: Option<&Path>,
    env: &BTreeMap<OsString, OsString>,
    flags: &Overrides,
    seat: Option<Actor>,
) -> Result<Loaded, ConfigError> {
    let mut problems = Problems::default();
    let mut notices = Vec::new();
    let mut files = Vec::new();
    let built_in = built_in_tree();
    let mut tree = built_in.clone();
    let user = user_file.map(|path| (path.to_path_buf(), path.to_string_lossy().into_owned()));
    let project = (workspace.join(PROJECT_FILE), PROJECT_FILE.to_owned());
    for (path, shown) in user.into_iter().chain([project]) {
        if let Some(mut layer) = read_layer(&path, &shown.as_str().into(), &mut problems) {
            normalise(&mut layer, &mut problems, &mut notices);
            lay_over(&mut tree, layer);
            files.push(shown);
        }
    }
    let given = read_given(env, flags, seat, &mut problems, &mut notices);
    for (key, node) in given.values {
        let origin = node.origin.clone();
        if !tree.put(&key, &origin, node) {
            let message = format!("`{key}` cannot be set, since what is around it is not a mapping");
            problems.add(&origin, message, None);
        }
    }
    let choices = read_choices(&given.agent_roles, &given.agent_prompts, &mut problems);
    let config = decode_all(&mut tree, &built_in, &mut problems).map(|raw| {
        let mut checker = Checker::new(&tree, &mut problems, &mut notices);
        let config = resolve(raw, choices.overrides.clone(), &mut checker);
        choices.check(&config.agent, &mut problems);
        config
    });
    match config {
        Some(config) if problems.is_empty() => {
            Ok(Loaded { config, origins: origins_of(&tree, choices.origins), notices, files })
        }
        _ => Err(ConfigError::new(problems.into_vec())),
    }
}

/// The built-in values, as a file.
pub(super) const BUILT_IN: &str = include_str!("default.yaml");

/// The built-in values as a tree, all of them with the built-in origin.
#[expect(clippy::expect_used, reason = "the text is part of the binary, and a test reads it")]
pub(super) fn built_in_tree() -> Node {
    let mut tree = read_tree(BUILT_IN, &"default.yaml".into()).expect("default.yaml is valid YAML");
    tree.call_built_in();
    tree
}

/// The largest file; a person's has some kilobytes.
const LARGEST_FILE: u64 = 1 << 20;

fn read_layer(path: &Path, shown: &Arc<str>, problems: &mut Problems) -> Option<Node> {
    let bytes = match read_file(path) {
        Ok(bytes) => bytes?,
        Err(refusal) => {
            problems.add_file(shown, refusal.to_string(), Some(refusal.help()));
            return None;
        }
    };
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let before = String::from_utf8_lossy(valid);
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            let message = "is not UTF-8 text from here on";
            let help = "save the file in the encoding UTF-8";
            problems.add_file(&format!("{shown}:{line}:{column}"), message, Some(help));
            return None;
        }
    };
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    let tree = read_tree(&text, shown);
    problems.add_source(shown, text);
    tree.map_err(|error| problems.add_syntax(shown, error)).ok()
}

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
enum FileRefusal {
    #[error("is {0}, not a file")]
    NotAFile(&'static str),
    #[error("is a link to nothing")]
    LinkToNothing,
    #[error("is larger than 1 MiB")]
    TooLarge,
    #[error("cannot be read: {0}")]
    Unreadable(std::io::Error),
}

impl FileRefusal {
    const fn help(&self) -> &'static str {
        match self {
            Self::NotAFile(_) => "move it away, and write a YAML file in its place",
            Self::LinkToNothing => "create the file that it links to, or remove the link",
            Self::TooLarge => "it cannot be a configuration; look what has been written there",
            Self::Unreadable(_) => "make it readable for this user",
        }
    }
}

fn read_file(path: &Path) -> Result<Option<Vec<u8>>, FileRefusal> {
    let absent =
        |error: &std::io::Error| matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory);
    let metadata = match path.metadata() {
        Ok(metadata) => metadata,
        Err(error) if absent(&error) && path.symlink_metadata().is_ok() => {
            return Err(FileRefusal::LinkToNothing);
        }
        Err(error) if absent(&error) => return Ok(None),
        Err(error) => return Err(FileRefusal::Unreadable(error)),
    };
    // Anything else may block for ever when it is opened.
    if !metadata.is_file() {
        let kind = if metadata.is_dir() { "a directory" } else { "a pipe, a socket or a device" };
        return Err(FileRefusal::NotAFile(kind));
    }
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) if bytes.len() as u64 > LARGEST_FILE => Err(FileRefusal::TooLarge),
        Ok(_) => Ok(Some(bytes)),
        Err(error) => Err(FileRefusal::Unreadable(error)),
    }
}
