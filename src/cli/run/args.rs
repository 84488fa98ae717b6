//! The flags of `baton run`: those of the earlier scripts keep their names and meaning.

use super::commits::CommitArgs;
use crate::agent::{parse_prompt_agents, parse_role_agents};
use crate::cli::{Exit, Failure};
use crate::config::{Overrides, split_commas};
use crate::model::Actor;

/// How the seats are driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Mode {
    /// Galph, then ralph, on this machine.
    Combined,
    /// One seat's prompt, N times, with no handoff and no state.
    Solo,
    /// One role a machine, the turn passed through a git remote.
    Role,
}

/// A seat, as a flag names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Role {
    Galph,
    Ralph,
}

impl From<Role> for Actor {
    fn from(role: Role) -> Self {
        match role {
            Role::Galph => Self::Galph,
            Role::Ralph => Self::Ralph,
        }
    }
}

/// Take turns: galph plans and reviews, ralph implements, until the iterations are done
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct Args {
    /// How the seats are driven
    #[arg(long, value_enum, env = "ORCHESTRATOR_MODE", default_value = "combined")]
    pub(super) mode: Mode,
    /// The seat of this process, with `--mode solo` or `--mode role`
    #[arg(long, value_enum, env = "ORCHESTRATOR_ROLE")]
    pub(super) role: Option<Role>,
    /// Pass the turn through git; implied by `--mode role`
    #[arg(long)]
    pub(super) sync_via_git: bool,
    /// Iterations to finish (solo: turns)
    #[arg(long, value_name = "N")]
    sync_loops: Option<u64>,
    /// Pause between iterations; in role mode the time between two looks
    #[arg(long, value_name = "TIME")]
    poll_interval: Option<String>,
    /// The longest wait for the other side, in role mode
    #[arg(long, value_name = "TIME")]
    max_wait_sec: Option<String>,
    /// A line that says that it is alive, this often; 0: only on a terminal
    #[arg(long, value_name = "SECONDS", env = "HEARTBEAT_SECS", default_value_t = 0)]
    pub(super) heartbeat_secs: u64,
    /// Say every change of the state while waiting, in role mode
    #[arg(long)]
    pub(super) verbose: bool,
    /// Show neither progress nor the agent's output
    #[arg(long, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Run on this branch only
    #[arg(long, value_name = "NAME", env = "ORCHESTRATION_BRANCH")]
    pub(super) branch: Option<String>,
    /// `worktree`: take the turns in a work tree of the branch's own; `none`: here
    #[arg(long, value_name = "HOW")]
    isolation: Option<String>,
    /// Go on with a turn in which protected paths were committed: all commits up to this one are accepted
    #[arg(long, value_name = "COMMIT")]
    pub(super) accept_commits: Option<String>,
    /// Publish local commits that are of no turn with the next turn, in role mode
    #[arg(long)]
    pub(super) publish_existing: bool,
    /// Play both seats here although this clone has played one of them in role mode
    #[arg(long)]
    pub(super) local: bool,
    /// The state file
    #[arg(long, value_name = "PATH")]
    state_file: Option<String>,
    /// Where logs go
    #[arg(long, value_name = "PATH")]
    logdir: Option<String>,
    /// Touch no git repository at all
    #[arg(long)]
    pub(super) no_git: bool,

    /// The agent: `auto`, a known one, `shell`, or one of `agent.commands`
    #[arg(long, value_name = "NAME", help_heading = "Agents")]
    agent: Option<String>,
    /// The agent of a role, such as `ralph=codex,galph=claude`
    #[arg(long, value_name = "ROLE=NAME,..", help_heading = "Agents")]
    agent_role: Option<String>,
    /// The agent of a prompt, such as `reviewer.md=gemini`
    #[arg(long, value_name = "PROMPT=NAME,..", help_heading = "Agents")]
    agent_prompt: Option<String>,
    /// The claude executable
    #[arg(long, value_name = "PATH", help_heading = "Agents")]
    claude_cmd: Option<String>,
    /// The codex executable
    #[arg(long, value_name = "PATH", help_heading = "Agents")]
    codex_cmd: Option<String>,

    /// The seat's prompt, with `--mode solo` or `--mode role`
    #[arg(long, value_name = "NAME", help_heading = "Prompts and routing")]
    prompt: Option<String>,
    /// Galph's prompt
    #[arg(long, value_name = "NAME", help_heading = "Prompts and routing")]
    prompt_supervisor: Option<String>,
    /// Ralph's prompt
    #[arg(long, value_name = "NAME", help_heading = "Prompts and routing")]
    prompt_main: Option<String>,
    /// The reviewer's prompt
    #[arg(long, value_name = "NAME", help_heading = "Prompts and routing")]
    prompt_reviewer: Option<String>,
    /// Select prompts by the router
    #[arg(long, overrides_with = "no_router", help_heading = "Prompts and routing")]
    use_router: bool,
    /// Each seat runs its own prompt
    #[arg(long, overrides_with = "use_router", help_heading = "Prompts and routing")]
    no_router: bool,
    /// The prompt whose reply selects galph's prompt
    #[arg(long, value_name = "NAME", help_heading = "Prompts and routing")]
    router_prompt: Option<String>,
    /// `router_default`, `router_first` or `router_only`
    #[arg(long, value_name = "MODE", help_heading = "Prompts and routing")]
    router_mode: Option<String>,
    /// A review every N iterations; 0: never
    #[arg(long, value_name = "N", help_heading = "Prompts and routing")]
    router_review_every_n: Option<u64>,
    /// Prompts that may be selected
    #[arg(long, value_name = "NAME,..", help_heading = "Prompts and routing")]
    router_allowlist: Option<String>,
    /// Galph's prompt under the router
    #[arg(long, value_name = "NAME", help_heading = "Prompts and routing")]
    router_prompt_supervisor: Option<String>,
    /// Ralph's prompt under the router
    #[arg(long, value_name = "NAME", help_heading = "Prompts and routing")]
    router_prompt_main: Option<String>,
    /// The reviewer's prompt under the router
    #[arg(long, value_name = "NAME", help_heading = "Prompts and routing")]
    router_prompt_reviewer: Option<String>,

    #[command(flatten)]
    pub(super) commits: CommitArgs,
}

impl Args {
    /// The seat that this process plays; `None` for both.
    pub(super) fn seat(&self) -> Result<Option<Actor>, Failure> {
        if self.sync_via_git && self.mode != Mode::Role {
            return Err(Failure::new(Exit::Usage, "`--sync-via-git` goes with `--mode role` only")
                .help("leave it out: combined and solo mode pass no turn through git"));
        }
        if self.publish_existing && self.mode != Mode::Role {
            return Err(Failure::new(Exit::Usage, "`--publish-existing` goes with `--mode role` only")
                .help("leave it out: combined and solo mode publish nothing"));
        }
        match (self.mode, self.role) {
            (Mode::Combined, None) => Ok(None),
            (Mode::Combined, Some(role)) => Err(Failure::new(
                Exit::Usage,
                format!(
                    "`--role {}` makes no sense in combined mode, which plays both seats",
                    Actor::from(role)
                ),
            )
            .help("add `--mode solo` or leave `--role` out")),
            (Mode::Solo | Mode::Role, Some(role)) => Ok(Some(role.into())),
            (Mode::Solo | Mode::Role, None) => {
                Err(Failure::new(Exit::Usage, "this mode plays one seat, and none is named")
                    .help("add `--role galph` or `--role ralph`"))
            }
        }
    }

    /// What the flags say about the configuration.
    pub(super) fn overrides(&self, seat: Option<Actor>) -> Result<Overrides, Failure> {
        let mut overrides = Overrides::default();
        self.texts(&mut overrides);
        self.lists(&mut overrides);
        if let Some(count) = self.sync_loops {
            overrides.set("sync.loops", count, "--sync-loops");
        }
        if let Some(count) = self.router_review_every_n {
            overrides.set("router.review_every_n", count, "--router-review-every-n");
        }
        let switches = [
            (self.use_router, "router.enabled", true, "--use-router"),
            (self.no_router, "router.enabled", false, "--no-router"),
        ];
        for (_, key, value, flag) in switches.into_iter().filter(|(given, ..)| *given) {
            overrides.set(key, value, flag);
        }
        if let Some(prompt) = &self.prompt {
            let Some(seat) = seat else {
                return Err(Failure::new(
                    Exit::Usage,
                    "`--prompt` names one seat's prompt, and combined mode plays both",
                )
                .help("use `--prompt-supervisor` or `--prompt-main`"));
            };
            let key = match seat {
                Actor::Galph => "supervisor_prompt",
                Actor::Ralph => "main_prompt",
            };
            overrides.set(key, prompt.as_str(), "--prompt");
        }
        self.agents(&mut overrides)?;
        self.commits.apply(&mut overrides);
        Ok(overrides)
    }

    fn texts(&self, overrides: &mut Overrides) {
        let texts = [
            (&self.poll_interval, "sync.poll_interval", "--poll-interval"),
            (&self.max_wait_sec, "sync.max_wait", "--max-wait-sec"),
            (&self.isolation, "turn.isolation", "--isolation"),
            (&self.state_file, "state_file", "--state-file"),
            (&self.logdir, "logs_dir", "--logdir"),
            (&self.agent, "agent.default", "--agent"),
            (&self.claude_cmd, "agent.options.claude.binary", "--claude-cmd"),
            (&self.codex_cmd, "agent.options.codex.binary", "--codex-cmd"),
            (&self.prompt_supervisor, "supervisor_prompt", "--prompt-supervisor"),
            (&self.prompt_main, "main_prompt", "--prompt-main"),
            (&self.prompt_reviewer, "reviewer_prompt", "--prompt-reviewer"),
            (&self.router_prompt, "router.prompt", "--router-prompt"),
            (&self.router_mode, "router.mode", "--router-mode"),
            (&self.router_prompt_supervisor, "router.supervisor_prompt", "--router-prompt-supervisor"),
            (&self.router_prompt_main, "router.main_prompt", "--router-prompt-main"),
            (&self.router_prompt_reviewer, "router.reviewer_prompt", "--router-prompt-reviewer"),
        ];
        for (value, key, flag) in texts {
            if let Some(value) = value {
                overrides.set(key, value.as_str(), flag);
            }
        }
    }

    fn lists(&self, overrides: &mut Overrides) {
        let lists = [(&self.router_allowlist, "router.allowlist", "--router-allowlist")];
        set_lists(overrides, &lists);
    }

    fn agents(&self, overrides: &mut Overrides) -> Result<(), Failure> {
        let refused = |flag: &str, error| Failure::new(Exit::Usage, format!("`{flag}`: {error}"));
        if let Some(text) = &self.agent_role {
            let roles = parse_role_agents(text).map_err(|error| refused("--agent-role", error))?;
            for (actor, agent) in roles {
                overrides.set_agent_of(actor, &agent, "--agent-role");
            }
        }
        if let Some(text) = &self.agent_prompt {
            let prompts = parse_prompt_agents(text).map_err(|error| refused("--agent-prompt", error))?;
            for (prompt, agent) in prompts {
                overrides.set_agent_prompt(prompt.as_str(), &agent, "--agent-prompt");
            }
        }
        Ok(())
    }
}

/// Sets each key whose flag was given to the items between its commas.
pub(super) fn set_lists(overrides: &mut Overrides, lists: &[(&Option<String>, &str, &str)]) {
    for (value, key, flag) in lists {
        if let Some(value) = value {
            let items: Vec<String> = split_commas(value).into_iter().map(str::to_owned).collect();
            overrides.set(key, items, flag);
        }
    }
}
