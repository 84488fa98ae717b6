//! `turn.isolation: worktree`: turns in a work tree of their own, beside a person at work.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rstest::rstest;

use crate::support::{Ended, Git, Workspace, read_all};

const LOOP: [&str; 3] = ["--isolation=worktree", "--branch=loop", "--sync-loops=1"];

/// A person on `main` with staged, changed, untracked and ignored files and a stash, and a branch for the turns.
struct Beside {
    workspace: Workspace,
    files: BTreeMap<PathBuf, Vec<u8>>,
    seen: Vec<String>,
}

impl Beside {
    fn new() -> Self {
        Self::configured("")
    }

    fn configured(more: &str) -> Self {
        let workspace = Workspace::configured(Git::Used, more);
        workspace.git(&["branch", "loop"]);
        workspace.git(&["commit", "--quiet", "--allow-empty", "--message=the person's own"]);
        workspace.write("docs/fix_plan.md", "put aside\n");
        workspace.git(&["stash", "push", "--quiet", "--", "docs/fix_plan.md"]);
        workspace.write("secrets/mine", "ignored\n");
        let mut beside = Self { workspace, files: BTreeMap::new(), seen: Vec::new() };
        beside.files = beside.files_now();
        beside.seen = beside.seen_by_git();
        beside
    }

    /// Every file of the person's tree, and the index.
    fn files_now(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let root = self.workspace.root();
        let mut files = read_all(&root);
        files.retain(|path, _| !path.starts_with(root.join(".git")) || *path == root.join(".git/index"));
        files
    }

    fn seen_by_git(&self) -> Vec<String> {
        let commands: [&[&str]; 5] = [
            &["status", "--porcelain", "--ignored"],
            &["symbolic-ref", "HEAD"],
            &["rev-parse", "main"],
            &["stash", "list"],
            &["stash", "show", "--patch"],
        ];
        commands.map(|command| self.workspace.git(command)).to_vec()
    }

    fn tree(&self) -> PathBuf {
        self.workspace.root().join(".git/baton/worktrees/loop")
    }

    /// Git in the turns' work tree.
    fn git(&self, arguments: &[&str]) -> String {
        let tree = self.tree().display().to_string();
        self.workspace.git(&[&["-C", tree.as_str()], arguments].concat())
    }

    fn run(&self) -> Ended {
        self.workspace.run(&LOOP)
    }

    /// What is said, with the workspace's path replaced.
    fn said(&self, text: &str) -> String {
        text.replace(&self.workspace.root().canonicalize().unwrap().display().to_string(), "/w")
    }

    #[track_caller]
    fn assert_refused(&self, arguments: &[&str], code: i32, error: &str) {
        let ended = self.workspace.baton(arguments).assert_code(code);
        let said = self.said(&ended.stderr);
        assert_eq!(said[said.find("error: ").unwrap()..].trim_end(), error);
    }

    /// Nothing of the person's was touched.
    #[track_caller]
    fn assert_persons(&self) {
        assert_eq!(self.seen_by_git(), self.seen);
        assert_eq!(self.files_now(), self.files);
    }

    fn state(&self) -> serde_json::Value {
        serde_json::from_str(&fs::read_to_string(self.tree().join("sync/state.json")).unwrap()).unwrap()
    }

    /// The result of so many whole iterations is on the branch, each change in one commit, and only there.
    #[track_caller]
    fn assert_whole(&self, iterations: u64) {
        self.workspace.assert_nobody_runs();
        self.assert_persons();
        let state = self.state();
        assert_eq!((&state["iteration"], &state["status"]), (&(iterations + 1).into(), &"complete".into()));
        let log = self.workspace.git(&["log", "--format=commit %H", "--name-only", "main~..loop"]);
        let commits = log.lines().filter(|line| line.starts_with("commit ")).count() as u64;
        assert_eq!(commits, 2 * iterations, "{log}");
        for iteration in 1..=iterations {
            for path in [format!("plans/plan-{iteration}.md"), format!("src/made-{iteration}.rs")] {
                assert_eq!(log.lines().filter(|line| *line == path).count(), 1, "{path}:\n{log}");
            }
        }
        assert_eq!(self.git(&["status", "--porcelain"]), "?? sync/\n");
        assert_eq!(self.git(&["symbolic-ref", "HEAD"]), "refs/heads/loop\n");
        self.workspace.git(&["fsck", "--strict", "--no-progress"]);
    }
}

#[test]
fn turns_run_beside_a_person_and_touch_nothing_of_theirs() {
    let beside = Beside::new();
    let ended = beside.run().assert_code(0);
    let said = beside.said(&ended.stderr);
    let beginning = "note: made the work tree: /w/.git/baton/worktrees/loop\n\
                     note: turns run on branch `loop`, with that branch's configuration and prompts, in \
                     /w/.git/baton/worktrees/loop\n";
    assert!(said.starts_with(beginning), "{said}");
    assert!(said.contains("runs, log /w/.git/baton/worktrees/loop/logs/loop/galph/"), "{said}");
    beside.assert_whole(1);
    // It is used again, and nothing is said of it being made.
    let again = beside.run().assert_code(0);
    assert!(!again.stderr.contains("made the work tree"), "{}", again.stderr);
    beside.assert_whole(2);
    let list = beside.said(&beside.workspace.git(&["worktree", "list", "--porcelain"]));
    assert!(
        list.contains("worktree /w/.git/baton/worktrees/loop\n")
            && list.contains("locked baton: `baton worktree remove` removes it\n"),
        "{list}"
    );
}

#[test]
fn the_agent_works_in_the_tree_of_the_turns_with_that_branchs_prompts() {
    let beside = Beside::new();
    beside.workspace.write("prompts/supervisor.md", "not committed\n");
    beside.workspace.script_once("galph", "cat > \"$FAKE_DIR/prompt\"; pwd > \"$FAKE_DIR/pwd\"; echo \"$BATON_WORKSPACE\" > \"$FAKE_DIR/at\"; work");
    beside.run().assert_code(0);
    let tree = beside.tree().canonicalize().unwrap().display().to_string();
    assert_eq!(beside.workspace.kept("pwd").trim(), tree);
    assert_eq!(beside.workspace.kept("at").trim(), tree);
    assert!(beside.workspace.kept("prompt").contains("Do what a supervisor does."));
}

#[rstest]
#[case(
    &["run", "--isolation=worktree"],
    "error: `turn.isolation: worktree` needs the name of a branch for the turns: `main` is your own\n  \
     help: `git branch loop` makes one, for example; then `baton run --branch loop`"
)]
#[case(
    &["run", "--isolation=worktree", "--branch=main"],
    "error: the branch `main` is checked out at `/w`, and git has a branch in one work tree at a time\n  \
     help: `git -C '/w' switch OTHER` leaves it to the turns\n  \
     help: or `git branch main-turns`, then `baton run --branch main-turns`\n  \
     help: if that work tree is gone for good, `git worktree prune` makes git forget it"
)]
#[case(
    &["run", "--isolation=worktree", "--branch=nope"],
    "error: there is no branch `nope` for the turns to run on\n  \
     help: `git branch nope` makes it from what is checked out here"
)]
#[case(
    &["run", "--isolation=worktree", "--branch=loop", "--no-git"],
    "error: `turn.isolation: worktree` is git's work, and `--no-git` leaves git alone\n  \
     help: leave `--no-git` out, or add `--isolation none`"
)]
#[case(
    &["status", "--branch=loop"],
    "error: there is no isolated loop on `loop`\n  \
     help: `baton run --isolation worktree --branch loop` begins one"
)]
#[case(
    &["worktree", "remove", "loop"],
    "error: there is no isolated loop on `loop`\n  \
     help: `baton worktree list` shows those that there are"
)]
fn what_cannot_be_isolated_is_refused(#[case] arguments: &[&str], #[case] error: &str) {
    let beside = Beside::new();
    beside.assert_refused(arguments, 2, error);
    beside.assert_persons();
    assert!(!beside.tree().exists());
}

#[test]
fn a_branch_under_rebase_elsewhere_and_a_directory_in_the_way_are_refused() {
    let beside = Beside::new();
    let git_dir = beside.workspace.root().join(".git");
    fs::create_dir(git_dir.join("rebase-merge")).unwrap();
    fs::write(git_dir.join("rebase-merge/head-name"), "refs/heads/loop\n").unwrap();
    let run = ["run", "--isolation=worktree", "--branch=loop"];
    let ended = beside.workspace.baton(&run).assert_code(2);
    let said = beside.said(&ended.stderr);
    assert!(said.starts_with("error: the branch `loop` is checked out at `/w`, "), "{said}");
    fs::remove_dir_all(git_dir.join("rebase-merge")).unwrap();

    fs::create_dir_all(beside.tree()).unwrap();
    fs::write(beside.tree().join("somebody's"), "data").unwrap();
    beside.assert_refused(
        &run,
        2,
        "error: `/w/.git/baton/worktrees/loop` is in the way: the turns' work tree belongs there, and git knows of none\n  \
         help: look at it, and move it away",
    );
    assert_eq!(fs::read(beside.tree().join("somebody's")).unwrap(), b"data");
}

#[test]
fn a_filter_that_only_git_runs_is_refused_and_a_tree_made_by_git_is_taken() {
    let beside = Beside::configured("git: { backend: git2 }\n");
    beside.workspace.git(&["config", "filter.rot13.smudge", "tr a-z n-za-m"]);
    // Configured, as for everybody who has installed one, and used by no file.
    beside.run().assert_code(0);
    beside.workspace.baton(&["worktree", "remove", "loop", "--discard-ignored"]).assert_code(0);
    fs::write(beside.workspace.root().join(".git/info/attributes"), "*.rot filter=rot13\n").unwrap();
    beside.assert_refused(
        &["run", "--isolation=worktree", "--branch=loop"],
        2,
        "error: files of the branch `loop` go through the filter `rot13`, which the built-in git does not run\n  \
         help: make the work tree with git, and start again: `git worktree add '/w/.git/baton/worktrees/loop' loop`",
    );
    fs::write(beside.workspace.root().join(".git/info/attributes"), "*.txt working-tree-encoding=UTF-16\n")
        .unwrap();
    let encoded = beside.run().assert_code(2);
    assert!(encoded.stderr.contains("go through the filter `working-tree-encoding`, "), "{}", encoded.stderr);
    fs::remove_file(beside.workspace.root().join(".git/info/attributes")).unwrap();
    let tree = beside.tree();
    beside.workspace.git(&["worktree", "add", "--quiet", tree.to_str().unwrap(), "loop"]);
    beside.run().assert_code(0);
    beside.assert_whole(2);
}

/// Its files are all there: they are committed, and the agent is not asked again.
#[test]
fn a_link_that_the_agent_deleted_is_mended_and_the_turn_goes_on() {
    let beside = Beside::new();
    beside.workspace.script_once("ralph", "work; rm .git");
    beside.run().assert_code(1).assert_says("is gone, or no longer linked to its repository");
    let doctor = beside.workspace.baton(&["doctor", "--branch=loop"]).assert_code(1);
    let said = beside.said(&doctor.stdout);
    let finding =
        "the turns' work tree `/w/.git/baton/worktrees/loop` is gone, or no longer linked to its repository";
    assert!(said.contains(finding), "{said}");
    beside.run().assert_code(0);
    beside.assert_whole(1);
    assert_eq!(beside.workspace.effects().starts().len(), 2);
}

/// Git can be told to have a branch twice; then no turn is begun.
#[test]
fn a_branch_that_is_forced_into_another_tree_stops_the_turns() {
    let beside = Beside::new();
    let head = beside.workspace.root().join(".git/HEAD").display().to_string();
    beside.workspace.script_once("galph", &format!("work; echo 'ref: refs/heads/loop' > {head}"));
    let ended = beside.run().assert_code(2);
    let said = beside.said(&ended.stderr);
    assert!(
        said.contains(
            "error: the branch `loop` is checked out at `/w`, and git has a branch in one work tree"
        ),
        "{said}"
    );
    beside.workspace.git(&["symbolic-ref", "HEAD", "refs/heads/main"]);
    beside.run().assert_code(0);
    beside.assert_whole(1);
}

#[test]
fn a_tree_that_is_on_another_branch_is_neither_used_nor_removed() {
    let beside = Beside::new();
    beside.run().assert_code(0);
    beside.git(&["switch", "--quiet", "--create", "other"]);
    beside.assert_refused(
        &["run", "--isolation=worktree", "--branch=loop"],
        2,
        "error: the branch is `other`, not `loop` as asked for; run `git switch loop`, or change `--branch`\n  \
         help: this is about the turns' own work tree, /w/.git/baton/worktrees/loop",
    );
    beside.assert_refused(
        &["worktree", "remove", "loop"],
        2,
        "error: the branch is `other`, not `loop` as asked for; run `git switch loop`, or change `--branch`\n  \
         help: this is about the turns' own work tree, /w/.git/baton/worktrees/loop",
    );
    beside.git(&["switch", "--quiet", "loop"]);
    // From within, nothing needs to be said of branch or isolation.
    let tree = beside.tree().display().to_string();
    let within = beside.workspace.baton(&["-C", &tree, "run", "--sync-loops=1"]).assert_code(0);
    assert!(!within.stderr.contains("note: turns run on"), "{}", within.stderr);
    beside.assert_refused(
        &["-C", &tree, "worktree", "remove", "loop"],
        2,
        "error: `/w/.git/baton/worktrees/loop` is where this was started\n  help: start it from your own work tree",
    );
    beside.git(&["branch", "--quiet", "--delete", "other"]);
    beside.assert_whole(2);
}

#[test]
fn an_entry_that_a_person_has_locked_is_left_alone() {
    let beside = Beside::new();
    beside.run().assert_code(0);
    let tree = beside.tree().display().to_string();
    beside.workspace.git(&["worktree", "unlock", &tree]);
    beside.workspace.git(&["worktree", "lock", "--reason=on the other disk", &tree]);
    beside.run().assert_code(0);
    fs::remove_dir_all(beside.tree()).unwrap();
    beside.assert_refused(
        &["run", "--isolation=worktree", "--branch=loop"],
        2,
        "error: the turns' work tree `/w/.git/baton/worktrees/loop` is gone, and its entry in git is locked \
         (on the other disk)\n  \
         help: bring it back, or `git worktree unlock '/w/.git/baton/worktrees/loop'`, then start again",
    );
    beside.workspace.git(&["worktree", "unlock", &tree]);
    beside.run().assert_code(0);
    beside.assert_whole(3);
}

/// A tree that a person has taken away is theirs, also when it leaves the branch.
#[test]
fn a_tree_that_a_person_has_moved_is_theirs() {
    let beside = Beside::new();
    beside.run().assert_code(0);
    let away = beside.workspace.root().with_file_name("away");
    let (tree, away) = (beside.tree().display().to_string(), away.display().to_string());
    beside.workspace.git(&["worktree", "move", "--force", "--force", &tree, &away]);
    let refused = beside.run().assert_code(2);
    let place = Path::new(&away).canonicalize().unwrap();
    refused.assert_says(&format!("the branch `loop` is checked out at `{}`", place.display()));
    beside.workspace.git(&["-C", &away, "switch", "--quiet", "--detach"]);
    beside.run().assert_code(0);
    assert_eq!(beside.workspace.git(&["-C", &away, "status", "--porcelain"]), "?? sync/\n");
    beside.assert_whole(2);
}

#[test]
fn the_list_is_of_this_repository() {
    let beside = Beside::new();
    let list = beside.workspace.baton(&["worktree", "list"]).assert_code(0);
    assert_eq!(
        list.stdout,
        "There is no isolated loop in this repository; `baton run --isolation worktree --branch NAME` begins one.\n"
    );
    beside.run().assert_code(0);
    let list = beside.workspace.baton(&["worktree", "list", "--json"]).assert_code(0);
    assert_eq!(
        beside.said(&list.stdout),
        "{\"worktrees\":[{\"branch\":\"loop\",\"status\":\"present\",\
         \"tree\":\"/w/.git/baton/worktrees/loop\",\"records\":\"/w/.git/baton/isolated/loop\"}]}\n"
    );
    fs::remove_dir_all(beside.tree()).unwrap();
    let list = beside.workspace.baton(&["worktree", "list"]).assert_code(0);
    assert_eq!(beside.said(&list.stdout), "loop  missing     /w/.git/baton/worktrees/loop\n");
    let outside = beside.workspace.root().join("..").canonicalize().unwrap();
    let ended = beside.workspace.baton(&["-C", outside.to_str().unwrap(), "worktree", "list"]).assert_code(2);
    assert_eq!(
        ended.stderr,
        format!(
            "error: `{}` is not inside a git repository\n  help: `-C DIR` chooses another directory\n",
            outside.display()
        )
    );
}

/// Killed wherever the tree is being made, the next start makes it whole.
#[rstest]
fn a_kill_while_the_tree_is_made_is_made_good(
    #[values("tree:begin", "tree:registered", "tree:joined", "tree:files", "tree:done")] place: &str,
) {
    let beside = Beside::new();
    beside.workspace.crash(&LOOP, place);
    beside.assert_persons();
    beside.run().assert_code(0);
    beside.assert_whole(1);
}

/// The same where a turn was open, which then goes on.
#[rstest]
fn a_kill_in_a_turn_is_gone_on_with(
    #[values(
        "claimed:begin",
        "running:go",
        "running:done",
        "committed:begin",
        "committed:effect",
        "stamped:begin"
    )]
    place: &str,
) {
    let beside = Beside::new();
    beside.workspace.crash(&LOOP, place);
    beside.run().assert_code(0);
    beside.assert_whole(1);
}

#[test]
fn a_tree_that_was_deleted_between_turns_is_made_again_with_its_state() {
    let beside = Beside::new();
    beside.run().assert_code(0);
    beside.workspace.baton(&["hold", "set", "pause", "--reason=look", "--branch=loop"]).assert_code(0);
    fs::remove_dir_all(beside.tree()).unwrap();
    beside.assert_refused(
        &["status", "--branch=loop"],
        2,
        "error: the work tree of the isolated loop on `loop` is not there: /w/.git/baton/worktrees/loop\n  \
         help: `baton run --isolation worktree --branch loop` makes it and goes on where the loop was",
    );
    // What was set by hand is known too: nobody acts.
    let held = beside.run().assert_code(4);
    assert!(held.stderr.contains("held: look (pause)"), "{}", held.stderr);
    let id = beside.state()["holds"][0]["id"].as_str().unwrap().to_owned();
    beside.workspace.baton(&["hold", "clear", &id, "--branch=loop"]).assert_code(0);
    beside.run().assert_code(0);
    beside.assert_whole(2);
}

#[rstest]
#[case("tree:registered")]
#[case("tree:files")]
#[case("tree:done")]
fn a_kill_while_a_deleted_tree_is_made_again_loses_no_state(#[case] place: &str) {
    let beside = Beside::new();
    beside.run().assert_code(0);
    fs::remove_dir_all(beside.tree()).unwrap();
    beside.workspace.crash(&LOOP, place);
    beside.run().assert_code(0);
    beside.assert_whole(2);
}

#[test]
fn without_the_copy_the_journal_knows_the_state() {
    let beside = Beside::new();
    beside.run().assert_code(0);
    fs::remove_dir_all(beside.tree()).unwrap();
    fs::remove_file(beside.workspace.root().join(".git/baton/isolated/loop/state.json")).unwrap();
    beside.run().assert_code(0);
    beside.assert_whole(2);
}

/// What the agent did is gone with the tree; what must not happen is that its absence is committed.
#[test]
fn a_tree_that_is_deleted_in_mid_turn_commits_no_deletions() {
    let beside = Beside::new();
    beside.workspace.prepare_release();
    beside.workspace.script_once("ralph", "wait_for_release; echo gone");
    let running = beside.workspace.start(&LOOP, None);
    beside.workspace.await_waiting("ralph");
    fs::remove_dir_all(beside.tree()).unwrap();
    beside.workspace.release();
    let ended = running.wait().assert_code(1);
    let said = beside.said(&ended.stderr);
    assert_eq!(
        said[said.find("error: ").unwrap()..].trim_end(),
        "error: the turns' work tree `/w/.git/baton/worktrees/loop` is gone, or no longer linked to its repository\n  \
         help: `baton run` makes or mends it, and goes on with the turn; what was committed and the state are safe\n  \
         help: this is about the turns' own work tree, /w/.git/baton/worktrees/loop"
    );
    beside.workspace.await_quiet();
    // The turn ends without a change, which is ralph's second start's business.
    beside.run().assert_code(0);
    let listed = beside.workspace.git(&["ls-tree", "-r", "--name-only", "loop"]);
    for path in ["prompts/main.md", "orchestration.yaml", "docs/fix_plan.md", "plans/plan-1.md"] {
        assert!(listed.lines().any(|line| line == path), "{path} is not in\n{listed}");
    }
    beside.assert_persons();
    assert_eq!(beside.workspace.effects().starts_of("ralph", 1).len(), 1);
}

/// The tree as somebody left it: files that are gone come back, changes stay.
#[rstest]
#[case::link("link", "note: linked the work tree to its repository again, and put back what was missing: ")]
#[case::pruned("entry", "note: gave the work tree back its entry in git, and put back what was missing: ")]
#[case::moved("moved", "note: linked the work tree to its repository again: ")]
fn a_broken_link_is_mended(#[case] what: &str, #[case] note: &str) {
    let beside = Beside::new();
    beside.run().assert_code(0);
    let tree = beside.tree();
    beside.workspace.baton(&["stop", "--branch=loop"]).assert_code(0);
    fs::write(tree.join("src/counter.rs"), "changed by hand\n").unwrap();
    match what {
        "link" => {
            fs::remove_file(tree.join(".git")).unwrap();
            fs::remove_file(tree.join("prompts/router.md")).unwrap();
        }
        "entry" => fs::remove_dir_all(beside.workspace.root().join(".git/worktrees/baton-loop")).unwrap(),
        _ => {
            fs::write(tree.join(".git"), "gitdir: /elsewhere/.git/worktrees/baton-loop\n").unwrap();
            let entry = beside.workspace.root().join(".git/worktrees/baton-loop/gitdir");
            fs::write(entry, "/elsewhere/.git/baton/worktrees/loop/.git\n").unwrap();
        }
    }
    let ended = beside.run().assert_code(0);
    assert!(ended.stderr.starts_with(note), "{}", ended.stderr);
    assert_eq!(fs::read_to_string(tree.join("src/counter.rs")).unwrap(), "changed by hand\n");
    assert_eq!(beside.git(&["status", "--porcelain"]), " M src/counter.rs\n?? sync/\n");
    beside.git(&["checkout", "--", "src/counter.rs"]);
    beside.workspace.baton(&["stop", "--clear", "--branch=loop"]).assert_code(0);
    beside.run().assert_code(0);
    beside.assert_whole(2);
}

/// The copy's work tree points to the original's entry; turns there must not commit into the original.
#[test]
fn a_copy_of_a_repository_leaves_the_original_alone() {
    let beside = Beside::new();
    beside.run().assert_code(0);
    let root = beside.workspace.root();
    let copy = root.with_file_name("copy");
    let copied = Command::new("cp").arg("-a").args([&root, &copy]).status().unwrap();
    assert!(copied.success());
    let before = read_all(&root);
    let copy = copy.to_str().unwrap();
    beside.workspace.baton(&[&["-C", copy, "run"], LOOP.as_slice()].concat()).assert_code(0);
    assert_eq!(read_all(&root), before);
    let log = beside.workspace.git(&["-C", copy, "log", "--format=%s", "main~..loop"]);
    assert_eq!(log.lines().count(), 4, "{log}");
}

#[test]
fn a_kill_while_a_link_is_mended_never_makes_deletions_of_missing_files() {
    for place in ["tree:begin", "tree:joined", "tree:files", "tree:done"] {
        let beside = Beside::new();
        beside.run().assert_code(0);
        for name in [".git", "prompts/router.md"] {
            fs::remove_file(beside.tree().join(name)).unwrap();
        }
        beside.workspace.crash(&LOOP, place);
        beside.run().assert_code(0);
        beside.assert_whole(2);
    }
}

#[test]
fn git_itself_keeps_a_person_from_the_branch_while_the_loop_has_it() {
    let beside = Beside::new();
    beside.workspace.prepare_release();
    beside.workspace.script_once("ralph", "wait_for_release; work");
    let running = beside.workspace.start(&LOOP, None);
    beside.workspace.await_waiting("ralph");
    let switch = Command::new("git")
        .args(["switch", "loop"])
        .current_dir(beside.workspace.root())
        .env_clear()
        .envs(beside.workspace.environment())
        .output()
        .unwrap();
    assert!(!switch.status.success());
    // Nor does a second loop have it, from the person's tree or from within.
    let second = beside.run().assert_code(1);
    assert!(second.stderr.contains("another baton is at work here"), "{}", second.stderr);
    let tree = beside.tree().display().to_string();
    let within = beside.workspace.baton(&["-C", &tree, "run"]).assert_code(1);
    assert!(within.stderr.contains("another baton is at work here"), "{}", within.stderr);
    beside.workspace.release();
    running.wait().assert_code(0);
    beside.assert_whole(1);
}

#[test]
fn a_loop_of_the_persons_own_tree_runs_beside_it() {
    let beside = Beside::new();
    beside.workspace.prepare_release();
    beside.workspace.script_once("ralph", "wait_for_release; work");
    let running = beside.workspace.start(&LOOP, None);
    beside.workspace.await_waiting("ralph");
    beside.workspace.run(&["--sync-loops=1"]).assert_code(0);
    assert_eq!(beside.workspace.state()["iteration"], 2);
    beside.workspace.release();
    running.wait().assert_code(0);
    assert_eq!(beside.state()["iteration"], 2);
}

#[test]
fn the_loop_is_seen_and_stopped_from_the_persons_tree() {
    let beside = Beside::new();
    beside.run().assert_code(0);
    let status = beside.workspace.baton(&["status", "--branch=loop"]).assert_code(0);
    let said = beside.said(&status.stdout);
    assert!(said.starts_with("Workspace   /w/.git/baton/worktrees/loop\n"), "{said}");
    assert!(said.contains("Next        baton run --isolation worktree --branch loop\n"), "{said}");
    let here = beside.workspace.baton(&["status"]).assert_code(0);
    let said = beside.said(&here.stdout);
    assert!(
        said.contains("Isolated    /w/.git/baton/worktrees/loop: `baton status --branch loop` tells of it\n"),
        "{said}"
    );
    let logs = beside.workspace.baton(&["logs", "-n1", "--branch=loop"]).assert_code(0);
    assert!(logs.stdout.contains("ralph worked"), "{}", logs.stdout);
    assert_eq!(beside.said(&logs.stderr), "note: these logs lie below /w/.git/baton/worktrees/loop\n");
    beside.workspace.baton(&["stop", "--reason=enough", "--branch=loop"]).assert_code(0);
    let status = beside.workspace.baton(&["status", "--branch=loop"]).assert_code(0);
    assert!(status.stdout.contains("baton stop --clear --branch loop"), "{}", status.stdout);
    let stopped = beside.run().assert_code(0);
    assert!(stopped.stdout.contains("stopped: enough"), "{}", stopped.stdout);
    beside.workspace.baton(&["-C", beside.tree().to_str().unwrap(), "stop", "--clear"]).assert_code(0);
    beside.workspace.baton(&["doctor", "--branch=loop"]).assert_code(0);
    let shown = beside.workspace.baton(&["config", "show", "--branch=loop"]).assert_code(0);
    assert!(shown.stdout.contains("isolation: none"), "{}", shown.stdout);
    beside.run().assert_code(0);
    beside.assert_whole(2);
}

/// Where the configuration says so, the only loop that there is needs no name, and several are told apart.
#[test]
fn the_configuration_alone_finds_the_only_loop() {
    let beside = Beside::new();
    beside.run().assert_code(0);
    let yaml = beside.workspace.read("orchestration.yaml").unwrap();
    beside.workspace.write("orchestration.yaml", &yaml.replace("turn: {", "turn: { isolation: worktree,"));
    let status = beside.workspace.baton(&["status"]).assert_code(0);
    let said = beside.said(&status.stdout);
    assert!(said.starts_with("Workspace   /w/.git/baton/worktrees/loop\n"), "{said}");
    assert!(said.contains("Next        baton run --branch loop\n"), "{said}");
    beside.assert_refused(
        &["run"],
        2,
        "error: `turn.isolation: worktree` needs the name of a branch for the turns: `main` is your own\n  \
         help: `baton run --branch loop` goes on with the isolated loop that there is",
    );
    beside.workspace.git(&["branch", "more/turns", "loop"]);
    beside.workspace.run(&["--branch=more/turns", "--sync-loops=1"]).assert_code(0);
    beside.assert_refused(
        &["status"],
        2,
        "error: there are isolated loops on `loop`, `more/turns`\n  help: choose one with `--branch NAME`",
    );
    beside.assert_refused(
        &["stop", "--branch=other"],
        2,
        "error: there is no isolated loop on `other`\n  help: there is one on `loop`, `more/turns`",
    );
}

#[test]
fn a_tree_with_anything_in_it_is_not_removed_and_an_empty_one_is() {
    let beside = Beside::new();
    beside.run().assert_code(0);
    let tree = beside.tree();
    let remove = ["worktree", "remove", "loop"];
    fs::write(tree.join("new.txt"), "new").unwrap();
    beside.assert_refused(
        &remove,
        2,
        "error: `/w/.git/baton/worktrees/loop` holds what is not committed: new.txt\n  \
         help: commit it or throw it away, in `/w/.git/baton/worktrees/loop`",
    );
    fs::remove_file(tree.join("new.txt")).unwrap();
    beside.assert_refused(
        &remove,
        2,
        "error: `/w/.git/baton/worktrees/loop` holds ignored files: secrets/\n  \
         help: copy what you want to keep; `--discard-ignored` removes them with the work tree",
    );
    fs::create_dir(tree.join("other")).unwrap();
    beside.git(&["init", "--quiet", "other"]);
    beside.assert_refused(
        &remove,
        2,
        "error: `/w/.git/baton/worktrees/loop` holds a repository of its own: other/\n  \
         help: move it away; for a submodule, `git submodule deinit` there",
    );
    fs::remove_dir_all(tree.join("other")).unwrap();
    assert!(tree.join("secrets/key.json").exists());
    let removed = beside.workspace.baton(&["worktree", "remove", "loop", "--discard-ignored"]).assert_code(0);
    assert_eq!(
        beside.said(&removed.stdout),
        "Removed /w/.git/baton/worktrees/loop; the branch, the state and the logs are kept.\n\
         `baton run --isolation worktree --branch loop` makes it again and goes on.\n"
    );
    assert!(!tree.exists());
    let list = beside.workspace.git(&["worktree", "list"]);
    assert_eq!(list.lines().count(), 1, "{list}");
    let list = beside.workspace.baton(&["worktree", "list"]).assert_code(0);
    assert_eq!(beside.said(&list.stdout), "loop  removed     /w/.git/baton/worktrees/loop\n");
    // It comes back where it was, logs and all.
    beside.run().assert_code(0);
    beside.assert_whole(2);
    let logs = beside.workspace.baton(&["logs", "-n0", "--branch=loop"]).assert_code(0);
    assert!(logs.stdout.contains("galph iteration 1") && logs.stdout.contains("galph iteration 2"));
}

#[rstest]
fn a_kill_while_a_tree_is_removed_is_made_good(
    #[values("tree:unused", "tree:removing", "tree:removed")] place: &str,
    #[values("remove", "run")] next: &str,
) {
    let beside = Beside::new();
    beside.run().assert_code(0);
    let remove = ["worktree", "remove", "loop", "--discard-ignored"];
    beside.workspace.spawn(&[], &remove, Some(("BATON_CRASH_AT", place))).wait().assert_killed();
    if next == "remove" {
        beside.workspace.baton(&remove).assert_code(0);
        assert!(!beside.tree().exists());
    }
    beside.run().assert_code(0);
    beside.assert_whole(2);
}

#[test]
fn a_tree_with_an_open_turn_is_not_removed() {
    let beside = Beside::new();
    beside.workspace.crash(&LOOP, "running:done");
    beside.assert_refused(
        &["worktree", "remove", "loop"],
        2,
        "error: galph's turn of iteration 1 has not ended\n  \
         help: `baton run` ends the turn; `baton stop` before it keeps the next from beginning",
    );
    beside.run().assert_code(0);
    beside.assert_whole(1);
}

#[test]
fn a_workspace_below_the_root_and_a_persons_linked_tree_have_isolated_loops_too() {
    let beside = Beside::new();
    let root = beside.workspace.root();
    beside.workspace.git(&["worktree", "add", "--quiet", "-b", "side", "../side"]);
    let side = root.parent().unwrap().join("side");
    let side = side.to_str().unwrap();
    let run = ["run", "--isolation=worktree", "--branch=loop", "--sync-loops=1"];
    beside.workspace.baton(&[&["-C", side], run.as_slice()].concat()).assert_code(0);
    assert_eq!(beside.state()["iteration"], 2);

    beside.workspace.git(&["switch", "--quiet", "--create=below", "--discard-changes", "main"]);
    let yaml = beside.workspace.read("orchestration.yaml").unwrap();
    beside.workspace.write("sub/orchestration.yaml", &yaml);
    for prompt in ["supervisor", "main"] {
        beside.workspace.write(&format!("sub/prompts/{prompt}.md"), "Work.\n");
    }
    let sub = root.join("sub");
    let run = ["-C", sub.to_str().unwrap(), "run", "--isolation=worktree", "--branch=loop", "--sync-loops=1"];
    beside.assert_refused(
        &run,
        2,
        "error: the branch `loop` has no directory `sub`\n  \
         help: commit the workspace there too, or start from the workspace that the branch has",
    );
    beside.workspace.git(&["add", "sub"]);
    beside.workspace.git(&["commit", "--quiet", "--message=sub", "--", "sub"]);
    beside.workspace.git(&["branch", "deep"]);
    let mut run = run;
    run[4] = "--branch=deep";
    beside.workspace.baton(&run).assert_code(0);
    let tree = Path::new(".git/baton/worktrees/deep/sub/src/made-1.rs");
    assert!(root.join(tree).exists());
}

/// The points inside a turn are the same as without isolation; the default suite kills at those of the work tree.
#[cfg(feature = "faults")]
#[test]
fn an_isolated_turn_that_is_killed_anywhere_is_carried_on_beside_the_person() {
    let mut killed = 0;
    for (place, _) in crate::faults::POINTS {
        // No `verify` commands are configured here.
        if place.starts_with("baseline") || place.starts_with("verified") {
            continue;
        }
        for nth in ["#1", "#2"] {
            let beside = Beside::new();
            beside.workspace.crash(&LOOP, &format!("{place}{nth}"));
            beside.run().assert_code(0);
            let over = *place == "close:done" && nth == "#2";
            let iterations = if over { 2 } else { 1 };
            beside.assert_whole(iterations);
            assert_eq!(beside.workspace.effects().starts().len() as u64, 2 * iterations, "{place}{nth}");
            killed += 1;
        }
    }
    assert_eq!(killed, 38);
}
