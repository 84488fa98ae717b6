//! The state file on disk: read whole, written by temporary file, fsync, rename and directory fsync.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::format::{FormatError, parse, render};
use crate::model::State;

/// `sync/state.json` of one workspace.
#[derive(Debug, Clone)]
pub struct StateFile {
    path: PathBuf,
    shown: String,
    copy: Option<PathBuf>,
}

/// The state cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It is not a state.
    #[error("{path}:{}:{}: not a valid turn state: {}", .source.line, .source.column, .source.found)]
    Unreadable {
        /// The file as configured.
        path: String,
        /// Where and what; shown in the text already.
        source: FormatError,
    },
    /// The file system refused to give it.
    #[error("cannot read {path}")]
    Read {
        /// The file as configured.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The file system refused to take it.
    #[error("cannot write {path}")]
    Write {
        /// The file as configured.
        path: String,
        /// Why.
        source: io::Error,
    },
}

/// What a restoration did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restored {
    /// The file can be read: nothing was done.
    Intact,
    /// The state was written.
    Written {
        /// Where the broken file is kept; `None` where there was none.
        kept: Option<PathBuf>,
    },
}

impl StateFile {
    /// The state file at `relative` in a workspace.
    pub fn new(workspace: &Path, relative: &Path) -> Self {
        Self { path: workspace.join(relative), shown: relative.display().to_string(), copy: None }
    }

    /// Writes each state to `copy` too, for the case that the whole work tree is lost.
    #[must_use]
    pub fn with_copy(mut self, copy: Option<PathBuf>) -> Self {
        self.copy = copy;
        self
    }

    /// The state of the copy; `None` where there is none, or none that can be read.
    pub fn read_copy(&self) -> Option<State> {
        parse(&fs::read(self.copy.as_ref()?).ok()?).ok()
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The state, or `None` when there is no file.
    pub fn read(&self) -> Result<Option<State>, StateError> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StateError::Read { path: self.shown.clone(), source }),
        };
        parse(&bytes).map(Some).map_err(|source| StateError::Unreadable { path: self.shown.clone(), source })
    }

    /// Changes the state under a lock on its directory, so that a change by another process of this machine
    /// (`baton stop` beside a running turn) is never overwritten.
    ///
    /// `change` gets the state as it is (`None`: no file) and returns the new one; its refusal leaves the file as it
    /// is. When this returns, the new state is durable.
    pub fn update<E: From<StateError>>(
        &self,
        change: impl FnOnce(Option<State>) -> Result<State, E>,
    ) -> Result<State, E> {
        let failed = |source| StateError::Write { path: self.shown.clone(), source };
        let directory = self.open_directory().map_err(failed)?;
        directory.lock().map_err(failed)?;
        let next = change(self.read()?)?;
        self.write_durably(&directory, &next).map_err(failed)?;
        Ok(next)
    }

    /// Puts `state` in the place of a file that cannot be read as one, or that is gone. What stood there is kept beside
    /// it, as `<name>.broken-<label>`. A file that can be read is left alone.
    pub fn restore(&self, state: &State, label: &str) -> Result<Restored, StateError> {
        let failed = |source| StateError::Write { path: self.shown.clone(), source };
        let directory = self.open_directory().map_err(failed)?;
        directory.lock().map_err(failed)?;
        let kept = match self.read() {
            Ok(Some(_)) => return Ok(Restored::Intact),
            Ok(None) => None,
            Err(StateError::Unreadable { .. }) => Some(self.keep_broken(label).map_err(failed)?),
            Err(error) => return Err(error),
        };
        self.write_durably(&directory, state).map_err(failed)?;
        Ok(Restored::Written { kept })
    }

    fn keep_broken(&self, label: &str) -> io::Result<PathBuf> {
        let bytes = fs::read(&self.path)?;
        for number in 1_u32.. {
            let mut name = self.path.clone().into_os_string();
            name.push(format!(".broken-{label}"));
            if number > 1 {
                name.push(format!("-{number}"));
            }
            let kept = PathBuf::from(name);
            match File::create_new(&kept) {
                Ok(mut file) => {
                    file.write_all(&bytes)?;
                    file.sync_all()?;
                    return Ok(kept);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    fn open_directory(&self) -> io::Result<File> {
        let parent = self.path.parent().unwrap_or(Path::new("."));
        match File::open(parent) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                crate::durable::create_directories(parent, 0o777)?;
                File::open(parent)
            }
            opened => opened,
        }
    }

    fn write_durably(&self, directory: &File, state: &State) -> io::Result<()> {
        // One name is enough: writers hold the directory's lock. A leftover of a killed writer is truncated.
        let mut name = self.path.clone().into_os_string();
        name.push(".tmp");
        let temporary = PathBuf::from(name);
        let mut file = File::create(&temporary)?;
        file.write_all(&render(state))?;
        file.sync_data()?;
        fs::rename(&temporary, &self.path)?;
        directory.sync_all()?;
        self.write_copy(state)
    }

    fn write_copy(&self, state: &State) -> io::Result<()> {
        let Some(copy) = &self.copy else { return Ok(()) };
        let temporary = copy.with_extension("tmp");
        let mut file = File::create(&temporary)?;
        file.write_all(&render(state))?;
        file.sync_data()?;
        fs::rename(&temporary, copy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn initial() -> State {
        State::initial(Timestamp::from_second(1_800_000_000).unwrap())
    }

    fn state_file() -> (tempfile::TempDir, StateFile) {
        let directory = tempfile::tempdir().unwrap();
        let file = StateFile::new(directory.path(), Path::new("sync/state.json"));
        (directory, file)
    }

    #[test]
    fn a_missing_file_is_none_and_the_first_update_creates_it_with_its_directory() {
        let (_directory, file) = state_file();
        assert!(file.read().unwrap().is_none());
        file.update::<StateError>(|found| {
            assert!(found.is_none());
            Ok(initial())
        })
        .unwrap();
        assert_eq!(file.read().unwrap(), Some(initial()));
    }

    #[test]
    fn a_refused_change_leaves_the_file_as_it_is() {
        let (_directory, file) = state_file();
        file.update::<StateError>(|_| Ok(initial())).unwrap();
        let before = fs::read(file.path()).unwrap();
        let refused = file.update::<StateError>(|_| {
            Err(StateError::Read { path: "x".into(), source: io::Error::other("refused") })
        });
        assert!(refused.is_err());
        assert_eq!(fs::read(file.path()).unwrap(), before);
    }

    #[test]
    fn a_truncated_file_is_an_error_with_its_place_and_is_never_reset() {
        let (_directory, file) = state_file();
        file.update::<StateError>(|_| Ok(initial())).unwrap();
        fs::write(file.path(), "{\n  \"iteration\": 4,").unwrap();
        let error = file.update::<StateError>(|_| Ok(initial())).unwrap_err();
        assert_eq!(
            error.to_string(),
            "sync/state.json:2:17: not a valid turn state: EOF while parsing a value"
        );
        assert_eq!(fs::read(file.path()).unwrap(), b"{\n  \"iteration\": 4,");
    }

    #[test]
    fn a_broken_file_is_kept_beside_what_takes_its_place() {
        let (_directory, file) = state_file();
        assert_eq!(file.restore(&initial(), "t").unwrap(), Restored::Written { kept: None });
        assert_eq!(file.restore(&initial(), "t").unwrap(), Restored::Intact);
        for (broken, name) in [("{", "state.json.broken-t"), ("[", "state.json.broken-t-2")] {
            fs::write(file.path(), broken).unwrap();
            let kept = file.path().with_file_name(name);
            assert_eq!(
                file.restore(&initial(), "t").unwrap(),
                Restored::Written { kept: Some(kept.clone()) }
            );
            assert_eq!(fs::read_to_string(kept).unwrap(), broken);
            assert_eq!(file.read().unwrap(), Some(initial()));
        }
    }

    #[test]
    fn many_writers_lose_nothing() {
        let (_directory, file) = state_file();
        file.update::<StateError>(|_| Ok(initial())).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..25 {
                        file.update::<StateError>(|found| {
                            let mut state = found.unwrap();
                            state.epoch += 1;
                            Ok(state)
                        })
                        .unwrap();
                    }
                });
            }
        });
        assert_eq!(file.read().unwrap().unwrap().epoch, 100);
    }

    #[test]
    fn each_state_is_copied_where_that_is_asked_for() {
        let (directory, file) = state_file();
        let file = file.with_copy(Some(directory.path().join("copy.json")));
        assert_eq!(file.read_copy(), None);
        file.update::<StateError>(|_| Ok(initial())).unwrap();
        fs::remove_dir_all(directory.path().join("sync")).unwrap();
        assert_eq!(file.read_copy(), Some(initial()));
    }

    #[test]
    fn a_leftover_of_a_killed_writer_is_no_obstacle() {
        let (_directory, file) = state_file();
        file.update::<StateError>(|_| Ok(initial())).unwrap();
        fs::write(file.path().with_file_name("state.json.tmp"), "{ half").unwrap();
        file.update::<StateError>(|found| Ok(found.unwrap())).unwrap();
        assert_eq!(file.read().unwrap(), Some(initial()));
    }
}
