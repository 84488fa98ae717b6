//! `baton doctor --agents`, with a scripted CLI under a known name, and what its smoke run costs.

use serde_json::Value;

use crate::scratch::Run;
use crate::support::Claude;

/// Every known agent but one is sought where nothing is, so that this machine's own do not show.
fn configuration(default: &str, claude: &str, more: &str) -> String {
    let mut text = format!(
        "agent:\n  default: {default}\n  options:\n    claude: {{ binary: ../claude/claude{claude} }}\n"
    );
    for name in ["codex", "gemini", "opencode", "copilot", "qwen", "goose", "aider", "amp", "cursor-agent"] {
        text.push_str(&format!("    {name}: {{ binary: ../none }}\n"));
    }
    text + more
}

fn doctor(claude: &Claude, args: &[&str]) -> Run {
    claude.scratch.baton(&[&["doctor", "--agents"], args].concat())
}

fn document(claude: &Claude, args: &[&str]) -> Value {
    serde_json::from_str(&doctor(claude, &[args, &["--json"]].concat()).stdout).unwrap()
}

#[test]
fn it_tells_where_the_agents_are_and_how_they_would_be_started() {
    let claude = Claude::with_configuration(&configuration("claude", "", ""));
    let run = doctor(&claude, &[]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(
        run.stdout,
        "ok   claude: /w/../claude/claude (version 2.1.197, as measured)\n     \
         used by galph (--agent or agent.default), ralph (--agent or agent.default)\n     \
         a script or wrapper\n     \
         starts as: /w/../claude/claude -p --output-format stream-json --verbose --dangerously-skip-permissions --session-id \
         ${session} (prompt: stdin)\n     \
         sets CLAUDE_CODE_MAX_RETRIES, DISABLE_AUTOUPDATER, DISABLE_ERROR_REPORTING, DISABLE_TELEMETRY\n     \
         permission: bypass\n     \
         reports tokens and cost; its sessions can be resumed\n     \
         credentials: run `claude` and `/login`, or set `ANTHROPIC_API_KEY`\n\
         Not installed, and not needed: codex, gemini, opencode, copilot, qwen, goose, aider, amp, cursor-agent.\n\
         All agents that the configuration needs are there.\n"
    );
    assert_eq!(claude.starts(), Vec::<String>::new(), "only `--version` was asked");
}

#[test]
fn another_version_than_the_measured_one_is_told_without_control_characters() {
    let claude = Claude::with_configuration(&configuration("claude", "", ""));
    std::fs::write(claude.folder().join("version"), "9.9.9\u{1b}[2J (Claude Code)\nmore\n").unwrap();
    let run = doctor(&claude, &[]);
    assert!(
        run.stdout.contains(" (version 9.9.9\u{fffd}[2J (Claude Code); measured with 2.1.197)\n"),
        "{run:?}"
    );
}

#[test]
fn an_agent_that_is_needed_and_not_there_fails() {
    let claude = Claude::with_configuration(&configuration("codex", "", ""));
    let run = doctor(&claude, &[]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(
        run.stdout.starts_with(
            "fail codex: the agent `codex` is not installed: `../none` was not found; install it, or set \
             `agent.options.codex.binary`\n     used by galph (--agent or agent.default), ralph (--agent or agent.default)\n"
        ),
        "{run:?}"
    );
    assert!(run.stdout.contains("\nok   claude: /w/../claude/claude "), "{run:?}");
    assert!(run.stdout.contains("\n     used by nobody here\n"), "{run:?}");
    assert!(run.stdout.ends_with("1 agent must be put right before turns can be taken.\n"), "{run:?}");
    let found = document(&claude, &[]);
    assert_eq!((&found["healthy"], &found["agents"][0]["command"]), (&false.into(), &Value::Null));
}

#[test]
fn values_that_may_be_secrets_are_never_shown() {
    let secret = ", args: [--api-key, topsecret], env: { ANTHROPIC_API_KEY: topsecret }, permission: default";
    let claude = Claude::with_configuration(&configuration("claude", secret, ""));
    for args in [&[][..], &["--json"]] {
        let run = doctor(&claude, args);
        assert_eq!(run.code, Some(0), "{run:?}");
        assert!(!run.stdout.contains("topsecret"), "{run:?}");
        assert!(run.stdout.contains("ANTHROPIC_API_KEY"), "{run:?}");
    }
    let command = &document(&claude, &[])["agents"][0]["command"];
    assert_eq!((&command["permission"], &command["kind"]), (&"default".into(), &"script".into()));
    assert_eq!(command["argv"][5], "--api-key");
    assert_eq!(command["argv"][6], "...");
}

#[test]
fn a_command_of_ones_own_is_not_started_to_ask_for_its_version() {
    let more = "  roles: { galph: mine, ralph: claude }\n  commands:\n    \
                mine: { command: [../claude/claude, '${prompt_file}'], prompt: file, output: claude }\n";
    let claude = Claude::with_configuration(&configuration("claude", "", more));
    let run = doctor(&claude, &[]);
    assert!(
        run.stdout.contains(
            "ok   mine: /w/../claude/claude\n     used by galph (agent.roles.galph)\n     a script or wrapper\n     \
             starts as: /w/../claude/claude ${prompt_file} (prompt: file)\n     \
             reports tokens and cost; its sessions cannot be resumed\n"
        ),
        "{run:?}"
    );
    assert_eq!(claude.starts(), Vec::<String>::new());
}

#[test]
fn a_smoke_run_is_told_to_cost_and_leaves_the_workspace_alone() {
    let claude = Claude::with_configuration(&configuration("claude", "", ""));
    let run = claude.scratch.baton(&["doctor", "--smoke"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(run.stderr, "running claude for real: it costs what a short question costs\n");
    let smoke = run.stdout.lines().find(|line| line.contains("smoke: ")).unwrap();
    assert!(smoke.starts_with("     smoke: ok (") && smoke.ends_with(" s, 1.2k tokens, $0.2500)"), "{run:?}");
    assert_eq!(claude.starts().len(), 1);
    assert_eq!(
        std::fs::read_to_string(claude.folder().join("prompt")).unwrap(),
        "Answer with the one word `ready`. Use no tools and change no files.\n"
    );
    assert!(!claude.scratch.exists("notes.txt") && !claude.scratch.exists("sync"));
    assert_eq!(claude.scratch.git(&["status", "--porcelain"]), "");
}

#[test]
fn a_smoke_run_that_the_provider_refuses_fails() {
    let claude = Claude::with_configuration(&configuration("shell", "", ""));
    claude.script(1, "reports true 401 'Invalid API key' 0");
    let run = claude.scratch.baton(&["doctor", "--smoke", "claude"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stdout.contains("\n     smoke: auth: Invalid API key ("), "{run:?}");
    let shell = document(&claude, &["--smoke", "shell"]);
    assert_eq!(shell["agents"][0]["smoke"]["class"], "ok");
}

#[test]
fn an_agent_that_does_not_exist_is_refused() {
    let claude = Claude::with_configuration(&configuration("claude", "", ""));
    let run = claude.scratch.baton(&["doctor", "--smoke", "nobody"]);
    assert_eq!(run.code, Some(2));
    assert!(run.error().starts_with("error: unknown agent `nobody`: expected `claude`, "), "{run:?}");
    assert_eq!(run.stdout, "");
}

#[test]
fn an_agent_in_its_turn_cannot_start_another() {
    let claude = Claude::with_configuration(&configuration("claude", "", ""));
    let output = claude
        .scratch
        .baton_command()
        .env("BATON_ATTEMPT", "01JD5F3Z8K0000000000000000")
        .args(["doctor", "--smoke"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8(output.stderr).unwrap().starts_with(
            "error: `baton doctor --smoke` is a person's decision, and this is an agent's turn (BATON_ATTEMPT is set)\n"
        )
    );
}
