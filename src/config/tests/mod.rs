//! What a person meets: files in, values or texts out.

mod documented;
mod files;
mod layers;
mod meaning;
mod misfits;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use tempfile::TempDir;

use super::{ConfigError, Loaded, Overrides, PROJECT_FILE, load};
use crate::model::Actor;

/// A workspace with its own environment, user file and flags.
struct Desk {
    folder: TempDir,
    env: BTreeMap<OsString, OsString>,
    flags: Overrides,
    seat: Option<Actor>,
    user_text: Option<String>,
}

impl Desk {
    fn empty() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            env: BTreeMap::new(),
            flags: Overrides::default(),
            seat: None,
            user_text: None,
        }
    }

    fn with(text: &str) -> Self {
        Self::with_bytes(text.as_bytes())
    }

    fn with_bytes(bytes: &[u8]) -> Self {
        let desk = Self::empty();
        std::fs::write(desk.project(), bytes).unwrap();
        desk
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    fn seat(mut self, seat: Actor) -> Self {
        self.seat = Some(seat);
        self
    }

    fn user(mut self, text: &str) -> Self {
        self.user_text = Some(text.to_owned());
        self
    }

    fn project(&self) -> std::path::PathBuf {
        self.folder.path().join(PROJECT_FILE)
    }

    fn load(&self) -> Result<Loaded, ConfigError> {
        let user = self.user_text.as_ref().map(|text| {
            let path = self.folder.path().join("user.yaml");
            std::fs::write(&path, text).unwrap();
            path
        });
        load(self.folder.path(), user.as_deref(), &self.env, &self.flags, self.seat)
    }

    fn loaded(&self) -> Loaded {
        self.load().unwrap_or_else(|error| panic!("{error}"))
    }

    /// What is shown, with the workspace's own path cut out.
    fn refusal(&self) -> String {
        let folder = format!("{}/", self.folder.path().display());
        self.load().expect_err("the configuration is refused").to_string().replace(&folder, "")
    }

    fn origin_of(&self, key: &str) -> String {
        let folder = format!("{}/", self.folder.path().display());
        self.loaded().origins.of(key).unwrap_or_else(|| panic!("no `{key}`")).to_string().replace(&folder, "")
    }
}

fn user_file_in(env: &[(&str, &str)]) -> Option<String> {
    let env = env.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect();
    super::user_file(&env).map(|path| path.display().to_string())
}

fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
