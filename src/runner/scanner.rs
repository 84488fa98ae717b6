//! The external scanner: the same new contents, laid out in a directory of their own, for a command of the person's.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::attempt::{self, CommandOrder, InterruptSignal};
use crate::exec::{self, Ended as EndedBy, How};
use crate::model::Span;
use crate::publish::{FileMode, RepoPath, Selection};
use crate::repo::{Introduced, Repo};

use super::journal::TurnRecord;
use super::masking::masked_end;
use super::secrets::LARGEST_BLOB;
use super::turn::Runner;
use super::verify::came_to_nothing;
use super::{RunnerError, settings};

/// Says where the contents lie; it is the working directory too.
const SCAN_DIR: &str = "BATON_SCAN_DIR";
/// The longest that a scanner may run.
const TIME_LIMIT: Span = Span::from_secs(10 * 60);
/// The end of its output that is told.
const TAIL_BYTES: u64 = 2_000;

impl Runner<'_> {
    /// Runs the scanner over the selected paths (`work/`) and the commits since the claim (`commits/ID/`, `ID.message`).
    pub(super) fn run_scanner(
        &mut self,
        turn: &TurnRecord,
        selection: &Selection,
        introduced: &[Introduced],
        line: &str,
    ) -> Result<Option<InterruptSignal>, RunnerError> {
        let Some(repo) = &self.workspace.repo else { return Ok(None) };
        let failed = |source| RunnerError::Log { path: std::env::temp_dir(), source };
        let scratch = tempfile::Builder::new().prefix("baton-scan-").tempdir().map_err(failed)?;
        let root = scratch.path().canonicalize().map_err(failed)?;
        lay_out(repo, selection, introduced, &root)?;
        let attempt = self.ambient.new_attempt_id();
        let dir = self.attempt_dir(attempt);
        let mut environment = self.check_environment(turn, attempt, &dir);
        environment.insert(SCAN_DIR.into(), root.clone().into());
        let order = CommandOrder {
            attempt,
            line,
            workspace: &root,
            environment,
            limits: settings::check_limits(self.config, TIME_LIMIT),
        };
        let spec = attempt::write_command_spec(&dir, order)?;
        let prepared = exec::submit(&dir, spec, &self.supervisor, self.ambient)?;
        let exit = self.watch_check(attempt, prepared.go()?)?;
        if came_to_nothing(&exit)
            && let Some(signal) = self.interrupts.pending()
        {
            return Ok(Some(signal));
        }
        let how = match (&exit.ended_by, &exit.how) {
            (EndedBy::Itself, How::Exited { code: 0 }) => return Ok(None),
            (EndedBy::WallLimit | EndedBy::IdleLimit, _) => format!("it had not ended after {TIME_LIMIT}"),
            (_, How::Exited { code }) => format!("exit {code}"),
            (_, How::Signalled { signal }) => format!("signal {signal}"),
            (_, How::SpawnFailed(failure)) => failure.message.clone(),
            (_, How::NeverStarted | How::Unknown) => "it vanished".to_owned(),
        };
        let tail =
            [dir.stdout_path(), dir.stderr_path()].map(|path| masked_end(&self.masker, &path, TAIL_BYTES));
        self.flush()?;
        Err(RunnerError::Scanner {
            actor: turn.opening.actor,
            how: self.masker.mask(&how),
            tail: indented(&tail.concat()),
        })
    }
}

fn indented(tail: &str) -> String {
    tail.trim_end()
        .lines()
        .fold(String::new(), |text, line| text + "\n    " + &line.replace(char::is_control, "\u{fffd}"))
}

fn lay_out(
    repo: &Repo,
    selection: &Selection,
    introduced: &[Introduced],
    root: &Path,
) -> Result<(), RunnerError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| RunnerError::Log { path, source }
    };
    let paths = selection.batches.iter().flat_map(|batch| &batch.paths);
    for (path, selected) in paths {
        let is_file = selected.content.as_ref().is_some_and(|blob| blob.mode != FileMode::Submodule);
        let Some(mut content) = is_file.then(|| repo.open_work_file(path)).transpose()?.flatten() else {
            continue;
        };
        let Some(target) = place(&root.join("work"), path).map_err(failed(root))? else { continue };
        let copied = fs::File::create(&target).and_then(|mut file| io::copy(&mut content, &mut file));
        copied.map_err(failed(&target))?;
    }
    for commit in introduced {
        let folder = root.join("commits").join(&commit.commit);
        fs::create_dir_all(&folder).map_err(failed(&folder))?;
        let message = folder.with_extension("message");
        fs::write(&message, &commit.message).map_err(failed(&message))?;
        for file in commit.files.iter().filter(|file| file.size <= LARGEST_BLOB) {
            let Some(target) = place(&folder, &file.path).map_err(failed(root))? else { continue };
            fs::write(&target, repo.read_blob(&file.blob.id)?).map_err(failed(&target))?;
        }
    }
    Ok(())
}

/// Where a file goes; `None` for a name that would lead elsewhere.
fn place(folder: &Path, path: &RepoPath) -> io::Result<Option<PathBuf>> {
    if !path.as_path().components().all(|part| matches!(part, Component::Normal(_))) {
        return Ok(None);
    }
    let target = folder.join(path.as_path());
    target.parent().map_or(Ok(()), fs::create_dir_all)?;
    Ok(Some(target))
}
