//! What a turn commits, in which commit, and what `--commit-dry-run` says instead.

use rstest::rstest;

use crate::scratch::{Run, Scratch};

/// Changes something in every category.
const WORKING: &str = "```sh
mkdir -p src docs plans/active/reports tests/fixtures logs/reports tmp
echo \"fn step_$BATON_ITERATION() {}\" >> src/lib.rs
echo \"- [x] step $BATON_ITERATION\" >> docs/fix_plan.md
echo \"step $BATON_ITERATION took 3 ms\" > plans/active/reports/step-$BATON_ITERATION.txt
echo \"[$BATON_ITERATION]\" > tests/fixtures/golden.json
echo noise > logs/reports/run.txt
```
";

fn scratch(main: &str) -> Scratch {
    let scratch = Scratch::new();
    scratch.write("prompts/supervisor.md", "```sh\necho \"- $BATON_ITERATION\" >> galph_memory.md\n```\n");
    scratch.write("prompts/main.md", main);
    scratch.write("tests/fixtures/golden.json", "[]\n");
    commit_all(&scratch);
    scratch
}

fn commit_all(scratch: &Scratch) {
    scratch.git(&["add", "--all", "--", ".", ":!sync"]);
    scratch.git(&["commit", "--quiet", "--message=set up"]);
}

fn run(scratch: &Scratch, flags: &[&str]) -> Run {
    let run = scratch.baton(&[&["run", "--sync-loops", "1"], flags].concat());
    assert_eq!(run.code, Some(0), "{run:?}");
    run
}

fn history(scratch: &Scratch) -> String {
    let log = scratch.git(&["log", "--reverse", "--format=> %s", "--name-status", "--find-renames"]);
    let (_, ours) = log.rsplit_once("> set up").unwrap();
    let ours = ours.split_once("\n> ").map(|(_, rest)| format!("> {rest}")).unwrap_or_default();
    ours.split_inclusive('\n').filter(|line| *line != "\n").collect()
}

const FOUR_COMMITS: &str = "> SUPERVISOR AUTO (prompt=supervisor.md) (iter=00001): doc/meta hygiene
A\tgalph_memory.md
> RALPH AUTO (prompt=main.md) (iter=00001): reports evidence
A\tplans/active/reports/step-1.txt
> RALPH AUTO (prompt=main.md) (iter=00001): tracked outputs
M\ttests/fixtures/golden.json
> RALPH AUTO (prompt=main.md) (iter=00001): doc/meta hygiene
A\tdocs/fix_plan.md
> RALPH AUTO (prompt=main.md) (iter=00001): work
A\tsrc/lib.rs
";

#[test]
fn each_purpose_has_its_commit() {
    let scratch = scratch(WORKING);
    run(&scratch, &[]);
    assert_eq!(history(&scratch), FOUR_COMMITS);
    assert_eq!(scratch.git(&["status", "--porcelain"]), "?? sync/\n");
    scratch.git(&["fsck", "--strict"]);
}

#[test]
fn a_dry_run_says_what_would_be_committed_and_the_next_run_commits_it() {
    let scratch =
        scratch(&format!("{WORKING}\n```sh\nmkdir -p other; git init -q other; echo x > other/x\n```\n"));
    scratch.write("mine.txt", "draft\n");
    let head = scratch.git(&["rev-parse", "HEAD"]);
    let dry = run(&scratch, &["--commit-dry-run", "--quiet"]);
    assert_eq!(
        dry.stdout.split("\niter ").next().unwrap(),
        "would commit: SUPERVISOR AUTO (prompt=supervisor.md) (iter=00001): doc/meta hygiene
  A galph_memory.md
left alone:
  mine.txt: it was changed before the turn and not during it
would commit: RALPH AUTO (prompt=main.md) (iter=00001): reports evidence
  A plans/active/reports/step-1.txt
would commit: RALPH AUTO (prompt=main.md) (iter=00001): tracked outputs
  M tests/fixtures/golden.json
would commit: RALPH AUTO (prompt=main.md) (iter=00001): doc/meta hygiene
  A docs/fix_plan.md
would commit: RALPH AUTO (prompt=main.md) (iter=00001): work
  A src/lib.rs
left alone:
  galph_memory.md: it was changed before the turn and not during it
  mine.txt: it was changed before the turn and not during it
  other: it is a repository of its own"
    );
    assert!(
        dry.stderr.starts_with(
            "note: flag --commit-dry-run: turns are taken as usual and nothing is committed; a later run without it \
             commits what they leave\n"
        ),
        "{dry:?}"
    );
    assert_eq!(scratch.git(&["rev-parse", "HEAD"]), head);
    // The next run starts from what the turns left: it is theirs, not a person's.
    scratch.write("prompts/supervisor.md", "```sh\ntrue\n```\n");
    scratch.write("prompts/main.md", "```sh\ntrue\n```\n");
    scratch.git(&["commit", "--quiet", "--message=idle prompts", "prompts"]);
    let real = run(&scratch, &[]);
    assert!(
        real.stderr.contains("uncommitted before this turn, and left alone: mine.txt; a turn that"),
        "{real:?}"
    );
    let expected = FOUR_COMMITS.replace("iter=00001", "iter=00002");
    assert_eq!(history(&scratch).split_once("> SUPERVISOR").unwrap().1, &expected["> SUPERVISOR".len()..]);
    assert_eq!(scratch.git(&["status", "--porcelain"]), "?? mine.txt\n?? other/\n?? sync/\n");
}

#[test]
fn turns_of_a_dry_run_build_on_each_other_and_on_the_other_seats() {
    let main = "```sh\necho \"ralph $BATON_ITERATION\" >> notes.txt\necho seen >> galph_memory.md\n```\n";
    let scratch = scratch(main);
    let dry = scratch.baton(&["run", "--sync-loops", "2", "--commit-dry-run", "--quiet"]);
    assert_eq!(dry.code, Some(0), "{dry:?}");
    let last =
        dry.stdout.rsplit_once("would commit: RALPH AUTO (prompt=main.md) (iter=00002): doc").unwrap().1;
    assert!(last.starts_with("/meta hygiene\n  A galph_memory.md\nwould commit: RALPH"), "{dry:?}");
    assert_eq!(scratch.git(&["log", "--oneline"]).lines().count(), 2);
    run(&scratch, &[]);
    assert_eq!(scratch.git(&["show", "HEAD:notes.txt"]), "ralph 1\nralph 2\nralph 3\n");
    assert_eq!(scratch.git(&["show", "HEAD:galph_memory.md"]), "- 1\nseen\n- 2\nseen\n- 3\nseen\n");
    assert_eq!(scratch.git(&["status", "--porcelain"]), "?? sync/\n");
}

#[test]
fn a_dry_run_stops_where_a_real_one_would() {
    let scratch = scratch("```sh\necho more >> mine.txt\necho x > new.txt\n```\n");
    scratch.write("mine.txt", "draft\n");
    let dry = scratch.baton(&["run", "--sync-loops", "1", "--commit-dry-run", "--quiet"]);
    assert_eq!(dry.code, Some(5), "{dry:?}");
    let kept = scratch.git(&["for-each-ref", "--format=%(refname)", "refs/baton-rescue/*/files"]);
    assert!(
        dry.stdout.replace(kept.trim(), "KEPT").ends_with(
            "would commit: RALPH AUTO (prompt=main.md) (iter=00001): work\n  A new.txt\nleft alone:\n  galph_memory.md: it was \
             changed before the turn and not during it\nrefused, so that nothing is committed:\n  mine.txt: it had changes \
             before the turn, and was changed again during it; what it held before is kept: `git restore --source=KEPT -- \
             mine.txt`\n"
        ),
        "{dry:?}"
    );
    assert_eq!(scratch.git(&["log", "--oneline"]).lines().count(), 2);
}

#[rstest]
#[case::nothing(&[], "A\treports/kept.txt\n")]
#[case::named(&["orchestration"], "A\tout/a.json\nA\treports/kept.txt\n")]
fn an_ignored_file_is_added_only_where_it_is_named(#[case] named: &[&str], #[case] expected: &str) {
    let scratch = scratch(
        "```sh\nmkdir -p out reports\necho 1 > out/a.json\necho 2 > out/a.key\necho 3 > reports/kept.txt\n\
         head -c 6000000 /dev/zero > out/large.json\n```\n",
    );
    scratch.write(".gitignore", "out/\n");
    let more = if named.is_empty() { "" } else { "publish: { reports: { force_add: ['out/**'] } }\n" };
    scratch.write("orchestration.yaml", format!("agent: {{ default: shell }}\n{more}"));
    commit_all(&scratch);
    let run = run(&scratch, &["--force-add-reports"]);
    let said = "note: flag --force-add-reports: ignored files are not added, since `publish.reports.force_add` names none\n";
    assert_eq!(run.stderr.contains(said), named.is_empty(), "{run:?}");
    assert_eq!(
        run.stderr.contains(
            "warning: changed and not committed: out/large.json: its 6000000 bytes are over the 5MiB that `reports evidence` \
             allows for a file\n"
        ),
        !named.is_empty(),
        "{run:?}"
    );
    let reports = "> RALPH AUTO (prompt=main.md) (iter=00001): reports evidence\n";
    assert_eq!(history(&scratch).split_once(reports).unwrap().1, expected);
}

#[test]
fn galphs_changes_outside_its_categories_are_a_warning() {
    let scratch = scratch("```sh\ntrue\n```\n");
    scratch.write("prompts/supervisor.md", "```sh\necho x > src.rs\ngit mv galph_memory.md old.md\n```\n");
    scratch.write("galph_memory.md", "what galph knows\n");
    commit_all(&scratch);
    let run = run(&scratch, &["--tolerate-doc-dirty"]);
    let warnings: Vec<&str> = run.stderr.lines().filter(|line| line.contains("not committed:")).collect();
    assert_eq!(
        warnings,
        [
            "warning: changed and not committed: galph_memory.md: it was moved to old.md, which is not committed; old.md: no \
             category of galph's turn is meant for it; src.rs: no category of galph's turn is meant for it"
        ]
    );
    assert_eq!(history(&scratch), "");
}

#[test]
fn a_turn_that_changes_the_ignore_file_publishes_nobodys_keys() {
    let scratch = scratch("```sh\necho '*.o' > .gitignore\necho x > made.txt\necho o > made.o\n```\n");
    scratch.write(".gitignore", "keys/\n");
    commit_all(&scratch);
    scratch.write("keys/production.txt", "a secret\n");
    let run = run(&scratch, &[]);
    assert!(
        run.stderr.contains(
            "warning: changed and not committed: keys/production.txt: git ignored it when the turn began\n"
        ),
        "{run:?}"
    );
    assert_eq!(
        history(&scratch).split_once("> RALPH").unwrap().1,
        " AUTO (prompt=main.md) (iter=00001): doc/meta hygiene\nM\t.gitignore\n> RALPH AUTO (prompt=main.md) (iter=00001): \
         work\nA\tmade.txt\n"
    );
}

#[test]
fn what_ralph_moves_is_one_rename_in_one_commit() {
    let scratch = scratch(
        "```sh\ntest -e notes.md || exit 0\nmkdir -p plans/reports\nmv notes.md plans/reports/notes.md\nmv draft.py final.py\n```\n",
    );
    scratch.write("notes.md", "what was measured\n");
    scratch.write("draft.py", "print('a script')\n");
    commit_all(&scratch);
    run(&scratch, &["--commit-dry-run"]);
    let dry = run(&scratch, &["--commit-dry-run", "--quiet"]);
    assert!(
        dry.stdout.contains(
            "would commit: RALPH AUTO (prompt=main.md) (iter=00002): reports evidence\n  R notes.md -> plans/reports/notes.md\n\
             would commit: RALPH AUTO (prompt=main.md) (iter=00002): work\n  R draft.py -> final.py\n"
        ),
        "{dry:?}"
    );
    run(&scratch, &[]);
    assert_eq!(
        history(&scratch).split_once("> RALPH").unwrap().1,
        " AUTO (prompt=main.md) (iter=00003): reports evidence\nR100\tnotes.md\tplans/reports/notes.md\n\
         > RALPH AUTO (prompt=main.md) (iter=00003): work\nR100\tdraft.py\tfinal.py\n"
    );
}

#[test]
fn a_failed_turn_that_committed_the_ignore_file_itself_publishes_nobodys_keys_later() {
    let scratch = scratch(
        "```sh\ntest -e ../pass && exit 0\necho '*.o' > .gitignore\ngit add .gitignore\ngit commit -qm mine\necho x > made.txt\n\
         exit 3\n```\n",
    );
    scratch.write(".gitignore", "keys/\n");
    commit_all(&scratch);
    scratch.write("keys/production.txt", "a secret\n");
    let failed = scratch.baton(&["run", "--sync-loops", "1"]);
    assert_eq!(failed.code, Some(5), "{failed:?}");
    std::fs::write(scratch.root().join("../pass"), "").unwrap();
    run(&scratch, &[]);
    assert_eq!(
        history(&scratch).split_once("> mine").unwrap().1,
        "\nM\t.gitignore\n> RALPH AUTO (prompt=main.md) (iter=00001): work\nA\tmade.txt\n"
    );
    assert_eq!(scratch.git(&["status", "--porcelain"]), "?? keys/\n?? sync/\n");
}

#[test]
fn a_forced_report_is_output_even_if_it_was_there_before() {
    let scratch = scratch("```sh\necho \"$BATON_ITERATION\" > out/rewritten.json\n```\n");
    scratch.write(".gitignore", "out/\n");
    scratch.write(
        "orchestration.yaml",
        "agent: { default: shell }\npublish: { reports: { force_add: ['out/*.json'] } }\n",
    );
    commit_all(&scratch);
    scratch.write("out/rewritten.json", "0\n");
    scratch.write("out/idle.json", "0\n");
    run(&scratch, &[]);
    run(&scratch, &[]);
    assert_eq!(
        history(&scratch)
            .lines()
            .filter(|line| line.contains("out/") || line.contains("reports"))
            .collect::<Vec<_>>(),
        [
            "> SUPERVISOR AUTO (prompt=supervisor.md) (iter=00001): reports evidence",
            "A\tout/idle.json",
            "A\tout/rewritten.json",
            "> RALPH AUTO (prompt=main.md) (iter=00001): reports evidence",
            "M\tout/rewritten.json",
            "> RALPH AUTO (prompt=main.md) (iter=00002): reports evidence",
            "M\tout/rewritten.json",
        ]
    );
}

/// Starts a run that kills itself at this place.
fn crash(scratch: &Scratch, flags: &[&str], place: &str) {
    let mut command = scratch.baton_command();
    let output =
        command.args(["run", "--sync-loops", "1"]).args(flags).env("BATON_CRASH_AT", place).output().unwrap();
    assert_eq!(output.status.code(), None, "{output:?}");
}

#[rstest]
#[case::before_it_is_said("committed:begin")]
#[case::after_it_was_said("committed:done")]
#[case::before_the_turn_is_closed("close:begin")]
#[case::after_it_was_closed("close:done")]
fn a_dry_run_that_is_killed_loses_nothing(#[case] place: &str) {
    let scratch = scratch(WORKING);
    crash(&scratch, &["--commit-dry-run"], place);
    run(&scratch, &["--commit-dry-run"]);
    assert_eq!(history(&scratch), "");
    run(&scratch, &[]);
    let history = history(&scratch);
    for path in ["galph_memory.md", "docs/fix_plan.md", "src/lib.rs", "tests/fixtures/golden.json"] {
        assert!(history.contains(path), "{path}: {history}");
    }
    assert_eq!(scratch.git(&["status", "--porcelain"]), "?? sync/\n");
}

#[test]
fn a_turn_that_was_killed_before_its_commits_is_only_told_in_a_dry_run() {
    let scratch = scratch(WORKING);
    crash(&scratch, &[], "committed:effect");
    let dry = run(&scratch, &["--commit-dry-run", "--quiet"]);
    assert!(
        dry.stdout.starts_with(
            "would commit: SUPERVISOR AUTO (prompt=supervisor.md) (iter=00001): doc/meta hygiene\n"
        ),
        "{dry:?}"
    );
    assert_eq!(history(&scratch), "");
    run(&scratch, &[]);
    assert_eq!(scratch.git(&["status", "--porcelain"]), "?? sync/\n");
}

#[test]
fn what_a_person_changes_after_a_dry_run_is_the_persons() {
    let scratch = scratch(
        "```sh\ntest -e theirs.txt || echo agent > theirs.txt\ntest -e ours.txt || echo agent > ours.txt\n```\n",
    );
    run(&scratch, &["--commit-dry-run"]);
    scratch.write("theirs.txt", "a person\n");
    let real = run(&scratch, &[]);
    assert!(
        real.stderr.contains("uncommitted before this turn, and left alone: theirs.txt; a turn that"),
        "{real:?}"
    );
    assert!(history(&scratch).contains("A\tours.txt\n"));
    assert_eq!(scratch.git(&["status", "--porcelain"]), "?? sync/\n?? theirs.txt\n");
}
