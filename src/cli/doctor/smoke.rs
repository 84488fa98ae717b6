//! Running an agent's program outside of any turn, under the usual supervision, in a temporary directory: for its version,
//! and on request with a tiny prompt.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Site;
use super::agent_facts::Smoke;
use crate::agent::{CommandSpec, PromptEncoding, Reader};
use crate::ambient::Ambient;
use crate::attempt::{
    AgentOrder, AttemptError, Glimpse, InterruptSignal, Interrupts, Limits, Stream, close_reading, watch,
    write_agent_spec,
};
use crate::cli::run::own_executable;
use crate::cli::words::one_line;
use crate::cli::{Exit, Failure};
use crate::config::Config;
use crate::exec::{self, AttemptDir, ExitRecord, Spec};
use crate::model::{AttemptId, Usage};
use crate::publish::secret::Masker;
use crate::runner::environment_without_turn;

/// A program that tells its version takes no longer.
const VERSION_LIMITS: Limits = Limits {
    wall: Some(Duration::from_secs(20)),
    idle: None,
    grace: Duration::from_secs(1),
    max_output: 64 * 1024,
};
const SMOKE_LIMITS: Limits = Limits {
    wall: Some(Duration::from_mins(3)),
    idle: Some(Duration::from_mins(1)),
    grace: Duration::from_secs(5),
    max_output: 4 * 1024 * 1024,
};
const PROMPT: &str = "Answer with the one word `ready`. Use no tools and change no files.\n";
/// The same for the agent that runs what stands in a prompt.
const SHELL_PROMPT: &str = "```sh\necho ready\n```\n";
const MAX_VERSION_CHARACTERS: usize = 60;

/// A place to run agents in.
pub(super) struct Bench<'a> {
    ambient: &'a Ambient,
    environment: BTreeMap<OsString, OsString>,
    supervisor: PathBuf,
    interrupts: Interrupts,
    scratch: tempfile::TempDir,
}

impl<'a> Bench<'a> {
    pub(super) fn open(site: &'a Site<'_>, config: &Config) -> Result<Self, Failure> {
        let failed = |what: &str, error: std::io::Error| {
            Failure::new(Exit::Operational, format!("cannot {what}")).caused_by(error)
        };
        let ambient = &site.context.ambient;
        Ok(Self {
            environment: environment_without_turn(config, ambient.env()),
            ambient,
            supervisor: own_executable()?,
            interrupts: site.context.signals.take_over()?,
            scratch: tempfile::Builder::new().prefix("baton-doctor-").tempdir().map_err(|error| {
                failed(&format!("make a directory in `{}`", std::env::temp_dir().display()), error)
                    .help("set TMPDIR to a directory that can be written")
            })?,
        })
    }

    /// Whether a person wants it to stop.
    pub(super) fn interrupted(&self) -> Option<InterruptSignal> {
        self.interrupts.pending()
    }

    /// The first line that it says to `--version`; `None` where it says nothing, fails, or takes too long.
    pub(super) fn version(&self, command: &CommandSpec) -> Option<String> {
        let (dir, work, attempt) = self.places().ok()?;
        fs::create_dir_all(dir.path()).ok()?;
        let argv = vec![command.program.clone().into_os_string(), "--version".into()];
        let mut spec = Spec::new(attempt, argv, work);
        let mut environment = self.environment.clone();
        for name in &command.env_remove {
            environment.remove(std::ffi::OsStr::new(name));
        }
        environment.extend(command.env.iter().map(|(name, value)| (name.into(), value.into())));
        spec.env = environment.into_iter().collect();
        spec.wall_limit = VERSION_LIMITS.wall;
        spec.grace = VERSION_LIMITS.grace;
        spec.max_output = VERSION_LIMITS.max_output;
        let mut said = Vec::new();
        let exit = self.carry_out(&dir, spec, attempt, |_, bytes| said.extend_from_slice(bytes)).ok()?;
        let text = String::from_utf8_lossy(&said);
        let line = one_line(text.lines().find(|line| !line.trim().is_empty())?.trim());
        let succeeded = exit.how == exec::How::Exited { code: 0 };
        succeeded.then(|| line.chars().take(MAX_VERSION_CHARACTERS).collect())
    }

    /// Really runs it, with a tiny prompt.
    pub(super) fn smoke(&self, command: &CommandSpec) -> Result<Smoke, Failure> {
        self.try_smoke(command).map_err(|error| Failure::from_error(Exit::Operational, &error))
    }

    fn try_smoke(&self, command: &CommandSpec) -> Result<Smoke, AttemptError> {
        let (dir, work, attempt) = self.places()?;
        let prompt = match command.encoding {
            PromptEncoding::AsWritten => PROMPT,
            PromptEncoding::ShellScript => SHELL_PROMPT,
        };
        let order = AgentOrder {
            attempt,
            command,
            prompt,
            resume: None,
            workspace: &work,
            environment: self.environment.clone(),
            limits: SMOKE_LIMITS,
        };
        let spec = write_agent_spec(&dir, order)?;
        let mut reader = Reader::new(command);
        let exit = self.carry_out(&dir, spec, attempt, |stream, bytes| {
            reader.push(stream, bytes, self.ambient.now());
        })?;
        let outcome = close_reading(reader, &dir, command.usage_file, &exit, &Masker::default())?;
        let usage = Usage { wall_seconds: exit.wall.as_secs_f64(), ..outcome.reply.usage };
        Ok(Smoke { class: outcome.class.as_str(), detail: outcome.detail, usage })
    }

    fn carry_out(
        &self,
        dir: &AttemptDir,
        spec: Spec,
        attempt: AttemptId,
        mut see: impl FnMut(Stream, &[u8]),
    ) -> Result<ExitRecord, AttemptError> {
        let mut prepared = exec::submit(dir, spec, &self.supervisor, self.ambient)?;
        prepared.ready()?;
        watch(prepared.go()?, attempt, &self.interrupts, self.ambient, |glimpse| match glimpse {
            Glimpse::Output { stream, bytes } => see(stream, bytes),
            Glimpse::Tick { .. } => {}
        })
    }

    /// A directory for an attempt's records, one to work in, and the attempt's name.
    fn places(&self) -> Result<(AttemptDir, PathBuf, AttemptId), AttemptError> {
        let attempt = self.ambient.new_attempt_id();
        let root: &Path = self.scratch.path();
        let work = root.join(format!("{attempt}-work"));
        fs::create_dir_all(&work).map_err(|source| AttemptError::File {
            action: "create",
            path: work.clone(),
            source,
        })?;
        Ok((AttemptDir::new(root.join(attempt.to_string())), work, attempt))
    }
}
