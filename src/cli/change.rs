//! A change of the state by a person: `hold`, `stop`, `pass` and `takeover` go through here.

use serde_json::json;

use super::failures::{refusal_failure, state_failure};
use super::isolation::BranchArgs;
use super::workspace::{Located, locate_loop, state_file};
use super::{Context, Exit, Failure};
use crate::config::Overrides;
use crate::exec::ATTEMPT_MARKER;
use crate::model::State;
use crate::state::{StateError, StateFile};
use crate::turn::Refusal;

/// Where the state lies.
#[derive(Debug, clap::Args)]
pub(super) struct Place {
    /// The state file, relative to the workspace
    #[arg(long, value_name = "FILE")]
    state_file: Option<String>,
    #[command(flatten)]
    branch: BranchArgs,
}

/// The state of the workspace around the working directory.
pub(super) struct Target {
    pub(super) located: Located,
    pub(super) file: StateFile,
}

impl Target {
    pub(super) fn find(place: &Place, context: &Context) -> Result<Self, Failure> {
        let mut overrides = Overrides::default();
        if let Some(file) = &place.state_file {
            overrides.set("state_file", file.as_str(), "--state-file");
        }
        let located = locate_loop(context, &overrides, place.branch.branch.as_deref())?;
        let file = state_file(&located.root, &located.config.config.state_file);
        Ok(Self { located, file })
    }

    /// The state as it is now.
    pub(super) fn read(&self) -> Result<State, Failure> {
        self.file.read().map_err(|error| state_failure(&error))?.ok_or_else(|| self.missing())
    }

    /// Changes the state under its lock; a refusal leaves it as it is.
    pub(super) fn update(
        &self,
        change: impl FnOnce(&State) -> Result<State, Refusal>,
    ) -> Result<State, Failure> {
        // Asked first, since an update would make the directory of a file that is missing.
        self.read()?;
        let changed = self.file.update(|found| match found {
            Some(state) => change(&state).map_err(|refusal| ChangeError(refusal_failure(&refusal))),
            None => Err(ChangeError(self.missing())),
        });
        changed.map_err(|ChangeError(failure)| failure)
    }

    fn missing(&self) -> Failure {
        let shown = self.located.config.config.state_file.display();
        Failure::new(
            Exit::Usage,
            format!("there is no state in `{}`: {shown} does not exist", self.located.root.display()),
        )
        .help("`baton run` makes it with the first turn")
        .help("`-C DIR` chooses another workspace, `--state-file FILE` another file")
    }
}

/// A failure on its way out of an update.
struct ChangeError(Failure);

impl From<StateError> for ChangeError {
    fn from(error: StateError) -> Self {
        Self(state_failure(&error))
    }
}

/// What only a person may do is refused inside an agent's attempt.
pub(super) fn refuse_in_attempt(verb: &str, context: &Context) -> Result<(), Failure> {
    match context.ambient.path_var(ATTEMPT_MARKER) {
        None => Ok(()),
        Some(_) => Err(Failure::new(
            Exit::Usage,
            format!(
                "`baton {verb}` is a person's decision, and this is an agent's turn ({ATTEMPT_MARKER} is set)"
            ),
        )
        .help("end the turn, and say in your reply what a person should do")),
    }
}

/// Says what was done, for people or as JSON with the state after it.
pub(super) fn report(words: &str, state: &State, json: AsJson, context: &Context) -> Exit {
    match json {
        AsJson::No => context.output.say(words),
        AsJson::Yes => {
            let written = serde_json::from_slice::<serde_json::Value>(&crate::state::render(state));
            context.output.say(json!({ "done": words, "state": written.unwrap_or_default() }));
        }
    }
    Exit::Done
}

/// Whether a report is a JSON document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AsJson {
    /// It is.
    Yes,
    /// It is for people.
    No,
}

impl From<bool> for AsJson {
    fn from(given: bool) -> Self {
        if given { Self::Yes } else { Self::No }
    }
}
