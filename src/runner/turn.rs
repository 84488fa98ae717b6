//! Drives a turn from phase to phase, a fresh one and one of an earlier process alike.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::agent::{AgentOptions, Choice, CommandSpec, CustomCommand, Wanted, decide_agent, resolve};
use crate::ambient::Ambient;
use crate::attempt::{InterruptSignal, Interrupts, seek_program};
use crate::config::Config;
use crate::exec::AttemptDir;
use crate::ledger::{Entry, Ledger, PhaseRecord, Turn, TurnOpening};
use crate::model::{Actor, AttemptId, PromptName, State};
use crate::publish::secret::Masker;
use crate::route::Settings;
use crate::turn::{Next, Phase, decide_next};

use super::crash::CrashPoints;
use super::error::NoAgent;
use super::journal::{Record, TurnRecord};
use super::lease::LeaseKeeper;
use super::log::TurnLog;
use super::masking::MaskedObserver;
use super::observer::{Event, Observer, TurnOrigin};
use super::outcome::TurnOutcome;
use super::preview::CommitUse;
use super::run::Looked;
use super::sync::{Exchange, Patience};
use super::void::Void;
use super::workspace::Workspace;
use super::{RunnerError, settings};

/// Takes turns in one workspace.
pub struct Runner<'a> {
    pub(super) ambient: &'a Ambient,
    pub(super) config: &'a Config,
    pub(super) workspace: Workspace,
    pub(super) routing: Settings,
    pub(super) choice: Choice,
    pub(super) commands: BTreeMap<String, CustomCommand>,
    pub(super) options: BTreeMap<String, AgentOptions>,
    pub(super) supervisor: PathBuf,
    pub(super) interrupts: Interrupts,
    pub(super) observer: MaskedObserver<'a>,
    pub(super) masker: Masker,
    pub(super) mode: &'static str,
    pub(super) commits: CommitUse,
    /// `done` records that the next `begin` or the turn's end makes durable: what they say can be found again in the
    /// world, so that they need no write of their own.
    pub(super) pending: Vec<Entry>,
    pub(super) crash: CrashPoints,
    pub(super) log: Option<TurnLog>,
    /// Whether what a person has changed was listed already.
    pub(super) dirt_listed: bool,
    /// What the phase before has seen of the work tree.
    pub(super) looked: Option<Looked>,
    /// Up to this commit, what was committed during a turn is accepted even where it touches protected paths.
    pub(super) accepted: Option<String>,
    /// Where turns are passed to another machine; `None` in modes of one machine.
    pub(super) exchange: Option<Exchange>,
    /// How long a network that does not answer is waited for.
    pub(super) patience: Patience,
    /// Local commits of nobody's turn are published with the next one.
    pub(super) publish_existing: bool,
    /// Galph's turn passes although it changed what it does not publish.
    pub(super) tolerates_others_paths: bool,
    /// Shows the other side that the holder of the turn lives.
    pub(super) lease: Option<LeaseKeeper>,
}

/// What a turn is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnKind {
    /// The turn that the state expects.
    Expected,
    /// The same, after it failed.
    Again,
    /// One whose holder has not shown a sign of life for longer than its lease.
    TakenOver,
    /// A seat's prompt without any state; the number is the run's own count.
    Solo(u64),
}

/// How a phase left the turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Go on.
    Go,
    /// The claim never happened.
    Void(Void),
    /// Stopped by a signal, after the agent had finished.
    Suspend(InterruptSignal),
}

impl<'a> Runner<'a> {
    /// A runner over an opened workspace. `supervisor` is the executable that supervises attempts: this one.
    pub fn new(
        workspace: Workspace,
        config: &'a Config,
        ambient: &'a Ambient,
        interrupts: Interrupts,
        supervisor: PathBuf,
        mode: &'static str,
        observer: &'a mut dyn Observer,
    ) -> Result<Self, RunnerError> {
        let (masker, _) = settings::masker(config, ambient);
        Ok(Self {
            routing: settings::routing(config)?,
            choice: config.agent.choice(),
            commands: settings::custom_commands(config)?,
            options: settings::agent_options(config),
            pending: Vec::new(),
            crash: CrashPoints::default(),
            log: None,
            dirt_listed: false,
            looked: None,
            commits: CommitUse::default(),
            accepted: None,
            exchange: None,
            patience: Patience::default(),
            publish_existing: false,
            tolerates_others_paths: false,
            lease: None,
            ambient,
            config,
            workspace,
            supervisor,
            interrupts,
            observer: MaskedObserver::new(observer, masker.clone()),
            masker,
            mode,
        })
    }

    /// Accepts what was committed during a turn, up to this commit, even where it touches protected paths.
    pub fn accept_commits(&mut self, until: Option<&str>) {
        self.accepted = until.map(str::to_owned);
    }

    /// The workspace.
    pub fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// Whoever watches.
    pub fn observe(&mut self, event: &Event<'_>) {
        self.observer.event(event);
    }

    /// Asks for the signals that have come.
    pub fn interrupted(&self) -> Option<InterruptSignal> {
        self.interrupts.pending()
    }

    /// Takes a turn for this seat.
    pub fn run_turn(&mut self, actor: Actor, kind: TurnKind) -> Result<TurnOutcome, RunnerError> {
        self.renew_records()?;
        let state = match kind {
            TurnKind::Expected | TurnKind::Again | TurnKind::TakenOver => Some(self.state_or_initial()?),
            TurnKind::Solo(_) => None,
        };
        self.check_before_claim(actor, kind, state.as_ref())?;
        let mut turn = TurnRecord::new(self.opening(actor, kind, state.as_ref()));
        let step = self.claim(&mut turn, kind, state)?;
        self.announce(&turn, TurnOrigin::Here);
        self.drive(turn, step)
    }

    pub(super) fn opening(&self, actor: Actor, kind: TurnKind, state: Option<&State>) -> TurnOpening {
        TurnOpening {
            id: self.ambient.new_turn_id(),
            actor,
            mode: self.mode.to_owned(),
            iteration: match (kind, state) {
                (TurnKind::Solo(count), _) => count,
                (_, Some(state)) => state.iteration,
                (_, None) => 0,
            },
            machine: self.workspace.machine.clone(),
            boot_id: self.ambient.boot_id(),
            at: self.ambient.now(),
        }
    }

    /// Goes on with the turns that an earlier process began and did not end, oldest first; one a call.
    pub fn resume(&mut self) -> Result<Option<TurnOutcome>, RunnerError> {
        self.resume_of(None)
    }

    pub(super) fn resume_of(&mut self, seat: Option<Actor>) -> Result<Option<TurnOutcome>, RunnerError> {
        let open = self.workspace.ledger.open_turns()?;
        let first = open.into_iter().find(|turn| seat.is_none_or(|seat| turn.opening.actor == seat));
        let Some(Turn { opening, .. }) = first else { return Ok(None) };
        if opening.machine != self.workspace.machine {
            return Err(RunnerError::OtherMachine {
                turn: opening.id,
                machine: opening.machine,
                here: self.workspace.machine.clone(),
            });
        }
        let id = opening.id;
        let records = self.workspace.ledger.phases(id)?;
        let mut turn = TurnRecord::fold(opening, &records)
            .map_err(|source| RunnerError::Journal { turn: id, source })?;
        self.refuse_other_mode(&turn)?;
        self.reopen_log(&turn)?;
        self.announce(&turn, TurnOrigin::Resumed);
        self.keep_protected(&turn)?;
        let step = if turn.pushed_claim().is_some() {
            self.check_still_ours_there(&mut turn)?
        } else {
            self.check_still_ours(&turn)?
        };
        self.drive(turn, step).map(Some)
    }

    /// An agent may have deleted the records: what is written to a deleted file, no restart will find.
    pub(super) fn renew_records(&mut self) -> Result<(), RunnerError> {
        let path = self.workspace.home.ledger();
        if !path.is_file() {
            self.workspace.home.create()?;
            self.workspace.ledger = Ledger::open(&path)?;
            self.warn(&format!("{} was deleted during a turn; the records begin anew", path.display()));
        }
        Ok(())
    }

    fn keep_protected(&mut self, turn: &TurnRecord) -> Result<(), RunnerError> {
        if let (Some(repo), Some(claim)) = (&self.workspace.repo, &turn.claim) {
            self.workspace.rules = settings::rules(self.config, repo.prefix().clone(), &claim.protect)?;
        }
        Ok(())
    }

    pub(super) fn announce(&mut self, turn: &TurnRecord, origin: TurnOrigin) {
        let opening = &turn.opening;
        self.observer.event(&Event::Claimed {
            actor: opening.actor,
            iteration: opening.iteration,
            turn: opening.id,
            origin,
        });
    }

    pub(super) fn drive(&mut self, mut turn: TurnRecord, first: Step) -> Result<TurnOutcome, RunnerError> {
        let mut step = first;
        loop {
            match step {
                Step::Go => {}
                Step::Void(why) => return self.close_void(&turn, why),
                Step::Suspend(signal) => return self.suspend(&turn, signal),
            }
            step = match decide_next(turn.facts, turn.features()) {
                Next::Begin(phase) => {
                    self.crash_point(phase, "begin");
                    self.begin(&mut turn, phase)?
                }
                Next::Examine(phase) => self.examine(&mut turn, phase)?,
                Next::Close => return self.close(&turn),
            };
        }
    }

    fn begin(&mut self, turn: &mut TurnRecord, phase: Phase) -> Result<Step, RunnerError> {
        match phase {
            // A turn is claimed before it is driven; one without any record was void before it began.
            Phase::Claimed => Ok(Step::Void(Void::NeverMade)),
            Phase::Selected => self.select(turn),
            Phase::Baseline => self.baseline(turn),
            Phase::Running => self.run_agent(turn),
            Phase::Verified => self.verify(turn),
            Phase::Committed => {
                let ended = self.commit(turn);
                self.tell_refusal(turn, ended)
            }
            Phase::Stamped if turn.pushed_claim().is_some() => self.stamp_for_remote(turn),
            Phase::Stamped => self.stamp(turn),
            Phase::Published => {
                let ended = self.publish(turn);
                self.tell_refusal(turn, ended)
            }
        }
    }

    fn examine(&mut self, turn: &mut TurnRecord, phase: Phase) -> Result<Step, RunnerError> {
        match phase {
            Phase::Claimed if turn.pushed_claim().is_some() => self.examine_remote_claim(turn),
            Phase::Claimed => self.examine_claim(turn),
            Phase::Selected => self.examine_selection(turn),
            Phase::Baseline => self.baseline(turn),
            Phase::Running => self.examine_agent(turn),
            Phase::Verified => self.verify(turn),
            Phase::Committed => {
                let ended = self.examine_commit(turn);
                self.tell_refusal(turn, ended)
            }
            Phase::Stamped if turn.pushed_claim().is_some() => self.stamp_for_remote(turn),
            Phase::Stamped => self.examine_stamp(turn),
            Phase::Published => {
                let ended = self.examine_publication(turn);
                self.tell_refusal(turn, ended)
            }
        }
    }

    /// Writes a `begin` record, and the `done` records before it; when this returns they are durable.
    pub(super) fn journal_begin(&mut self, turn: &mut TurnRecord, record: Record) -> Result<(), RunnerError> {
        let (phase, _) = record.place();
        self.push(turn, record)?;
        self.flush()?;
        self.crash_point(phase, "effect");
        Ok(())
    }

    /// Notes a record that the next `begin` makes durable.
    pub(super) fn journal_done(&mut self, turn: &mut TurnRecord, record: Record) -> Result<(), RunnerError> {
        let (phase, _) = record.place();
        self.crash_point(phase, "done");
        self.push(turn, record)
    }

    fn push(&mut self, turn: &mut TurnRecord, mut record: Record) -> Result<(), RunnerError> {
        record.mask(&self.masker);
        let (phase, edge) = record.place();
        let data = serde_json::to_value(&record)
            .map_err(|source| RunnerError::Journal { turn: turn.opening.id, source })?;
        self.pending.push(Entry::Phase(PhaseRecord {
            turn: turn.opening.id,
            phase: phase.as_str().to_owned(),
            edge,
            at: self.ambient.now(),
            data,
        }));
        turn.apply(record);
        Ok(())
    }

    /// Makes the end of the last turn durable: before anybody is told that the loop is over.
    pub fn settle(&self) -> Result<(), RunnerError> {
        Ok(self.workspace.ledger.sync()?)
    }

    pub(super) fn flush(&mut self) -> Result<(), RunnerError> {
        self.workspace.ledger.write(&self.pending)?;
        self.pending.clear();
        Ok(())
    }

    pub(super) fn crash_point(&mut self, phase: Phase, edge: &str) {
        self.crash.pass(self.ambient, &self.interrupts, &format!("{phase}:{edge}"));
    }

    pub(super) fn warn(&mut self, text: &str) {
        if let Some(log) = &mut self.log {
            log.line(&format!("warning: {text}"));
        }
        self.observer.event(&Event::Warning { text });
    }

    pub(super) fn attempt_dir(&self, attempt: AttemptId) -> AttemptDir {
        AttemptDir::new(self.workspace.home.attempt(attempt))
    }

    pub(super) fn prompt_exists(&self, prompt: &PromptName) -> bool {
        self.prompt_path(prompt).is_file()
    }

    fn prompt_path(&self, prompt: &PromptName) -> PathBuf {
        self.workspace.root.join(&self.config.prompts_dir).join(prompt.as_str())
    }

    pub(super) fn prompts_dir(&self) -> String {
        self.config.prompts_dir.display().to_string()
    }

    /// The agent of a prompt, found and ready.
    pub(super) fn agent_for(&self, actor: Actor, prompt: &PromptName) -> Result<CommandSpec, RunnerError> {
        let chosen = decide_agent(&self.choice, actor, prompt);
        let root: &Path = &self.workspace.root;
        let seek = |wanted: Wanted<'_>| seek_program(wanted, root, self.ambient);
        resolve(&chosen.name, &seek, &self.commands, &self.options).map_err(|source| {
            let because = chosen.because.to_string();
            NoAgent { actor, prompt: prompt.clone(), because, source }.into()
        })
    }
}
