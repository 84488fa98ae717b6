//! `baton doctor --agents`, with a scripted CLI under a known name, and what its smoke run costs.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::scratch::Run;
use crate::support::{Claude, await_event};

/// Every known agent but one is sought where nothing is, so that this machine's own do not show.
fn configuration(default: &str, claude: &str, more: &str) -> String {
    let mut text = format!(
        "agent:\n  default: {default}\n  options:\n    claude: {{ binary: ../claude/claude{claude} }}\n"
    );
    for name in ["codex", "gemini", "opencode", "copilot", "qwen", "goose", "aider", "amp", "cursor-agent"] {
        let _ = writeln!(text, "    {name}: {{ binary: ../none }}");
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

#[test]
fn auto_is_told_by_what_it_finds() {
    let found = Claude::with_configuration(&configuration("auto", "", ""));
    assert!(doctor(&found, &[]).stdout.starts_with("ok   claude: "), "{:?}", doctor(&found, &[]));
    let none = Claude::with_configuration(&configuration("auto", "-not-there", ""));
    let run = doctor(&none, &[]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(
        run.stdout.starts_with(
            "fail auto: no coding agent is installed: looked for `../claude/claude-not-there`, "
        ),
        "{run:?}"
    );
}

#[test]
fn a_native_program_is_told_from_its_wrapper() {
    let without_path =
        configuration("claude", "", "").replace("    claude: { binary: ../claude/claude }\n", "");
    let claude = Claude::with_configuration(&without_path);
    let place = |path: &str| {
        let path = claude.scratch.root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::copy(claude.folder().join("claude"), &path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    place(".claude/local/claude");
    place(".claude/local/node_modules/@anthropic-ai/claude-code-linux-x64/claude");
    let run = doctor(&claude, &[]);
    assert!(
        run.stdout.starts_with(
            "ok   claude: /w/.claude/local/node_modules/@anthropic-ai/claude-code-linux-x64/claude (version 2.1.197, as \
             measured)\n"
        ),
        "{run:?}"
    );
    assert!(run.stdout.contains("\n     the native program behind /w/.claude/local/claude\n"), "{run:?}");
}

#[test]
fn a_smoke_run_can_be_stopped_and_leaves_nothing_alive() {
    let claude = Claude::with_configuration(&configuration("claude", "", ""));
    claude.script(1, "echo $$ > \"$here/pid.new\"; mv \"$here/pid.new\" \"$here/pid\"; exec sleep 600");
    let mut doctor = claude
        .scratch
        .baton_command()
        .args(["doctor", "--smoke"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pid = await_event("the agent's start", || std::fs::read_to_string(claude.folder().join("pid")).ok());
    kill_process(Pid::from_raw(i32::try_from(doctor.id()).unwrap()).unwrap(), Signal::INT).unwrap();
    assert_eq!(doctor.wait().unwrap().code(), Some(130));
    assert!(!std::path::Path::new("/proc").join(pid.trim()).exists());
}
