//! What a repository has that libgit2 does not do: looked at once, when it is opened, without starting a process.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use git2::Config;

use super::super::choice::Need;
use super::super::error::Unsupported;
use super::super::hook::Hook;
use super::attributes;
use super::open::Library;

impl Library {
    /// Everything here for which the installed git is needed.
    pub(in super::super) fn needs(&self) -> Vec<Need> {
        let Ok(config) = self.git.config().and_then(|mut config| config.snapshot()) else {
            return Vec::new();
        };
        let is_on = |key: &str| config.get_bool(key).unwrap_or(false);
        let mut needs = Vec::new();
        if self.has_split_index() {
            needs.push(Need::Format(Unsupported::SplitIndex));
        }
        if is_on("core.sparsecheckout") {
            needs.push(Need::SparseCheckout);
        }
        if config.get_entry("extensions.partialclone").is_ok()
            || values(&config, r"^remote\..*\.promisor$").iter().any(|(_, value)| value == "true")
        {
            needs.push(Need::PartialClone);
        }
        let hooks = self.hooks(&config);
        if !hooks.is_empty() {
            needs.push(Need::Hooks(hooks));
        }
        if is_on("commit.gpgsign") {
            needs.push(Need::Signing);
        }
        needs.extend(self.filters(&config).into_iter().map(Need::Filter));
        needs
    }

    /// The second file of a split index stays for a while when the index is whole again, so the first one decides.
    fn has_split_index(&self) -> bool {
        let entries = std::fs::read_dir(&self.place.git_dir).into_iter().flatten().flatten();
        let mut names = entries.map(|entry| entry.file_name());
        names.any(|name| name.as_bytes().starts_with(b"sharedindex."))
            && self.git.index().is_err_and(|error| error.message().contains("'link'"))
    }

    fn hooks(&self, config: &Config) -> Vec<Hook> {
        let directory = match config.get_path("core.hookspath") {
            Ok(configured) => self.place.root.join(configured),
            Err(_) => self.place.common_dir.join("hooks"),
        };
        let is_program = |file: PathBuf| {
            file.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
        };
        Hook::ALL.into_iter().filter(|hook| is_program(directory.join(hook.name()))).collect()
    }

    /// Filters that are configured and that an attribute asks for: one that is only installed changes nothing.
    fn filters(&self, config: &Config) -> BTreeSet<String> {
        let configured: BTreeSet<String> = values(config, r"^filter\..*\.(clean|process)$")
            .into_iter()
            .filter_map(|(key, _)| Some(key.strip_prefix("filter.")?.rsplit_once('.')?.0.to_owned()))
            .collect();
        if configured.is_empty() {
            return BTreeSet::new();
        }
        let mut asked = BTreeSet::new();
        for file in self.attribute_files(config) {
            asked.extend(filters_asked_for(&std::fs::read(file).unwrap_or_default()));
        }
        configured.intersection(&asked).cloned().collect()
    }

    fn attribute_files(&self, config: &Config) -> Vec<PathBuf> {
        let mut files = self.attribute_files_outside(config);
        files.push(self.place.root.join(attributes::NAME));
        if let Ok(index) = self.git.index() {
            let named = |path: &Path| path.file_name() == Some(OsStr::new(attributes::NAME));
            let paths = index.iter().map(|entry| PathBuf::from(OsStr::from_bytes(&entry.path)));
            files.extend(paths.filter(|path| named(path)).map(|path| self.place.root.join(path)));
        }
        files
    }
}

fn values(config: &Config, pattern: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    if let Ok(entries) = config.entries(Some(pattern)) {
        // An entry that cannot be read is none.
        let _ = entries.for_each(|entry| {
            if let (Ok(name), value) = (entry.name(), entry.value()) {
                found.push((name.to_owned(), value.map_or_else(|_| "true".to_owned(), str::to_owned)));
            }
        });
    }
    found
}

/// The values of `filter=` in a file of attributes.
fn filters_asked_for(text: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(text)
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(|line| line.split_whitespace().skip(1).map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|word| word.strip_prefix("filter=").map(str::to_owned))
        .collect()
}
