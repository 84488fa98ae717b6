//! Whether values mean something, each problem with the place where the value was given.
//!
//! Pure but for what it collects: it never looks at the file system, so that an absent prompt or program is not its
//! affair. One file a part of the configuration.

mod agents;
mod publishing;
mod surfaces;
mod text;
mod turns;

use super::agents::AgentConfig;
use super::node::{Node, NodePath};
use super::origin::{Notice, Origin};
use super::problem::Problems;
use super::root::{Actors, Config};
use super::routing::{Router, RouterMode};
use crate::agent::OutputFormat;

pub(super) use agents::refusal_of_agent;
pub(super) use text::{likeness, nearest, prompt_name};

/// Notes what means nothing, and brings values into their normal form.
pub(super) struct Checker<'t> {
    tree: &'t Node,
    problems: &'t mut Problems,
    notices: &'t mut Vec<Notice>,
}

impl<'t> Checker<'t> {
    /// A checker of what this tree gave.
    pub(super) fn new(tree: &'t Node, problems: &'t mut Problems, notices: &'t mut Vec<Notice>) -> Self {
        Self { tree, problems, notices }
    }

    /// Checks everything; values are brought into their normal form.
    pub(super) fn check(&mut self, config: &mut Config) {
        let Config {
            prompts_dir,
            supervisor_prompt,
            main_prompt,
            reviewer_prompt,
            state_file,
            input_file,
            logs_dir,
            tmp_dir,
            actors,
            router,
            agent,
            turn,
            verify,
            verify_policy: _,
            verify_baseline: _,
            limits: _,
            redact,
            budget,
            completion,
            no_progress: _,
            publish,
            git,
            sync,
            gates,
            governance,
            notify,
            serve: _,
        } = config;
        let paths = [
            ("prompts_dir", prompts_dir),
            ("state_file", state_file),
            ("input_file", input_file),
            ("logs_dir", logs_dir),
            ("tmp_dir", tmp_dir),
        ];
        for (key, path) in paths {
            self.workspace_path(&NodePath::dotted(key), path);
        }
        let prompts = [
            ("supervisor_prompt", supervisor_prompt),
            ("main_prompt", main_prompt),
            ("reviewer_prompt", reviewer_prompt),
        ];
        for (key, prompt) in prompts {
            self.prompt(&NodePath::dotted(key), prompt);
        }
        self.actors(actors);
        self.router(router);
        self.agent(agent);
        self.turn(turn);
        self.verify(verify);
        self.environment_names(&NodePath::dotted("redact"), redact);
        self.budgets(budget, agent);
        self.completion(completion);
        self.publish(publish);
        self.git(git);
        self.sync(sync);
        self.gates(gates);
        self.governance(governance);
        self.notify(notify);
    }

    fn actors(&mut self, actors: &Actors) {
        let Actors { galph, ralph } = actors;
        for (key, seat) in [("actors.galph.label", galph), ("actors.ralph.label", ralph)] {
            self.one_line(&NodePath::dotted(key), &seat.label);
        }
    }

    fn router(&mut self, router: &mut Router) {
        let Router {
            enabled,
            mode,
            prompt,
            review_every_n: _,
            allowlist,
            supervisor_prompt,
            main_prompt,
            reviewer_prompt,
        } = router;
        let at = NodePath::dotted("router");
        for (index, name) in allowlist.iter_mut().enumerate() {
            self.prompt(&at.key("allowlist").index(index), name);
        }
        if *enabled && *mode == RouterMode::RouterOnly && prompt.is_none() {
            self.refuse(
                &at.key("mode"),
                "`router.mode` is `router_only`, and there is no router prompt",
                Some("set `router.prompt`, or choose `router_default` or `router_first`"),
            );
        }
        let own = [
            ("prompt", prompt),
            ("supervisor_prompt", supervisor_prompt),
            ("main_prompt", main_prompt),
            ("reviewer_prompt", reviewer_prompt),
        ];
        for (key, name) in own {
            if let Some(name) = name {
                self.prompt(&at.key(key), name);
            }
        }
    }

    /// Notes a problem with the value at this path.
    fn refuse(&mut self, at: &NodePath, message: impl Into<String>, help: Option<&str>) {
        let origin = self.tree.nearest_origin(at).clone();
        self.refuse_at(&origin, message, help);
    }

    fn refuse_at(&mut self, origin: &Origin, message: impl Into<String>, help: Option<&str>) {
        self.problems.add(origin, message, help.map(str::to_owned));
    }

    /// Notes what a person should know about the value at this path.
    fn note(&mut self, at: &NodePath, message: impl Into<String>) {
        let origin = self.tree.nearest_origin(at).clone();
        self.notices.push(Notice { origin, message: message.into() });
    }
}

/// Whether it is known that this agent's runs have no reported cost. `auto` is settled when it is looked for.
fn has_no_cost(agent: &AgentConfig, name: &str) -> bool {
    let stream = agent.commands.get(name).map_or(name, |custom| custom.output.as_str());
    stream != "auto" && !stream.parse::<OutputFormat>().is_ok_and(|format| format.reports().cost)
}
