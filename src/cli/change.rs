//! A change of the state by a person: `hold`, `stop`, `pass` and `takeover` go through here.

use serde_json::json;

use super::failures::{refusal_failure, repo_failure, state_failure};
use super::isolation::BranchArgs;
use super::shared::{Lease, Lies, Shared, find_shared, short};
use super::workspace::{Located, locate_loop, state_file};
use super::{Context, Exit, Failure};
use crate::config::Overrides;
use crate::exec::ATTEMPT_MARKER;
use crate::model::State;
use crate::publish::secret::Masker;
use crate::repo::LeaseSeen;
use crate::runner::{Change, Seen, settings};
use crate::state::{StateError, StateFile};
use crate::turn::Refusal;
use crate::turn::sync::SyncEvent;

/// Where the state lies.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Place {
    /// The state file, relative to the workspace
    #[arg(long, value_name = "FILE")]
    state_file: Option<String>,
    /// The file here, also where the state is shared through a remote: nobody else sees a change of it
    #[arg(long)]
    local: bool,
    #[command(flatten)]
    branch: BranchArgs,
}

/// Where the state lies, and what follows a change of it.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ChangePlace {
    #[command(flatten)]
    pub(super) place: Place,
    /// Leave the branch here where it is after a change on the remote
    #[arg(long)]
    no_pull: bool,
}

impl ChangePlace {
    /// The same, about the file here.
    pub(super) fn to_local(&self) -> Self {
        Self { place: Place { local: true, ..self.place.clone() }, ..self.clone() }
    }
}

/// A change of the state.
pub(super) struct Edit<'a> {
    /// The change; asked again where somebody else was faster.
    pub(super) apply: &'a dyn Fn(&State) -> Result<State, Refusal>,
    /// What its commit says, from the state before and after it.
    pub(super) event: &'a dyn Fn(&State, &State) -> SyncEvent,
}

/// The state of the workspace around the working directory.
pub(super) struct Target {
    pub(super) located: Located,
    file: StateFile,
    shared: Option<Box<Shared>>,
    /// Whether only the file here is meant although others share the state.
    pub(super) alone: Option<Alone>,
    no_pull: bool,
}

/// Why a shared state is changed in the file here only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alone {
    /// It was asked for.
    Asked,
    /// An agent works in this tree: what it says there, the turn takes along.
    Agent,
}

/// A changed state.
pub(super) struct Changed {
    pub(super) state: State,
    /// Where it was published.
    pub(super) there: Option<There>,
}

/// A change on a remote.
pub(super) struct There {
    remote: String,
    branch: String,
    /// The commit, short.
    commit: String,
    /// Why the branch here does not follow; `None`: it does, or was not to.
    stays: Option<String>,
    /// Whether the earlier scripts had written the state before it.
    pub(super) by_earlier_scripts: bool,
}

impl Target {
    pub(super) fn to_change(place: &ChangePlace, context: &Context) -> Result<Self, Failure> {
        Ok(Self { no_pull: place.no_pull, ..Self::find(&place.place, context)? })
    }

    pub(super) fn find(place: &Place, context: &Context) -> Result<Self, Failure> {
        let mut overrides = Overrides::default();
        if let Some(file) = &place.state_file {
            overrides.set("state_file", file.as_str(), "--state-file");
        }
        let located = locate_loop(context, &overrides, place.branch.branch.as_deref())?;
        let file = state_file(&located.root, &located.config.config.state_file);
        let mut target = Self { located, file, shared: None, alone: None, no_pull: false };
        match find_shared(&target.located, context) {
            Ok(Lies::There(_)) if place.local => target.alone = Some(Alone::Asked),
            Ok(Lies::There(_)) if context.ambient.path_var(ATTEMPT_MARKER).is_some() => {
                target.alone = Some(Alone::Agent);
            }
            Ok(Lies::There(shared)) => target.shared = Some(shared),
            Ok(Lies::Perhaps(mut shared)) if !place.local && !target.file.path().exists() => {
                // Another clone may have begun since this one was made; without an answer there is no state here.
                match shared.look(&target.located, Lease::No) {
                    Ok((seen, _)) if seen.state.is_some() => target.shared = Some(shared),
                    Err(failure) if failure.is_stop() => return Err(failure),
                    Ok(_) | Err(_) => {}
                }
            }
            Ok(Lies::Perhaps(_) | Lies::Here) => {}
            // Nothing else is looked at.
            Err(_) if place.local => {}
            Err(error) => {
                return Err(
                    repo_failure(&error).help("`--local` looks at the state file here and nothing else")
                );
            }
        }
        Ok(target)
    }

    /// Whether others see what is changed.
    pub(super) const fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// The remote's repository and branch.
    pub(super) fn shared(&self) -> Option<&Shared> {
        self.shared.as_deref()
    }

    /// The state as it is now.
    pub(super) fn read(&mut self) -> Result<State, Failure> {
        Ok(self.look(Lease::No)?.0)
    }

    /// The state as it is now, and the lease of the turn that runs, where it is asked for and there is one.
    pub(super) fn look(&mut self, lease: Lease) -> Result<(State, Option<LeaseSeen>), Failure> {
        let Some(shared) = &mut self.shared else {
            let found = self.file.read().map_err(|error| state_failure(&error))?;
            return Ok((found.ok_or_else(|| self.missing())?, None));
        };
        let looked = shared.look(&self.located, lease).map_err(|failure| {
            failure.help("nothing was changed; `baton status --offline` tells what was seen last")
        })?;
        match looked {
            (Seen { state: Some(state), .. }, lease) => Ok((state, lease)),
            (Seen { state: None, .. }, _) => Err(self.missing()),
        }
    }

    /// Changes the state, where it lies; a refusal leaves it as it is.
    pub(super) fn update(&mut self, edit: &Edit<'_>, context: &Context) -> Result<Changed, Failure> {
        if self.shared.is_none() {
            return self.update_here(edit.apply).map(|state| Changed { state, there: None });
        }
        if !self.shared.as_ref().is_some_and(|shared| shared.was_seen()) {
            self.read()?;
        }
        let masker = settings::masker(&self.located.config.config, &context.ambient).0;
        let apply = |state: &State| (edit.apply)(state).map(|state| without_secrets(state, &masker));
        let change = Change { event: edit.event, apply: &apply, initial: None, only_initial: false };
        let missing = self.missing();
        let Some(shared) = &mut self.shared else { return Err(missing) };
        let by_earlier_scripts = shared.was_by_earlier_scripts();
        let Some(Seen { tip, state: Some(state), .. }) = shared.change(&self.located, &change)? else {
            return Err(missing);
        };
        let stays =
            if self.no_pull { None } else { shared.follow(&self.located.root, &tip, "changed by hand") };
        let commit = short(&tip);
        let (remote, branch) = (shared.exchange.name().to_owned(), shared.exchange.branch().to_owned());
        Ok(Changed { state, there: Some(There { remote, branch, commit, stays, by_earlier_scripts }) })
    }

    fn update_here(&self, change: &dyn Fn(&State) -> Result<State, Refusal>) -> Result<State, Failure> {
        // Asked first, since an update would make the directory of a file that is missing.
        if self.file.read().map_err(|error| state_failure(&error))?.is_none() {
            return Err(self.missing());
        }
        let changed = self.file.update(|found| match found {
            Some(state) => change(&state).map_err(|refusal| ChangeError(refusal_failure(&refusal))),
            None => Err(ChangeError(self.missing())),
        });
        changed.map_err(|ChangeError(failure)| failure)
    }

    fn missing(&self) -> Failure {
        let shown = self.located.config.config.state_file.display();
        if let Some(shared) = &self.shared {
            let (remote, branch) = (shared.exchange.name(), shared.exchange.branch());
            return Failure::new(
                Exit::Usage,
                format!("there is no state on `{branch}` of `{remote}`: {shown} is not there"),
            )
            .help("`baton run --mode role --role galph` writes the first one");
        }
        Failure::new(
            Exit::Usage,
            format!("there is no state in `{}`: {shown} does not exist", self.located.root.display()),
        )
        .help("`baton run` makes it with the first turn")
        .help("`-C DIR` chooses another workspace, `--state-file FILE` another file")
    }

    /// What goes on after a change that lets turns be taken again.
    pub(super) const fn goes_on(&self) -> &'static str {
        if self.is_shared() {
            "A side that waits goes on by itself; `baton run --mode role` starts one."
        } else {
            "`baton run` goes on."
        }
    }
}

/// What a person types may hold what must not leave the machine.
fn without_secrets(mut state: State, masker: &Masker) -> State {
    masker.mask_in_place(&mut state.exit_reason);
    state.holds.iter_mut().for_each(|hold| masker.mask_in_place(&mut hold.reason));
    state
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
pub(super) fn report(
    words: &str,
    changed: &Changed,
    target: &Target,
    json: AsJson,
    context: &Context,
) -> Exit {
    let there = changed.there.as_ref();
    match json {
        AsJson::No => {
            let published = there.map_or_else(String::new, |There { remote, branch, commit, .. }| {
                format!("\nPublished on `{branch}` of `{remote}` as {commit}.")
            });
            context.output.say(format!("{words}{published}"));
        }
        AsJson::Yes => {
            let written = serde_json::from_slice::<serde_json::Value>(&crate::state::render(&changed.state));
            let shared = there.map(|there| {
                json!({
                    "remote": there.remote, "branch": there.branch, "commit": there.commit,
                    "branch_stays": there.stays,
                })
            });
            context
                .output
                .say(json!({ "done": words, "state": written.unwrap_or_default(), "shared": shared }));
        }
    }
    if let Some(There { remote, branch, stays: Some(why), .. }) = there {
        context.output.note(format!(
            "note: `{branch}` here stays where it is: {why}; `git pull --rebase {remote} {branch}` brings it up to date"
        ));
    }
    if target.alone == Some(Alone::Asked) {
        let shown = target.located.config.config.state_file.display();
        context.output.note(format!(
            "note: only {shown} here was changed: the other side does not see it, and `baton run --mode role` does not \
             start here until `git checkout -- {shown}` takes it back"
        ));
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
