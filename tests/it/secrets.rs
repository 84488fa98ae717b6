//! Secrets: what an agent wrote into files and commits stays here, what it said is masked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Ended, Git, Workspace};

const LOOP: [&str; 1] = ["--sync-loops=1"];

/// Put together at run time, so that no scanner takes this file for a leak.
fn token() -> String {
    ["ghp_", "4kQ9zR2mX7pL1vN8", "bT6yW3cJ5hF0dSgAeUiO"].concat()
}

/// The fingerprint that a refusal names.
#[track_caller]
fn fingerprint(ended: &Ended) -> String {
    let (_, rest) = ended.stderr.split_once("fingerprint ").expect("a fingerprint is named");
    rest.chars().take_while(char::is_ascii_hexdigit).collect()
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { files_below(&path, found) } else { found.push(path) }
    }
}

/// No record, view or answer holds the value; only the raw captures and logs do.
#[track_caller]
fn assert_nowhere(workspace: &Workspace, value: &str) {
    let holds = |bytes: &[u8]| bytes.windows(value.len()).any(|window| window == value.as_bytes());
    let mut files = Vec::new();
    files_below(&workspace.root().join(".git/baton"), &mut files);
    assert!(files.iter().any(|path| path.to_string_lossy().contains("ledger")), "{files:?}");
    let is_raw = |path: &Path| path.components().any(|part| part.as_os_str() == "attempts");
    for path in files.iter().filter(|path| !is_raw(path)) {
        assert!(!holds(&fs::read(path).unwrap()), "{} holds the value", path.display());
    }
    let mut views = Vec::new();
    files_below(&workspace.root().join("logs"), &mut views);
    let summaries: Vec<_> =
        views.iter().filter(|path| path.extension().is_some_and(|kind| kind == "md")).collect();
    for path in summaries {
        assert!(!holds(&fs::read(path).unwrap()), "{} holds the value", path.display());
    }
    for arguments in [
        &["logs", "-n0"][..],
        &["logs", "--json"],
        &["logs", "--source=summaries"],
        &["status"],
        &["status", "--json"],
    ] {
        let (stdout, stderr) = workspace.said(arguments);
        assert!(
            !holds(stdout.as_bytes()) && !holds(stderr.as_bytes()),
            "baton {arguments:?}:\n{stdout}\n{stderr}"
        );
    }
}

#[track_caller]
fn assert_not_said(ended: &Ended, value: &str) {
    assert!(
        !ended.stdout.contains(value) && !ended.stderr.contains(value),
        "{}\n{}",
        ended.stdout,
        ended.stderr
    );
}

#[test]
fn a_token_in_a_file_stops_the_turn_until_it_is_removed() {
    let workspace = Workspace::new(Git::Used);
    workspace.script_once("ralph", &format!("work; printf 'one\\n  key {}\\n' > src/made-1.rs", token()));
    let ended = workspace.run(&LOOP).assert_code(5).assert_says("ralph's work holds what looks like secrets");
    let ended =
        ended.assert_says("src/made-1.rs:2:7: github-token, fingerprint ").assert_says("nothing is lost");
    assert_not_said(&ended, &token());
    assert_eq!(workspace.git(&["rev-list", "--count", "HEAD"]).trim(), "2", "galph's commit only");
    assert!(workspace.read("src/made-1.rs").unwrap().contains(&token()), "the work stays in the tree");
    workspace.run(&LOOP).assert_code(5);
    assert_nowhere(&workspace, &token());
    workspace.write("src/made-1.rs", "made in iteration 1\n");
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_whole(1);
    assert_eq!(workspace.effects().starts().len(), 2, "the agent is not run again");
    assert_nowhere(&workspace, &token());
}

#[test]
fn a_finding_that_a_person_allows_is_committed_without_a_second_run() {
    let workspace = Workspace::new(Git::Used);
    workspace.script_once("ralph", &format!("work; echo 'key {}' > src/key.rs", token()));
    let ended = workspace.run(&LOOP).assert_code(5);
    let lines = [
        "publish:\n",
        "  secrets:\n",
        "    allow:\n",
        &format!("      - {{ fingerprint: \"{}\", reason: \"why it is harmless\" }}\n", fingerprint(&ended)),
    ];
    for line in lines {
        assert!(ended.stderr.contains(line), "{line}\n{}", ended.stderr);
    }
    let configured = workspace.read("orchestration.yaml").unwrap() + &lines.concat();
    workspace.write("orchestration.yaml", &configured);
    let ended = workspace.run(&LOOP).assert_code(0);
    assert_not_said(&ended, &token());
    assert_eq!(workspace.git(&["show", "HEAD:src/key.rs"]), format!("key {}\n", token()));
    assert_eq!(
        workspace.git(&["diff", "--name-only", "HEAD", "--", "orchestration.yaml"]),
        "orchestration.yaml\n"
    );
    workspace.assert_iterations(1);
    assert_eq!(workspace.effects().starts().len(), 2, "the agent is not run again");
    assert_nowhere(&workspace, &token());
    workspace.git(&["commit", "--quiet", "--message=allowed", "orchestration.yaml"]);
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_iterations(2);
}

#[test]
fn an_allowance_that_was_committed_by_a_person_counts_too() {
    let workspace = Workspace::new(Git::Used);
    workspace.script_once("ralph", &format!("work; echo 'key {}' > src/key.rs", token()));
    let ended = workspace.run(&LOOP).assert_code(5);
    let allow = format!(
        "publish: {{ secrets: {{ allow: [{{ fingerprint: '{}', reason: a test token }}] }} }}\n",
        fingerprint(&ended)
    );
    workspace.write("orchestration.yaml", &(workspace.read("orchestration.yaml").unwrap() + &allow));
    workspace.git(&["commit", "--quiet", "--message=allowed", "orchestration.yaml"]);
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_iterations(1);
    assert_eq!(workspace.effects().starts().len(), 2);
}

#[test]
fn an_agent_cannot_allow_its_own_secret() {
    let workspace = Workspace::new(Git::Used);
    workspace.script_once("ralph", &format!("work; echo 'key {}' > src/key.rs", token()));
    let known = fingerprint(&workspace.run(&LOOP).assert_code(5));
    for allow in [
        format!("publish: {{ secrets: {{ allow: [{{ fingerprint: '{known}', reason: mine }}] }} }}"),
        "publish: { secrets: { enabled: false } }".to_owned(),
    ] {
        let workspace = Workspace::new(Git::Used);
        let script = format!(
            "work; echo \"{allow}\" >> orchestration.yaml; echo 'key {}' > src/key.rs; \
             git add src/key.rs orchestration.yaml; git commit -qm own src/key.rs orchestration.yaml",
            token()
        );
        workspace.script_once("ralph", &script);
        for _ in 0..2 {
            workspace.run(&LOOP).assert_code(5);
        }
        let commits = workspace.git(&["rev-list", "--count", "HEAD"]);
        assert_eq!(commits.trim(), "3", "the first, galph's, and the agent's own");
        workspace.git(&["reset", "--quiet", "--soft", "HEAD~1"]);
        workspace.git(&["restore", "--staged", "--", "src/key.rs", "orchestration.yaml"]);
        workspace.run(&LOOP).assert_code(5);
        workspace.git(&["restore", "--", "orchestration.yaml"]);
        workspace.run(&LOOP).assert_code(5).assert_says("src/key.rs:1:5: github-token");
        workspace.write("src/key.rs", "no key\n");
        workspace.run(&LOOP).assert_code(0);
        workspace.assert_iterations(1);
        assert_eq!(workspace.effects().starts().len(), 2);
    }
}

#[test]
fn secrets_in_the_agents_own_commits_are_found_even_if_a_later_one_removes_them() {
    let workspace = Workspace::new(Git::Used);
    let script = format!(
        "work; printf 'A=b\\n' > .env; echo 'key {0}' > src/key.rs; git add .env src; git commit -qm 'uses {0}' .env src; \
         git rm -q --cached .env; rm .env; echo clean > src/key.rs; git add src; git commit -qm 'clean again' .env src",
        token()
    );
    workspace.script_once("ralph", &script);
    let ended = workspace.run(&LOOP).assert_code(5);
    let commit = workspace.git(&["rev-parse", "--short", "HEAD~1"]);
    let commit = commit.trim();
    let base = workspace.git(&["rev-parse", "--short=7", "HEAD~2"]);
    let undo = format!("git reset --soft {} && git reset --quiet -- .env src/key.rs", base.trim());
    let ended = ended
        .assert_says(&format!("commit {commit}, .env:1:1: env-file"))
        .assert_says(&format!("commit {commit}, src/key.rs:1:5: github-token"))
        .assert_says(&format!("commit {commit}, its message:1:6: github-token"))
        .assert_says(&undo);
    assert_not_said(&ended, &token());
    assert_nowhere(&workspace, &token());
    for line in undo.split(" && ") {
        workspace.git(&line.split(' ').skip(1).collect::<Vec<_>>());
    }
    let ended = workspace.run(&LOOP).assert_code(0);
    assert_not_said(&ended, &token());
    assert_eq!(workspace.git(&["show", "HEAD:src/key.rs"]), "clean\n");
    assert_eq!(workspace.git(&["log", "-S", &token(), "--format=%s"]), "", "not in the history");
    workspace.assert_index_is_the_persons();
    workspace.assert_iterations(1);
    assert_eq!(workspace.effects().starts().len(), 2, "the agent is not run again");
}

#[test]
fn a_secret_that_was_committed_before_is_not_this_turns() {
    let workspace = Workspace::new(Git::Used);
    workspace.write("src/old.rs", &format!("key {}\n", token()));
    workspace.git(&["add", "src/old.rs"]);
    workspace.git(&["commit", "--quiet", "--message=old", "src/old.rs"]);
    workspace.script_once("ralph", "work; echo more >> src/old.rs");
    workspace.run(&LOOP).assert_code(0);
    assert!(workspace.git(&["show", "HEAD:src/old.rs"]).ends_with("more\n"));
    workspace.assert_iterations(1);
}

#[test]
fn the_external_scanner_has_the_last_word() {
    let scanner = "publish:\n  secrets:\n    scanner: 'test \"$PWD\" = \"$BATON_SCAN_DIR\" || exit 9; find . -type f \
                   | sort > \"$FAKE_DIR/seen\"; ! grep -r forbidden .'\n";
    let workspace = Workspace::configured(Git::Used, scanner);
    let script = "work; echo forbidden > src/odd.rs; git add src; git commit -qm own src; echo z > src/z.rs";
    workspace.script_once("ralph", script);
    let ended = workspace.run(&LOOP).assert_code(5);
    let commit = workspace.git(&["rev-parse", "--short", "HEAD"]);
    let commit = commit.trim();
    ended
        .assert_says("`publish.secrets.scanner` refuses ralph's work (exit 1), and nothing is committed:\n    ./commits/")
        .assert_says("src/odd.rs:forbidden")
        .assert_says("nothing is lost");
    let seen = workspace.kept("seen");
    assert_eq!(
        seen,
        format!(
            "./commits/{commit}.message\n./commits/{commit}/src/counter.rs\n./commits/{commit}/src/made-1.rs\n\
             ./commits/{commit}/src/odd.rs\n./work/src/z.rs\n"
        )
    );
    workspace.git(&["reset", "--quiet", "--soft", "HEAD~1"]);
    workspace.git(&["restore", "--staged", "--", "src"]);
    workspace.write("src/odd.rs", "even\n");
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_iterations(1);
    assert_eq!(workspace.effects().starts().len(), 2);
}

#[test]
fn what_an_agent_says_is_masked_everywhere_but_in_its_raw_log() {
    let value = "correct-horse-battery";
    let workspace = Workspace::configured(Git::Used, "redact: [SERVICE_PIN, SHORT]\n");
    let say = format!("echo \"the key is {} and $SERVICE_PIN\"", token());
    workspace.script_once("ralph", &format!("work; {say}; {say} >&2; exit 3"));
    let environment = [("SERVICE_PIN", value), ("SHORT", "abc")];
    let ended = workspace.run_with(&LOOP, &environment).assert_code(5);
    let ended = ended
        .assert_says("the key is [masked:github-token] and [masked:$SERVICE_PIN]")
        .assert_says("note: `redact`: the value of `SHORT` is shorter than 6 bytes and is not masked");
    for secret in [token().as_str(), value] {
        assert_not_said(&ended, secret);
        assert_nowhere(&workspace, secret);
    }
    let mut logs = Vec::new();
    files_below(&workspace.root().join("logs"), &mut logs);
    let raw = logs.iter().filter(|path| path.extension().is_some_and(|kind| kind == "log"));
    assert!(
        raw.into_iter().any(|path| fs::read_to_string(path).unwrap().contains(&token())),
        "logs stay raw"
    );
    workspace.script_once("ralph", "cp \"$BATON_ATTEMPT_DIR/prompt.md\" \"$FAKE_DIR/prompt\"; work");
    workspace.run_with(&LOOP, &environment).assert_code(0);
    let prompt = workspace.kept("prompt");
    assert!(prompt.contains("your last turn ended `failed`") && !prompt.contains(&token()), "{prompt}");
    assert!(!prompt.contains(value), "{prompt}");
}

#[test]
fn a_failed_verification_tells_no_secret() {
    let workspace = Workspace::with_checks(Git::Used);
    workspace.script_once("second", &format!("echo 'used {}'; exit 1", token()));
    let ended = workspace.run(&LOOP).assert_code(0);
    assert_not_said(&ended, &token());
    assert_nowhere(&workspace, &token());
}

impl Workspace {
    /// What another verb says.
    fn said(&self, arguments: &[&str]) -> (String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_baton"))
            .args(arguments)
            .current_dir(self.root())
            .env("HOME", self.root().parent().unwrap().join("home"))
            .env("SERVICE_PIN", "correct-horse-battery")
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{}", text(&output.stderr));
        (text(&output.stdout), text(&output.stderr))
    }
}
