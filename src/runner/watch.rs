//! The watch over another machine's lease, kept between ticks.
//!
//! A loop watches while it runs; ticks of cron see one moment each, and only together can they tell that nothing has
//! changed for long enough. Losing the file costs patience only: the watch begins anew.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;

use crate::ledger::{Home, HomeError};
use crate::model::Actor;
use crate::turn::sync::LeaseWatch;

/// Where one seat keeps its watch.
#[derive(Debug, Clone)]
pub struct WatchFile {
    path: PathBuf,
}

impl WatchFile {
    /// In the records of a workspace.
    #[must_use]
    pub fn of(home: &Home, seat: Actor) -> Self {
        Self { path: home.root().join(format!("watch-{seat}.json")) }
    }

    /// The watch as it was kept last. What is not there or cannot be read is none.
    pub fn read(&self) -> Option<LeaseWatch> {
        serde_json::from_slice(&fs::read(&self.path).ok()?).ok()
    }

    /// Keeps this watch; durable when it returns. `None` forgets the one that there is. Who writes holds the seat's lock.
    pub fn write(&self, watch: Option<&LeaseWatch>) -> Result<(), HomeError> {
        let written = match watch {
            Some(watch) if self.read().as_ref() == Some(watch) => Ok(()),
            Some(watch) => self.replace(watch),
            None => match fs::remove_file(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                Ok(()) | Err(_) => Ok(()),
            },
        };
        written.map_err(|source| HomeError::Unusable { path: self.path.clone(), source })
    }

    fn replace(&self, watch: &LeaseWatch) -> io::Result<()> {
        // One name is enough: a leftover of a killed writer is overwritten.
        let temporary = self.path.with_extension("tmp");
        let mut file = File::create(&temporary)?;
        serde_json::to_writer(&mut file, watch)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&temporary, &self.path)?;
        crate::durable::sync_parent(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::Token;
    use crate::turn::sync::LeaseSight;

    fn watch(renewal: Option<&str>) -> LeaseWatch {
        let sight = LeaseSight { token: Token::from_random(7), renewal: renewal.map(ToOwned::to_owned) };
        LeaseWatch::see(None, sight, "boot", Duration::from_millis(1500))
    }

    #[test]
    fn a_watch_is_found_again_as_it_was_kept_and_each_seat_has_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::in_git_dir(directory.path());
        home.create().unwrap();
        let (galph, ralph) = (WatchFile::of(&home, Actor::Galph), WatchFile::of(&home, Actor::Ralph));
        assert_eq!(galph.read(), None);
        galph.write(Some(&watch(None))).unwrap();
        galph.write(Some(&watch(Some("abc")))).unwrap();
        assert_eq!(galph.read(), Some(watch(Some("abc"))));
        assert_eq!(ralph.read(), None);
        assert_eq!(
            fs::read_to_string(home.root().join("watch-galph.json")).unwrap(),
            "{\"sight\":{\"token\":\"00000000000000000000000000000007\",\"renewal\":\"abc\"},\
             \"boot\":\"boot\",\"since_millis\":1500}\n"
        );
        galph.write(None).unwrap();
        galph.write(None).unwrap();
        assert_eq!(galph.read(), None);
        let names = fs::read_dir(home.root()).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(names.collect::<Vec<_>>(), ["attempts"]);
    }

    #[test]
    fn a_damaged_watch_is_no_watch_and_is_written_anew() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::in_git_dir(directory.path());
        home.create().unwrap();
        let file = WatchFile::of(&home, Actor::Ralph);
        for damaged in ["", "{\"sight\":{\"token\":\"0", "[]", "\u{0}\u{0}\u{0}"] {
            fs::write(home.root().join("watch-ralph.json"), damaged).unwrap();
            assert_eq!(file.read(), None, "{damaged:?}");
            file.write(Some(&watch(None))).unwrap();
            assert_eq!(file.read(), Some(watch(None)));
        }
    }
}
