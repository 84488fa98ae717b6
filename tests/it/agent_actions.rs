//! What an agent does to the repository besides its work: nothing of a person is lost, and each message's command helps.

use rstest::rstest;

use crate::support::{Git, Workspace};

const LOOP: [&str; 1] = ["--sync-loops=1"];

fn with_ralph(script: &str) -> (Workspace, crate::support::Ended) {
    let workspace = Workspace::new(Git::Used);
    workspace.script_once("ralph", script);
    let ended = workspace.run(&LOOP);
    (workspace, ended)
}

fn rescue_refs(workspace: &Workspace) -> String {
    workspace.git(&["for-each-ref", "--format=%(refname)", "refs/baton-rescue"])
}

/// The turn's identifier, from the names of its copies.
fn turn_of(workspace: &Workspace) -> String {
    let refs = rescue_refs(workspace);
    let name = refs.lines().next().unwrap_or_else(|| panic!("no copies are kept"));
    name.split('/').nth(2).unwrap().to_owned()
}

fn shell(workspace: &Workspace, command: &str) {
    let done = std::process::Command::new("sh")
        .args(["-ec", command])
        .current_dir(workspace.root())
        .output()
        .unwrap();
    assert!(done.status.success(), "{command}: {}", String::from_utf8_lossy(&done.stderr));
}

/// The next start goes on where the last stopped, without the agent, and nothing is left over.
fn assert_goes_on(workspace: &Workspace) {
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_whole(1);
    assert_eq!(workspace.effects().starts().len(), 2);
    assert_eq!(rescue_refs(workspace), "");
}

#[test]
fn an_undisturbed_turn_leaves_no_copies_behind() {
    let (workspace, ended) = with_ralph("git for-each-ref refs/baton-rescue > $FAKE_DIR/refs; work");
    ended.assert_code(0);
    workspace.assert_whole(1);
    assert!(workspace.kept("refs").contains("/files"), "{}", workspace.kept("refs"));
    assert_eq!(rescue_refs(&workspace), "");
    assert!(!workspace.root().join(".git/refs/baton-rescue").join("x").exists());
}

#[rstest]
#[case::checks_out("work; git checkout -q .", &["mine.txt"])]
#[case::resets("work; git reset -q --hard", &["mine.txt", "staged.txt"])]
#[case::cleans("work; git add src; git clean -fdxq; git reset -q src", &["scratch.txt"])]
#[case::stashes("work; git stash -q", &["mine.txt", "staged.txt"])]
#[case::overwrites("work; echo x > mine.txt; rm scratch.txt", &["mine.txt", "scratch.txt"])]
#[case::collects_garbage(
    "work; git reset -q --hard; git reflog expire --expire=now --all; git gc -q --prune=now",
    &["mine.txt", "staged.txt"]
)]
fn what_a_person_had_not_committed_can_be_got_back_by_the_named_command(
    #[case] script: &str,
    #[case] lost: &[&str],
) {
    let (workspace, ended) = with_ralph(script);
    let mut ended = ended.assert_code(5);
    let turn = turn_of(&workspace);
    for path in lost {
        ended = ended.assert_says(&format!(
            "    {path}: it had changes before the turn, and was changed again during it; what it held before is kept: \
             `git restore --source=refs/baton-rescue/{turn}/files -- {path}`\n"
        ));
    }
    workspace.run(&LOOP).assert_code(5);
    for path in lost {
        workspace.git(&["restore", &format!("--source=refs/baton-rescue/{turn}/files"), "--", path]);
    }
    workspace.assert_persons_files();
    workspace.git(&["add", "staged.txt"]);
    // What the agent had stashed is its own doing, and a person's to drop.
    assert_goes_on(&workspace);
}

#[test]
fn a_failed_turn_tells_of_what_it_has_undone_and_keeps_the_copies() {
    let (workspace, ended) = with_ralph("work; git checkout -q .; exit 3");
    let ended = ended.assert_code(5);
    let turn = turn_of(&workspace);
    ended.assert_says(&format!(
        "mine.txt: it had changes before the turn and is different now; what it held before is kept: `git restore \
         --source=refs/baton-rescue/{turn}/files -- mine.txt`"
    ));
    workspace.git(&["restore", &format!("--source=refs/baton-rescue/{turn}/files"), "--", "mine.txt"]);
    workspace.assert_persons_files();
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_whole(1);
}

#[test]
fn an_entry_that_the_agent_unstaged_is_told_of_and_kept() {
    let (workspace, ended) =
        with_ralph("work; git reset -q; git reflog expire --expire=now --all; git gc -q --prune=now");
    let ended = ended.assert_code(0);
    let turn = turn_of(&workspace);
    ended.assert_says(&format!(
        "staged.txt is not staged any more as it was before the turn: `git restore \
         --source=refs/baton-rescue/{turn}/staged --staged -- staged.txt` stages it again"
    ));
    workspace.git(&[
        "restore",
        &format!("--source=refs/baton-rescue/{turn}/staged"),
        "--staged",
        "--",
        "staged.txt",
    ]);
    workspace.assert_whole(1);
}

fn with_stash() -> Workspace {
    let workspace = Workspace::new(Git::Used);
    workspace.write("docs/fix_plan.md", "a person's other plan\n");
    workspace.git(&["stash", "push", "--quiet", "--message=put aside", "--", "docs/fix_plan.md"]);
    workspace
}

#[rstest]
#[case::dropped("work; git stash drop -q")]
#[case::cleared("work; git stash clear; git gc -q --prune=now")]
fn a_stash_that_the_agent_drops_is_told_of_and_kept(#[case] script: &str) {
    let workspace = with_stash();
    let stash = workspace.git(&["rev-parse", "refs/stash"]).trim().to_owned();
    workspace.script_once("ralph", script);
    workspace.run(&LOOP).assert_code(0).assert_says(&format!(
        "the stash entry `On main: put aside` is gone: `git stash store -m 'On main: put aside' {stash}` brings it back"
    ));
    workspace.git(&["stash", "store", "-m", "On main: put aside", &stash]);
    assert_eq!(workspace.git(&["show", "stash@{0}:docs/fix_plan.md"]), "a person's other plan\n");
    workspace.assert_whole(1);
}

#[test]
fn a_stash_that_the_agent_pops_is_not_published() {
    let workspace = with_stash();
    let stash = workspace.git(&["rev-parse", "refs/stash"]).trim().to_owned();
    workspace.script_once(
        "galph",
        "git stash pop -q; mkdir -p plans; echo 'plan of iteration 1' > plans/plan-1.md",
    );
    workspace.run(&LOOP).assert_code(5).assert_says(
        "docs/fix_plan.md: it holds what the stash entry `On main: put aside` holds, which is not the turn's: commit \
         it by hand, or undo it",
    );
    assert_eq!(workspace.head(), workspace.git(&["rev-list", "--max-parents=0", "HEAD"]).trim());
    workspace.write("docs/fix_plan.md", "iteration 1\n");
    workspace.run(&LOOP).assert_code(0).assert_says("the stash entry `On main: put aside` is gone");
    workspace.git(&["stash", "store", "-m", "On main: put aside", &stash]);
    workspace.assert_whole(1);
}

#[rstest]
#[case::amended(
    "git commit -q --amend --message=rewritten --only --allow-empty; work",
    "main was rewritten during the turn and has lost {base}: `git reset --soft refs/baton-rescue/{turn}/branch` puts \
     the branch back and touches no file",
    "git reset -q --soft refs/baton-rescue/{turn}/branch"
)]
#[case::switched(
    "work; git switch -qc elsewhere",
    "the branch was switched from main to elsewhere during the turn: `git switch main`",
    "git switch -q main"
)]
#[case::detached(
    "work; git switch -q --detach",
    "HEAD was detached from main during the turn, at {base}: `git switch main`",
    "git switch -q main"
)]
#[case::renamed(
    "work; git branch -m main other",
    "the branch main is gone and other is checked out since the turn: `git branch -m other main` if it was renamed, \
     else `git switch -c main refs/baton-rescue/{turn}/branch`",
    "git branch -m other main"
)]
#[case::deleted(
    "work; git update-ref -d refs/heads/main",
    "the branch main was deleted during the turn: `git update-ref refs/heads/main refs/baton-rescue/{turn}/branch` \
     brings it back",
    "git update-ref refs/heads/main refs/baton-rescue/{turn}/branch"
)]
#[case::deleted_elsewhere(
    "work; git switch -q --orphan new 2>/dev/null || git checkout -q --orphan new; git branch -q -D main",
    "the branch main is gone and new is checked out since the turn",
    "git symbolic-ref HEAD refs/heads/main; git update-ref refs/heads/main refs/baton-rescue/{turn}/branch; \
     git restore --staged plans docs prompts orchestration.yaml .gitignore mine.txt"
)]
#[case::merge(
    "work; git switch -qc side; git commit -q --allow-empty -m side; git switch -q main; \
     git merge -q --no-ff --no-commit side 2>/dev/null",
    "a merge is in progress; finish it with `git merge --continue`, or undo it with `git merge --abort`",
    "git merge --quit; git branch -q -D side"
)]
#[case::bisect(
    "work; git bisect start >/dev/null",
    "a bisect is in progress; end it with `git bisect reset`",
    "git bisect reset"
)]
#[case::index_lock(
    "work; : > .git/index.lock",
    "index.lock` exists: another git is at work there, or was killed; if no git is running in this repository, remove \
     the file and start again",
    "rm .git/index.lock"
)]
fn a_branch_that_is_not_fit_for_the_commits_stops_the_turn_and_the_named_command_helps(
    #[case] script: &str,
    #[case] says: &str,
    #[case] remedy: &str,
) {
    let (workspace, ended) = with_ralph(script);
    let turn = turn_of(&workspace);
    let kept = format!("refs/baton-rescue/{turn}/branch");
    let base = workspace.git(&["rev-parse", "--short", &kept]).trim().to_owned();
    let filled = |text: &str| text.replace("{turn}", &turn).replace("{base}", &base);
    ended.assert_code(5).assert_says(&filled(says)).assert_says("nothing is lost");
    shell(&workspace, &filled(remedy));
    assert_goes_on(&workspace);
}

#[rstest]
#[case::state(
    "work; sed -i 's/\"epoch\": 2/\"epoch\": 7/' sync/state.json; git add sync; git commit -qm 'by the agent' -- sync",
    "sync/state.json",
    "`git rm -q --cached -- sync/state.json`",
    "git rm -q --cached -- sync/state.json"
)]
#[case::configuration(
    "work; echo '# more' >> orchestration.yaml; git commit -qm 'by the agent' orchestration.yaml",
    "orchestration.yaml",
    "`git checkout {base} -- orchestration.yaml`, or remove it where {base} has none",
    "git checkout -q {base} -- orchestration.yaml"
)]
fn protected_paths_in_the_agents_commits_are_refused_until_taken_back_or_accepted(
    #[case] script: &str,
    #[case] path: &str,
    #[case] then: &str,
    #[case] command: &str,
    #[values(false, true)] accepts: bool,
) {
    let (workspace, ended) = with_ralph(script);
    let short = |name: &str| workspace.git(&["rev-parse", "--short", name]).trim().to_owned();
    let (head, base) = (short("HEAD"), short("HEAD~1"));
    ended.assert_code(5).assert_says(&format!(
        "{path}: commit {head} (by the agent) changes it, and `publish.protect` names it: `git reset --soft {base}`, \
         then {}; or, if the commits are to stay, `baton run --accept-commits {head}`",
        then.replace("{base}", &base)
    ));
    workspace.run(&LOOP).assert_code(5);
    if accepts {
        let accept = format!("--accept-commits={head}");
        workspace.run(&["--sync-loops=1", &accept]).assert_code(0);
        workspace.assert_iterations(1);
        assert_eq!(short("HEAD~1"), head);
        assert_eq!(workspace.effects().starts().len(), 2);
    } else {
        workspace.git(&["reset", "--quiet", "--soft", &base]);
        shell(&workspace, &command.replace("{base}", &base));
        assert_goes_on(&workspace);
    }
}

#[test]
fn an_agent_that_commits_everything_commits_the_state_as_it_is() {
    let (workspace, ended) =
        with_ralph("work; git add --all -- src sync; git commit -qm 'by the agent' -- src sync");
    ended.assert_code(0).assert_says("committed meanwhile, not by baton");
    workspace.assert_iterations(1);
    assert_eq!(workspace.effects().starts().len(), 2);
}

#[test]
fn what_a_person_had_not_committed_and_the_agent_did_is_told() {
    let (workspace, ended) = with_ralph("work; git commit -qm 'by the agent' mine.txt");
    let base = workspace.git(&["rev-parse", "--short", "HEAD~2"]).trim().to_owned();
    ended.assert_code(0).assert_says(&format!(
        "mine.txt: it was not committed before the turn and is now, not by baton; to take that back, `git reset --soft \
         {base}`"
    ));
    workspace.assert_persons_files();
    workspace.assert_iterations(1);
}

#[rstest]
#[case::hook(
    "printf '#!/bin/sh\\ntouch \"$FAKE_DIR/ran\"\\n' > .git/hooks/post-index-change; chmod +x .git/hooks/*",
    "hooks/post-index-change"
)]
#[case::hooks_path("git config core.hooksPath ../fake", "config")]
#[case::fsmonitor("git config core.fsmonitor 'touch \"$FAKE_DIR/ran\";:'", "config")]
#[case::attributes("mkdir -p .git/info; echo '* -text' > .git/info/attributes", "info/attributes")]
fn settings_that_the_agent_changed_are_told_and_nothing_they_name_is_run(
    #[case] change: &str,
    #[case] file: &str,
) {
    let script = format!("mkdir -p .git/hooks; work; {change}");
    let (workspace, ended) = with_ralph(&script);
    ended
        .assert_code(0)
        .assert_says(&format!("/.git/{file}; git takes orders and programs to run from there"));
    assert!(!workspace.root().join("../fake/ran").exists());
    let summary = std::process::Command::new("sh")
        .args(["-c", "cat logs/main/ralph/*summary*.md logs/*/*/*.md 2>/dev/null; grep -rl 'Found in the repository' logs"])
        .current_dir(workspace.root())
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&summary.stdout).contains("Found in the repository"));
    // Galph is told with its next prompt.
    workspace.script_once(
        "galph",
        "cat > $FAKE_DIR/prompt; git config --unset core.fsmonitor; git config --unset core.hooksPath; work",
    );
    workspace.run(&LOOP).assert_code(0);
    assert!(workspace.kept("prompt").contains("found after ralph's turn: changed during the turn:"));
}

#[test]
fn branches_and_tags_that_the_agent_deletes_moves_or_makes_are_told_and_kept() {
    let workspace = Workspace::new(Git::Used);
    workspace.git(&["branch", "theirs"]);
    workspace.git(&["-c", "user.name=A", "-c", "user.email=a@x", "tag", "--annotate", "-m", "v", "v1"]);
    let only_there = workspace.git(&["commit-tree", "-p", "HEAD", "-m", "only there", "HEAD^{tree}"]);
    workspace.git(&["update-ref", "refs/heads/theirs", only_there.trim()]);
    let theirs = workspace.git(&["rev-parse", "theirs"]).trim().to_owned();
    let tag = workspace.git(&["rev-parse", "v1"]).trim().to_owned();
    workspace.script_once(
        "ralph",
        "work; git branch -q -D theirs; git tag -f v1 HEAD >/dev/null; git tag mine; \
         git reflog expire --expire=now --all; git gc -q --prune=now",
    );
    let turn_head = workspace.run(&LOOP).assert_code(0);
    let moved = workspace.git(&["rev-parse", "v1"]);
    turn_head
        .assert_says(&format!(
            "refs/heads/theirs was deleted during the turn: `git update-ref refs/heads/theirs {theirs}` puts it back"
        ))
        .assert_says(&format!(
            "refs/tags/v1 was moved to {} during the turn: `git update-ref refs/tags/v1 {tag}` puts it back",
            &moved[..7]
        ))
        .assert_says("made during the turn, not by baton: refs/tags/mine");
    workspace.git(&["update-ref", "refs/heads/theirs", &theirs]);
    workspace.assert_whole(1);
}

#[rstest]
#[case::by_name("origin")]
#[case::by_its_push_url("other")]
#[case::by_path("\"$FAKE_DIR/../remote\"")]
#[case::by_file_url("\"file://$FAKE_DIR/../remote\"")]
fn an_agent_pushes_only_where_it_is_allowed_to(#[case] to: &str, #[values(false, true)] allowed: bool) {
    let workspace = Workspace::new(Git::Used);
    if allowed {
        let text = workspace.read("orchestration.yaml").unwrap();
        workspace.write("orchestration.yaml", &text.replace("300ms", "300ms, agent_push: allow"));
        workspace.git(&["commit", "--quiet", "--message=allow", "orchestration.yaml"]);
    }
    let remote = workspace.root().join("../remote").display().to_string();
    // Neither a rewriting of one's own nor a push URL of its own opens the way.
    if to == "origin" {
        workspace.git(&["config", "url.file:///.pushInsteadOf", "/"]);
    }
    workspace.git(&["remote", "add", "other", "/nowhere"]);
    workspace.git(&["config", "remote.other.pushurl", &format!("file://{remote}")]);
    workspace.git(&["init", "--quiet", "--bare", &remote]);
    workspace.git(&["remote", "add", "origin", &remote]);
    workspace.script_once("ralph", &format!("work; git push -q {to} HEAD:refs/heads/pushed 2>/dev/null; :"));
    workspace.run(&LOOP).assert_code(0);
    let arrived = workspace.git(&["--git-dir", &remote, "for-each-ref", "--format=%(refname)"]);
    assert_eq!(arrived.trim(), if allowed { "refs/heads/pushed" } else { "" });
}

#[test]
fn a_reset_to_an_older_commit_is_put_right_by_the_named_commands() {
    let (workspace, ended) = with_ralph(
        "git stash -q; git reset -q --hard HEAD~1; git stash pop -q --index; work; \
         git reflog expire --expire=now --all; git gc -q --prune=now",
    );
    let turn = turn_of(&workspace);
    let kept = format!("refs/baton-rescue/{turn}/branch");
    let base = workspace.git(&["rev-parse", "--short", &kept]).trim().to_owned();
    ended.assert_code(5).assert_says(&format!(
        "main was rewritten during the turn and has lost {base}: `git reset --keep {kept}` puts branch and files back, \
         and keeps other changes"
    ));
    workspace.git(&["reset", "--quiet", "--keep", &kept]);
    workspace.assert_persons_files();
    let again = format!("git restore --source=refs/baton-rescue/{turn}/staged --staged -- staged.txt");
    workspace.run(&LOOP).assert_code(0).assert_says(&format!("`{again}` stages it again"));
    shell(&workspace, &again);
    workspace.assert_whole(1);
    assert_eq!(workspace.effects().starts().len(), 2);
}

#[test]
fn a_turn_whose_journal_was_deleted_is_never_begun_anew_by_itself() {
    let (workspace, ended) = with_ralph("work; rm -rf .git/baton; git switch -qc elsewhere");
    ended.assert_code(5).assert_says("ledger.db was deleted during the turn, and with it the turn's journal");
    workspace.git(&["switch", "--quiet", "main"]);
    workspace.run(&LOOP).assert_code(6).assert_says("baton takeover");
    assert_eq!(workspace.effects().starts().len(), 2);
    workspace.assert_persons_files();
    assert_eq!(workspace.read("src/made-1.rs").as_deref(), Some("made in iteration 1\n"));
}
