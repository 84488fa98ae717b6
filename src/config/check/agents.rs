//! Agents: names, commands, options.

use super::super::agents::{
    AgentConfig, AgentOptions, AgentOverrides, CustomCommand, KNOWN_AGENTS, PromptMode, TEXT_OUTPUT,
};
use super::super::node::{NodePath, shortened};
use super::{Checker, nearest};

impl Checker<'_> {
    pub(super) fn agent(&mut self, agent: &AgentConfig) {
        let AgentConfig { default, roles, prompts, commands, options, overrides } = agent;
        // The overrides were checked with their own places when they were read.
        let AgentOverrides { roles: _, prompts: _ } = overrides;
        let at = NodePath::dotted("agent");
        self.agent_name(&at.key("default"), default, agent);
        for (actor, name) in roles {
            self.agent_name(&at.key("roles").key(actor.as_str()), name, agent);
        }
        for (prompt, name) in prompts {
            let at = at.key("prompts").key(prompt);
            self.prompt(&at, &mut prompt.clone());
            self.agent_name(&at, name, agent);
        }
        for (name, command) in commands {
            self.command(&at.key("commands").key(name), name, command);
        }
        for (name, options) in options {
            self.options(&at.key("options").key(name), name, options);
        }
    }

    fn agent_name(&mut self, at: &NodePath, name: &str, agent: &AgentConfig) {
        if let Some((message, help)) = refusal_of_agent(name, agent) {
            self.refuse(at, format!("`{at}` {message}"), Some(&help));
        }
    }

    fn command(&mut self, at: &NodePath, name: &str, command: &CustomCommand) {
        let CustomCommand { command, prompt, output } = command;
        if KNOWN_AGENTS.contains(&name) {
            self.refuse(
                at,
                format!("`{at}` has the name of a known agent"),
                Some("give it a name of its own, or use `agent.options` to change how the known agent runs"),
            );
        }
        if name.trim().is_empty() || name.contains(['=', ',']) {
            self.refuse(
                at,
                format!("`{}` cannot be the name of an agent", shortened(name)),
                Some("use letters, digits and `-`"),
            );
        }
        self.arguments(&at.key("command"), command);
        let placed = command.iter().any(|argument| argument.contains("${prompt_file}"));
        if *prompt == PromptMode::File && !placed && !command.is_empty() {
            self.refuse(
                &at.key("command"),
                format!("`{at}` hands its prompt over as a file, and no argument has `${{prompt_file}}`"),
                Some("put `${prompt_file}` where the program expects the file's path"),
            );
        }
        if output != TEXT_OUTPUT && !stream_formats().any(|format| format == output) {
            let near = nearest(output, std::iter::once(TEXT_OUTPUT).chain(stream_formats()));
            let help = near.map_or_else(
                || {
                    format!(
                        "known formats: {TEXT_OUTPUT}, {}",
                        stream_formats().collect::<Vec<_>>().join(", ")
                    )
                },
                |near| format!("did you mean `{near}`?"),
            );
            let at = at.key("output");
            self.refuse(&at, format!("`{at}` is no known format: `{}`", shortened(output)), Some(&help));
        }
    }

    fn options(&mut self, at: &NodePath, name: &str, options: &AgentOptions) {
        let AgentOptions { binary, model, args, env, permission: _ } = options;
        if !stream_formats().any(|known| known == name) {
            let help = nearest(name, stream_formats()).map_or_else(
                || format!("known agents: {}", stream_formats().collect::<Vec<_>>().join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            self.refuse(at, format!("`{at}` is about no agent that has options"), Some(&help));
        }
        if binary.as_ref().is_some_and(|binary| binary.as_os_str().is_empty()) {
            let at = at.key("binary");
            self.refuse(&at, format!("`{at}` is empty"), Some("leave it out to seek the program"));
        }
        if let Some(model) = model {
            self.one_line(&at.key("model"), model);
        }
        for (index, argument) in args.iter().enumerate() {
            if argument.contains('\0') {
                let at = at.key("args").index(index);
                self.refuse(&at, format!("`{at}` has a NUL character, which no program can be given"), None);
            }
        }
        for name in env.keys() {
            self.environment_name(&at.key("env").key(name), name);
        }
    }
}

/// Known agents with a stream of their own.
fn stream_formats() -> impl Iterator<Item = &'static str> {
    KNOWN_AGENTS.into_iter().filter(|name| !matches!(*name, "auto" | "shell"))
}

/// Why this is the name of no agent, and what to do; `None` if it is one.
pub(in super::super) fn refusal_of_agent(name: &str, agent: &AgentConfig) -> Option<(String, String)> {
    if KNOWN_AGENTS.contains(&name) || agent.commands.contains_key(name) {
        return None;
    }
    let own = agent.commands.keys().map(String::as_str);
    let help = nearest(name, KNOWN_AGENTS.into_iter().chain(own)).map_or_else(
        || format!("known: {}; describe any other under `agent.commands`", KNOWN_AGENTS.join(", ")),
        |near| format!("did you mean `{near}`?"),
    );
    Some((format!("names no known agent: `{}`", shortened(name)), help))
}
