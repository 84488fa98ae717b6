use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rstest::rstest;

use super::*;
use crate::model::{Actor, PromptName};

fn name(text: &str) -> PromptName {
    text.parse().unwrap()
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

/// A machine on which these programs are installed.
fn installed(programs: &'static [&'static str]) -> impl Fn(Wanted<'_>) -> Sought {
    move |Wanted { program, .. }| {
        if programs.contains(&program) {
            Sought::Found(Path::new("/bin").join(program))
        } else if program == "locked" {
            Sought::NotExecutable(PathBuf::from("/bin/locked"))
        } else {
            Sought::Nowhere
        }
    }
}

fn resolved(agent: &str, programs: &'static [&'static str]) -> Result<CommandSpec, AgentError> {
    resolve(agent, &installed(programs), &BTreeMap::new(), &BTreeMap::new())
}

fn with_options(agent: &str, options: AgentOptions) -> CommandSpec {
    let options = BTreeMap::from([(agent.to_owned(), options)]);
    resolve(agent, &|wanted| Sought::Found(wanted.program.into()), &BTreeMap::new(), &options).unwrap()
}

fn with_command(command: &[&str], prompt: PromptDelivery) -> Result<CommandSpec, AgentError> {
    let custom = CustomCommand { command: words(command), prompt, output: OutputFormat::Text };
    resolve(
        "mine",
        &installed(&["my-agent"]),
        &BTreeMap::from([("mine".to_owned(), custom)]),
        &BTreeMap::new(),
    )
}

fn fresh_session() -> &'static SessionWish {
    static FRESH: std::sync::LazyLock<SessionWish> =
        std::sync::LazyLock::new(|| SessionWish::Fresh("0-1-2".to_owned()));
    &FRESH
}

fn places(prompt: &str) -> Places<'_> {
    Places {
        prompt,
        prompt_file: Path::new("/git/attempt/prompt.md"),
        workspace: Path::new("/my tree"),
        attempt_dir: Path::new("/git/attempt"),
        session: fresh_session(),
    }
}

#[test]
fn the_first_place_that_names_an_agent_wins() {
    let prompt = name("main");
    let mut choice = Choice {
        flag_prompts: BTreeMap::from([(prompt.clone(), "a".to_owned())]),
        flag_roles: BTreeMap::from([(Actor::Ralph, "b".to_owned())]),
        config_prompts: BTreeMap::from([(prompt.clone(), "c".to_owned())]),
        config_roles: BTreeMap::from([(Actor::Ralph, "d".to_owned())]),
        default: "auto".to_owned(),
    };
    let mut said = Vec::new();
    let mut decide = |choice: &Choice| {
        let chosen = decide_agent(choice, Actor::Ralph, &prompt);
        said.push(format!("{} by {}", chosen.name, chosen.because));
    };
    decide(&choice);
    choice.flag_prompts.clear();
    decide(&choice);
    choice.flag_roles.clear();
    decide(&choice);
    choice.config_prompts.clear();
    decide(&choice);
    choice.config_roles.clear();
    decide(&choice);
    assert_eq!(
        said,
        [
            "a by --agent-prompt main.md",
            "b by --agent-role ralph",
            "c by agent.prompts.main.md",
            "d by agent.roles.ralph",
            "auto by --agent or agent.default",
        ]
    );
}

#[test]
fn an_agent_for_another_seat_or_prompt_is_not_taken() {
    let choice = Choice {
        flag_prompts: BTreeMap::from([(name("reviewer"), "a".to_owned())]),
        config_roles: BTreeMap::from([(Actor::Galph, "b".to_owned())]),
        default: "shell".to_owned(),
        ..Choice::default()
    };
    assert_eq!(decide_agent(&choice, Actor::Ralph, &name("main")).name, "shell");
}

#[rstest]
#[case("galph", Actor::Galph)]
#[case("supervisor", Actor::Galph)]
#[case("ralph", Actor::Ralph)]
#[case(" Loop ", Actor::Ralph)]
#[case("engineer", Actor::Ralph)]
fn roles_have_aliases(#[case] text: &str, #[case] actor: Actor) {
    assert_eq!(parse_role(text), Ok(actor));
}

#[test]
fn lists_of_pairs_are_read() {
    assert_eq!(
        parse_role_agents("supervisor=claude, loop = codex"),
        Ok(BTreeMap::from([(Actor::Galph, "claude".to_owned()), (Actor::Ralph, "codex".to_owned())]))
    );
    assert_eq!(
        parse_prompt_agents("prompts/main.md=codex,a=b=shell"),
        Ok(BTreeMap::from([(name("main"), "codex".to_owned()), (name("a=b"), "shell".to_owned())]))
    );
    assert_eq!(parse_role_agents("  "), Ok(BTreeMap::new()));
}

#[rstest]
#[case("galph", "`galph` is not of the form `ROLE=AGENT`: write `ROLE=AGENT`, several separated by commas")]
#[case("galph=", "`galph=` is not of the form `ROLE=AGENT`: write `ROLE=AGENT`, several separated by commas")]
#[case(
    "galph=claude,",
    "`` is not of the form `ROLE=AGENT`: write `ROLE=AGENT`, several separated by commas"
)]
#[case(
    "boss=claude",
    "unknown role `boss`: expected `galph` (or `supervisor`) or `ralph` (or `loop`, `engineer`)"
)]
#[case("galph=claude,supervisor=codex", "`galph` is given two agents, `claude` and `codex`: name it once")]
fn a_list_of_roles_that_is_not_understood_is_refused(#[case] text: &str, #[case] message: &str) {
    assert_eq!(parse_role_agents(text).unwrap_err().to_string(), message);
}

#[rstest]
#[case("main", "`main` is not of the form `PROMPT=AGENT`: write `PROMPT=AGENT`, several separated by commas")]
#[case("main=a,main.md=b", "`main.md` is given two agents, `a` and `b`: name it once")]
#[case(
    "../main=a",
    "`../main` is not a prompt name: it leaves the prompts folder by `..`; move the file into the prompts folder"
)]
fn a_list_of_prompts_that_is_not_understood_is_refused(#[case] text: &str, #[case] message: &str) {
    assert_eq!(parse_prompt_agents(text).unwrap_err().to_string(), message);
}

#[test]
fn auto_takes_the_first_installed_agent_and_never_the_shell() {
    assert_eq!(resolved("auto", &["sh", "aider", "gemini"]).unwrap().agent, "gemini");
    assert_eq!(
        resolved("auto", &["sh", "my-agent"]).unwrap_err().to_string(),
        "no coding agent is installed: looked for `claude`, `codex`, `gemini`, `opencode`, `copilot`, `qwen`, `goose`, `aider`; \
         install one of them, set `agent.options.NAME.binary` to where it is, or declare another CLI under \
         `agent.commands` and name it with `--agent`"
    );
}

#[rstest]
#[case("shell", "sh", PromptDelivery::File, &["${prompt_file}"])]
#[case("claude", "claude", PromptDelivery::Stdin, &["-p", "--output-format", "stream-json", "--verbose", "--dangerously-skip-permissions"])]
#[case("codex", "codex", PromptDelivery::Stdin, &["exec", "--json", "--skip-git-repo-check", "--disable", "plugins", "-c", "check_for_update_on_startup=false", "--dangerously-bypass-approvals-and-sandbox", "-"])]
#[case("gemini", "gemini", PromptDelivery::Stdin, &["-o", "stream-json", "--yolo", "--skip-trust"])]
#[case("opencode", "opencode", PromptDelivery::Stdin, &["run", "--pure", "--format", "json", "--title", "baton", "--print-logs", "--log-level", "ERROR", "--auto"])]
#[case("copilot", "copilot", PromptDelivery::Stdin, &["--output-format", "json", "--no-ask-user", "--disable-builtin-mcps", "--usage-output-file", "${attempt_dir}/usage.json", "--allow-all"])]
#[case("qwen", "qwen", PromptDelivery::Stdin, &["-o", "stream-json", "--yolo"])]
#[case("goose", "goose", PromptDelivery::Stdin, &["run", "-q", "--output-format", "stream-json", "--with-builtin", "developer", "-i", "-"])]
#[case("aider", "aider", PromptDelivery::File, &["--no-stream", "--no-pretty", "--no-check-update", "--no-show-release-notes", "--no-show-model-warnings", "--no-gitignore", "--no-detect-urls", "--no-auto-commits", "--chat-history-file", "${attempt_dir}/aider.chat.md", "--input-history-file", "${attempt_dir}/aider.input", "--llm-history-file", "${attempt_dir}/aider.llm", "--yes-always", "--message-file", "${prompt_file}"])]
#[case("amp", "amp", PromptDelivery::Stdin, &["-x", "--stream-json", "--dangerously-allow-all"])]
#[case("cursor-agent", "cursor-agent", PromptDelivery::Stdin, &["-p", "--output-format", "stream-json", "--force"])]
fn a_built_in_agent_runs_headless_and_unattended(
    #[case] agent: &str,
    #[case] program: &'static str,
    #[case] delivery: PromptDelivery,
    #[case] args: &[&str],
) {
    let spec =
        resolve(agent, &|wanted| Sought::Found(wanted.program.into()), &BTreeMap::new(), &BTreeMap::new())
            .unwrap();
    assert_eq!((spec.program, spec.delivery, spec.args), (program.into(), delivery, words(args)));
    assert_eq!(spec.encoding == PromptEncoding::ShellScript, agent == "shell");
}

#[test]
fn every_known_agent_has_its_command_pinned_above() {
    let known: Vec<_> = known_agents().collect();
    assert_eq!(
        known,
        ["claude", "codex", "gemini", "opencode", "copilot", "qwen", "goose", "aider", "amp", "cursor-agent"]
    );
}

#[test]
fn options_change_the_program_the_model_the_arguments_and_the_environment() {
    let options = AgentOptions {
        binary: Some("/opt/codex".to_owned()),
        model: Some("m-1".to_owned()),
        args: words(&["-c", "x=1"]),
        env: BTreeMap::from([("KEY".to_owned(), "value".to_owned())]),
        permission: Permission::Default,
    };
    let spec = with_options("codex", options.clone());
    assert_eq!(spec.program, Path::new("/opt/codex"));
    let expected = [
        "exec",
        "--json",
        "--skip-git-repo-check",
        "--disable",
        "plugins",
        "-c",
        "check_for_update_on_startup=false",
        "-c",
        "sandbox_mode=\"workspace-write\"",
        "--model",
        "m-1",
        "-c",
        "x=1",
        "-",
    ];
    assert_eq!(spec.args, words(&expected));
    assert_eq!(spec.env, [("KEY".to_owned(), "value".to_owned())]);

    let goose = with_options("goose", options);
    assert_eq!(goose.env[0], ("GOOSE_MODEL".to_owned(), "m-1".to_owned()));
    assert!(!goose.env.iter().any(|(name, _)| name == "GOOSE_MODE"), "permission: default");
}

#[test]
fn a_variable_of_the_user_wins_over_ours() {
    let own = AgentOptions {
        env: BTreeMap::from([("GOOSE_MODE".to_owned(), "smart_approve".to_owned())]),
        ..AgentOptions::default()
    };
    let env = with_options("goose", own).env;
    let modes: Vec<&str> =
        env.iter().filter(|(name, _)| name == "GOOSE_MODE").map(|(_, value)| value.as_str()).collect();
    assert_eq!(modes, ["smart_approve"]);
}

#[rstest]
#[case(
    "codex",
    "the agent `codex` is not installed: `codex` was not found; install it, or set `agent.options.codex.binary`"
)]
#[case(
    "shell",
    "the agent `shell` is not installed: `sh` was not found; install it, or set PATH to where it is"
)]
#[case(
    "cladue",
    "unknown agent `cladue`: expected `claude`, `codex`, `gemini`, `opencode`, `copilot`, `qwen`, `goose`, `aider`, `amp`, \
     `cursor-agent`, `shell`, `auto`; any other CLI is declared under `agent.commands`"
)]
fn an_agent_that_cannot_run_is_refused_with_the_remedy(#[case] agent: &str, #[case] message: &str) {
    assert_eq!(resolved(agent, &[]).unwrap_err().to_string(), message);
}

#[rstest]
#[case(
    &["locked"],
    PromptDelivery::Stdin,
    "the agent `mine` cannot be started: `/bin/locked` is not executable; run `chmod +x` on it, or set the first word of \
     `agent.commands.mine.command`"
)]
#[case(
    &["gone"],
    PromptDelivery::Stdin,
    "the agent `mine` is not installed: `gone` was not found; install it, or set the first word of \
     `agent.commands.mine.command`"
)]
#[case(
    &[],
    PromptDelivery::Stdin,
    "`agent.commands.mine.command` is empty: write the program and its arguments, such as [\"my-agent\", \"--headless\"]"
)]
#[case(
    &["my-agent", "--quiet"],
    PromptDelivery::File,
    "`agent.commands.mine.command` takes its prompt as a file, and none of its arguments has `${prompt_file}`: add it"
)]
fn a_custom_command_that_cannot_run_is_refused_with_the_remedy(
    #[case] command: &[&str],
    #[case] prompt: PromptDelivery,
    #[case] message: &str,
) {
    assert_eq!(with_command(command, prompt).unwrap_err().to_string(), message);
}

#[rstest]
#[case("claude")]
#[case("shell")]
#[case("auto")]
fn a_custom_command_cannot_take_a_name_that_has_a_meaning(#[case] taken: &str) {
    let custom =
        CustomCommand { command: words(&["x"]), prompt: PromptDelivery::Stdin, output: OutputFormat::Text };
    assert_eq!(
        check_command(taken, &custom).unwrap_err().to_string(),
        format!(
            "`agent.commands.{taken}`: `{taken}` is the name of a built-in agent; give the command another name"
        )
    );
}

#[test]
fn options_of_an_unknown_agent_are_refused() {
    assert_eq!(check_options("goose"), Ok(()));
    assert_eq!(
        check_options("shell").unwrap_err().to_string(),
        "`agent.options.shell`: expected one of `claude`, `codex`, `gemini`, `opencode`, `copilot`, `qwen`, `goose`, `aider`, `amp`, \
         `cursor-agent`"
    );
}

#[test]
fn output_formats_are_named_after_their_cli() {
    for format in OutputFormat::ALL {
        assert_eq!(format.as_str().parse(), Ok(format));
    }
    let named: Vec<_> =
        OutputFormat::ALL.iter().map(|format| format.as_str()).filter(|name| *name != "text").collect();
    assert!(known_agents().all(|agent| named.contains(&agent)));
    assert_eq!(
        "clade".parse::<OutputFormat>().unwrap_err().to_string(),
        "unknown output format `clade`: expected one of `text`, `claude`, `codex`, `gemini`, `opencode`, `copilot`, `qwen`, \
         `goose`, `aider`, `amp`, `cursor-agent`"
    );
}

#[rstest]
#[case("claude", &["--session-id", "0-1-2"], &["--resume", "s-7"])]
#[case("gemini", &["--session-id", "0-1-2"], &["--resume", "s-7"])]
#[case("qwen", &["--session-id", "0-1-2"], &["--resume", "s-7"])]
#[case("cursor-agent", &[], &["--resume", "s-7"])]
fn a_session_is_begun_or_resumed_by_its_id(
    #[case] agent: &str,
    #[case] fresh: &[&str],
    #[case] resumed: &[&str],
) {
    let spec = with_options(agent, AgentOptions::default());
    let session_args = |wish: &SessionWish| -> Vec<OsString> {
        let args = spec.invocation(&Places { session: wish, ..places("") }).unwrap().args;
        args[spec.session_at..].to_vec()
    };
    let owned = |list: &[&str]| list.iter().map(OsString::from).collect::<Vec<_>>();
    assert_eq!(session_args(fresh_session()), owned(fresh));
    assert_eq!(session_args(&SessionWish::Resume("s-7".to_owned())), owned(resumed));
    assert!(spec.can_resume());
}

#[test]
fn an_agent_that_cannot_resume_a_session_says_so() {
    let resumed = SessionWish::Resume("s-7".to_owned());
    let spec = resolved("shell", &["sh"]).unwrap();
    assert_eq!(
        spec.invocation(&Places { session: &resumed, ..places("") }).unwrap_err().to_string(),
        "the agent `shell` cannot resume a session: let each of its turns begin anew"
    );
}

#[test]
fn a_session_id_is_a_uuid_of_version_4() {
    assert_eq!(session_id(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    assert_eq!(session_id(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef), "01234567-89ab-4def-8123-456789abcdef");
    assert_eq!(session_id(0xffff << 112), "00000000-0000-4000-bfff-000000000000");
}

#[test]
fn a_program_of_the_users_own_is_not_exchanged_for_a_native_one() {
    let sought = std::cell::RefCell::new(Vec::new());
    let seek = |wanted: Wanted<'_>| {
        sought.borrow_mut().push((wanted.program.to_owned(), wanted.native.is_empty()));
        Sought::Found(wanted.program.into())
    };
    let own = AgentOptions { binary: Some("/opt/claude".to_owned()), ..AgentOptions::default() };
    resolve("claude", &seek, &BTreeMap::new(), &BTreeMap::from([("claude".to_owned(), own)])).unwrap();
    resolve("claude", &seek, &BTreeMap::new(), &BTreeMap::new()).unwrap();
    assert_eq!(*sought.borrow(), [("/opt/claude".to_owned(), true), ("claude".to_owned(), false)]);
}

#[test]
fn what_a_cli_reports_is_a_fact_of_its_format() {
    let reports = |format: OutputFormat| format.reports();
    assert_eq!(reports(OutputFormat::Claude), Reports { tokens: true, cost: true });
    assert_eq!(reports(OutputFormat::Gemini), Reports { tokens: true, cost: false });
    assert_eq!(reports(OutputFormat::CursorAgent), Reports::default());
    assert_eq!(reports(OutputFormat::Text), Reports::default());
}

#[test]
fn places_are_filled_in_and_what_they_hold_is_not_read_again() {
    let args = ["my-agent", "--in=${prompt_file}", "${workspace}:${attempt_dir}", "${HOME}", "$${workspace}"];
    let spec = with_command(&args, PromptDelivery::File).unwrap();
    let tricky = Places { prompt_file: Path::new("/a/${workspace}"), ..places("") };
    let filled = spec.invocation(&tricky).unwrap();
    let expected: Vec<OsString> =
        ["--in=/a/${workspace}", "/my tree:/git/attempt", "${HOME}", "$/my tree"].map(OsString::from).into();
    assert_eq!((filled.args, filled.stdin), (expected, Stdin::Null));
}

#[test]
fn the_prompt_reaches_the_agent_as_it_is_configured() {
    let run = |delivery| {
        let command: &[&str] = &["my-agent", "--file", "${prompt_file}"];
        with_command(command, delivery).unwrap().invocation(&places("do it")).unwrap()
    };
    let file = "/git/attempt/prompt.md";
    assert_eq!(run(PromptDelivery::Stdin).stdin, Stdin::File(file.into()));
    assert_eq!(run(PromptDelivery::File).args, ["--file", file]);
    let argument = run(PromptDelivery::Argument);
    assert_eq!(argument.args, ["--file", file, "do it"]);
    assert_eq!(argument.stdin, Stdin::Null);
}

#[test]
fn a_prompt_that_does_not_fit_an_argument_is_refused() {
    let spec = with_command(&["my-agent"], PromptDelivery::Argument).unwrap();
    assert_eq!(
        spec.invocation(&places(&"x".repeat(131_072))).unwrap_err().to_string(),
        "the prompt is 131072 bytes long, and the agent `mine` takes it as an argument, which is limited to 131071; let it \
         read `stdin` or `file` (`agent.commands.mine.prompt`)"
    );
    assert!(spec.invocation(&places(&"x".repeat(131_071))).is_ok());
    assert_eq!(
        spec.invocation(&places("a\0b")).unwrap_err().to_string(),
        "the prompt has a NUL byte, and the agent `mine` takes it as an argument: is the prompt a text file?"
    );
}

#[test]
fn only_the_shell_agent_changes_the_prompt() {
    let claude = resolved("claude", &["claude"]).unwrap();
    assert_eq!(claude.prompt_content("```sh\ntrue\n```\n").unwrap(), "```sh\ntrue\n```\n");
    let shell = resolved("shell", &["sh"]).unwrap();
    assert!(shell.prompt_content("```sh\ntrue\n```\n").unwrap().contains("eval 'true\n'"));
    let refused = shell.prompt_content("no block").unwrap_err();
    assert_eq!(refused.to_string(), "the agent `shell` cannot run this prompt");
    assert_eq!(
        std::error::Error::source(&refused).unwrap().to_string(),
        "it has no fenced block that is marked `sh`, `bash` or `shell`: add one, or choose another agent"
    );
}
