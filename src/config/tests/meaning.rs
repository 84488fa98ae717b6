//! Values of the right type that mean nothing.

use rstest::rstest;

use super::Desk;

#[rstest]
#[case(
    "state_file: /etc/state.json\n",
    "orchestration.yaml:1:13: `state_file` is absolute: `/etc/state.json`\n  help: write a path relative to the workspace"
)]
#[case(
    "logs_dir: a/../../b\n",
    "orchestration.yaml:1:11: `logs_dir` leaves the workspace by `..`: `a/../../b`\n  help: write a path relative to the workspace"
)]
#[case(
    "tmp_dir: ''\n",
    "orchestration.yaml:1:10: `tmp_dir` names no path: ``\n  help: write a path relative to the workspace"
)]
#[case(
    "logs_dir: .git/logs\n",
    "orchestration.yaml:1:11: `logs_dir` lies in the git directory: `.git/logs`\n  help: write a path relative to the workspace"
)]
#[case(
    "main_prompt: ../main.md\n",
    "orchestration.yaml:1:14: `main_prompt` is not a prompt name: it leaves the prompts folder\n  help: name a file below `prompts_dir`, such as `main.md`"
)]
#[case(
    "main_prompt: /main.md\n",
    "orchestration.yaml:1:14: `main_prompt` is not a prompt name: it is absolute; write it relative to the prompts folder\n  help: name a file below `prompts_dir`, such as `main.md`"
)]
#[case(
    "router: {allowlist: [main, 'a\\b']}\n",
    "orchestration.yaml:1:28: `router.allowlist[1]` is not a prompt name: it has a backslash; write folders with `/`\n  help: name a file below `prompts_dir`, such as `main.md`"
)]
#[case(
    "router: {enabled: true, mode: only}\n",
    "orchestration.yaml:1:31: `router.mode` is `router_only`, and there is no router prompt\n  help: set `router.prompt`, or choose `router_default` or `router_first`"
)]
#[case("actors: {galph: {label: ' '}}\n", "orchestration.yaml:1:25: `actors.galph.label` is empty")]
#[case(
    "agent: {default: cluade}\n",
    "orchestration.yaml:1:18: `agent.default` names no known agent: `cluade`\n  help: did you mean `claude`?"
)]
#[case(
    "agent: {roles: {loop: zzz}}\n",
    "orchestration.yaml:1:23: `agent.roles.ralph` names no known agent: `zzz`\n  help: known: auto, claude, codex, gemini, opencode, copilot, qwen, goose, aider, amp, cursor-agent, shell; describe any other under `agent.commands`"
)]
#[case(
    "agent: {prompts: {main: my-agnet}, commands: {my-agent: {command: [a]}}}\n",
    "orchestration.yaml:1:25: `agent.prompts.main.md` names no known agent: `my-agnet`\n  help: did you mean `my-agent`?"
)]
#[case(
    "agent: {commands: {mine: {command: []}}}\n",
    "orchestration.yaml:1:36: `agent.commands.mine.command` is empty\n  help: write the program and its arguments as a list: [\"my-agent\", \"--headless\"]"
)]
#[case(
    "agent: {commands: {claude: {command: [a]}}}\n",
    "orchestration.yaml:1:28: `agent.commands.claude` has the name of a known agent\n  help: give it a name of its own, or use `agent.options` to change how the known agent runs"
)]
#[case(
    "agent: {commands: {mine: {command: [a], prompt: file}}}\n",
    "orchestration.yaml:1:36: `agent.commands.mine` hands its prompt over as a file, and no argument has `${prompt_file}`\n  help: put `${prompt_file}` where the program expects the file's path"
)]
#[case(
    "agent: {commands: {mine: {command: [a], output: jason}}}\n",
    "orchestration.yaml:1:49: `agent.commands.mine.output` is no known format: `jason`\n  help: known formats: text, claude, codex, gemini, opencode, copilot, qwen, goose, aider, amp, cursor-agent"
)]
#[case(
    "agent: {options: {cluade: {model: x}}}\n",
    "orchestration.yaml:1:27: `agent.options.cluade` is about no agent that has options\n  help: did you mean `claude`?"
)]
#[case(
    "agent: {options: {claude: {env: {'A=B': x}}}}\n",
    "orchestration.yaml:1:41: `agent.options.claude.env.A=B` is not the name of an environment variable: `A=B`\n  help: write the name alone, such as `API_TOKEN`"
)]
#[case(
    "redact: [$TOKEN]\n",
    "orchestration.yaml:1:10: `redact[0]` is not the name of an environment variable: `$TOKEN`\n  help: write the name alone, such as `API_TOKEN`"
)]
#[case(
    "verify: [{name: a, run: ' '}]\n",
    "orchestration.yaml:1:25: `verify[0].run` is empty\n  help: write a shell command line, such as `cargo test`"
)]
#[case(
    "verify: [{name: a, run: b}, {name: a, run: c}]\n",
    "orchestration.yaml:1:36: `verify[1].name` is the name of another command: `a`\n  help: give each command a name of its own"
)]
#[case(
    "verify: [{name: a, run: b, timeout: 0}]\n",
    "orchestration.yaml:1:37: `verify[0].timeout` must be more than 0\n  help: leave it out for 30m"
)]
#[case(
    "verify: [{name: a, run: b, tests: {count_regex: '(('}}]\n",
    "orchestration.yaml:1:49: `verify[0].tests.count_regex` is not a regular expression: unclosed group\n  help: write one with a group around the number, such as `([0-9]+) passed`"
)]
#[case(
    "verify: [{name: a, run: b, tests: {count_regex: '\\d+ passed'}}]\n",
    "orchestration.yaml:1:49: `verify[0].tests.count_regex` has no group for the number\n  help: write one with a group around the number, such as `([0-9]+) passed`"
)]
#[case(
    "budget: {run: {turns: 0}}\n",
    "orchestration.yaml:1:23: `budget.run.turns` must be more than 0\n  help: leave it out for no cap"
)]
#[case(
    "budget: {total: {cost_usd: -1}}\n",
    "orchestration.yaml:1:28: `budget.total.cost_usd` must be more than 0\n  help: leave it out for no cap"
)]
#[case(
    "budget: {total: {cost_usd: 5}}\nagent: {roles: {ralph: codex}}\n",
    "orchestration.yaml:1:28: `budget.total.cost_usd` cannot be kept: the agent `codex` does not report what its runs cost\n  help: cap `turns`, `wall` or `tokens` instead, or choose an agent that reports costs"
)]
#[case(
    "completion: {promise: ''}\n",
    "orchestration.yaml:1:23: `completion.promise` is empty, and every reply holds it\n  help: write a text that is not said by accident, such as `<promise>COMPLETE</promise>`"
)]
#[case(
    "publish: {docs: {globs: ['a[']}}\n",
    "orchestration.yaml:1:26: `publish.docs.globs[0]` is not a glob: `a[`: unclosed character class; missing ']'"
)]
#[case(
    "publish: {protect: ['../x']}\n",
    "orchestration.yaml:1:21: `publish.protect[0]` leaves the workspace: `../x`\n  help: write a glob relative to the workspace"
)]
#[case(
    "publish: {reports: {extensions: ['*.md']}}\n",
    "orchestration.yaml:1:34: `publish.reports.extensions[0]` is not an extension: `*.md`\n  help: write it with its dot, such as `.md`"
)]
#[case(
    "publish: {work: {max_file: 0}}\n",
    "orchestration.yaml:1:28: `publish.work.max_file` must be more than 0\n  help: set `enabled: false` to commit nothing of this kind"
)]
#[case(
    "publish: {secrets: {allow: [{fingerprint: 0A1B, reason: x}]}}\n",
    "orchestration.yaml:1:43: `publish.secrets.allow[0].fingerprint` is `0A1B`: it is not the fingerprint of a finding: 16 lower-case hexadecimal digits are expected\n  help: copy it from the refusal that names the finding, in quotes"
)]
#[case(
    "publish: {secrets: {allow: [{fingerprint: 0a1b2c3d4e5f6071, reason: ' '}]}}\n",
    "orchestration.yaml:1:69: `publish.secrets.allow[0].reason` is empty\n  help: say why the finding is harmless"
)]
#[case(
    "publish: {secrets: {scanner: ' '}}\n",
    "orchestration.yaml:1:30: `publish.secrets.scanner` is empty\n  help: write a shell command line, or null for none"
)]
#[case(
    "git: {remote: --upload-pack=x}\n",
    "orchestration.yaml:1:15: `git.remote` is not the name of a remote: `--upload-pack=x`\n  help: write a name that `git remote` lists, such as `origin`"
)]
#[case(
    "sync: {loops: 0}\n",
    "orchestration.yaml:1:15: `sync.loops` must be more than 0\n  help: leave it out for 20"
)]
#[case(
    "sync: {lease: 0s}\n",
    "orchestration.yaml:1:15: `sync.lease` must be more than 0\n  help: leave it out for 10m"
)]
#[case(
    "gates: [{when: every_n_iterations, question: 'Go on?'}]\n",
    "orchestration.yaml:1:16: `gates[0]` closes every n iterations and does not say `n`\n  help: add `n: 5`, say"
)]
#[case(
    "gates: [{when: after_failure, n: 2, question: 'Go on?'}]\n",
    "orchestration.yaml:1:34: `gates[0].n` has a meaning with `every_n_iterations` only\n  help: remove it"
)]
#[case(
    "governance: {rules: [{decision: deny, action: 'a['}]}\n",
    "orchestration.yaml:1:47: `governance.rules[0].action` is not a glob: `a[`: unclosed character class; missing ']'"
)]
#[case(
    "notify: {webhooks: [{url: 'ftp://x'}]}\n",
    "orchestration.yaml:1:27: `notify.webhooks[0].url` is not an http or https address: `ftp://x`\n  help: write it whole, such as `https://example.org/hook`"
)]
fn what_means_nothing_is_refused_at_its_place(#[case] text: &str, #[case] refusal: &str) {
    let shown = Desk::with(text).refusal();
    let without_excerpt: Vec<&str> =
        shown.lines().filter(|line| !line.trim_start().starts_with(['|', '1', '2'])).collect();
    assert_eq!(without_excerpt.join("\n"), refusal);
}

#[test]
fn names_and_paths_are_brought_into_their_normal_form() {
    let text = "prompts_dir: ./prompts/\nsupervisor_prompt: prompts/lead\nmain_prompt: deep//./main.md\n\
                router: {prompt: router, allowlist: [lead, 'my plan']}\n\
                publish: {reports: {extensions: [md, .txt]}}\n\
                agent: {prompts: {prompts/lead: claude}}\n";
    let config = Desk::with(text).loaded().config;
    assert_eq!(config.prompts_dir.to_str(), Some("prompts"));
    assert_eq!(config.supervisor_prompt, "lead.md");
    assert_eq!(config.main_prompt, "deep/main.md");
    assert_eq!(config.router.prompt.as_deref(), Some("router.md"));
    assert_eq!(config.router.allowlist, ["lead.md", "my plan.md"]);
    assert_eq!(config.publish.reports.extensions, [".md", ".txt"]);
    assert_eq!(config.agent.prompts.keys().collect::<Vec<_>>(), ["lead.md"]);
}

#[rstest]
#[case(
    "turn: {wall_limit: 0, idle_limit: 0}\n",
    "orchestration.yaml:1:20: `turn.wall_limit` and `turn.idle_limit` are both off: an agent that hangs keeps the baton for ever"
)]
#[case(
    "turn: {env_allow: [PATH]}\n",
    "orchestration.yaml:1:19: `turn.env_allow` has no effect while `turn.environment` is `inherit`"
)]
#[case(
    "completion: {plan_file: docs/fix_plan.md}\n",
    "orchestration.yaml:1:25: `completion.plan_file` has no effect without `completion.promise`"
)]
#[case(
    "publish: {secrets: {enabled: false}}\n",
    "orchestration.yaml:1:30: `publish.secrets.enabled` is false: nothing that leaves is scanned for secrets"
)]
#[case(
    "workflow: {steps: [1]}\n",
    "orchestration.yaml:1:1: `workflow` is accepted from earlier files and has no effect"
)]
#[case(
    "spec_bootstrap: 5\n",
    "orchestration.yaml:1:1: `spec_bootstrap` is accepted from earlier files and has no effect"
)]
#[case(
    "findings_file: docs/findings.md\n",
    "orchestration.yaml:1:1: `findings_file` is accepted from earlier files and has no effect"
)]
fn what_has_no_effect_or_no_limit_is_said(#[case] text: &str, #[case] notice: &str) {
    let notices: Vec<String> = Desk::with(text).loaded().notices.iter().map(ToString::to_string).collect();
    assert_eq!(notices, [notice]);
}
