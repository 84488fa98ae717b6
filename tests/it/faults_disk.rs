//! A full disk and a read-only one, in a mount namespace of the test's own: root's rights do not get around these.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use rstest::rstest;

use crate::support::{Git, Workspace};

/// Free space at the start of the run, in KiB; each next one reaches a little further into the two turns.
const FREE: &[u32] = if cfg!(feature = "faults") {
    &[
        0, 4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120, 128, 136, 144, 152,
        160, 168, 176, 184, 192, 200, 208, 216, 224, 232, 240, 248, 256, 264, 272, 280, 288, 304, 320, 336,
        352, 384, 416, 448, 512, 640,
    ]
} else {
    &[0, 64, 128, 176, 256]
};

const AROUND: &str = r#"set -e
B=$1
run() { cd "$B/repo"; set +e; "$2" run --sync-loops=1 $3 > "$B/out" 2> "$B/err.$1"; echo $? > "$B/code.$1"; cd /; set -e; }
"#;

struct Seen {
    code: i32,
    stderr: String,
}

/// Runs the loop twice inside a namespace: `before` makes the fault, `between` takes it away.
fn run_twice(workspace: &Workspace, git: Git, before: &str, between: &str, after: &str) -> [Seen; 2] {
    let no_git = if git == Git::Avoided { "--no-git" } else { "" };
    let script =
        format!("{AROUND}{before}\nrun 1 \"$2\" {no_git}\n{between}\nrun 2 \"$2\" {no_git}\n{after}\n");
    let base = workspace.base();
    fs::create_dir_all(base.join("tmp")).unwrap();
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script, "sh"])
        .arg(base)
        .arg(env!("CARGO_BIN_EXE_baton"))
        .env_clear()
        .envs(workspace.environment())
        .env("TMPDIR", base.join("tmp"))
        .output()
        .expect("`unshare` runs; it is part of util-linux");
    assert!(
        output.status.success(),
        "this test needs a user and mount namespace (`sysctl kernel.unprivileged_userns_clone=1`, or a container with \
         that right): {}",
        String::from_utf8_lossy(&output.stderr)
    );
    ["1", "2"].map(|run| Seen {
        code: fs::read_to_string(base.join(format!("code.{run}"))).unwrap().trim().parse().unwrap(),
        stderr: fs::read_to_string(base.join(format!("err.{run}"))).unwrap(),
    })
}

#[test]
fn a_full_disk_costs_no_run_that_had_ended_and_the_same_command_goes_on() {
    let (mut failed, mut in_mid_turn) = (0, 0);
    let mut wrong = String::new();
    for free in FREE {
        let result = std::panic::catch_unwind(|| fill_and_restart(*free));
        match result {
            Ok((code, started)) => {
                failed += u32::from(code != 0);
                in_mid_turn += u32::from(code != 0 && started);
            }
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                let _ = writeln!(wrong, "== {free} KiB free: {text}");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(
        failed >= 2 && in_mid_turn >= 1,
        "{failed} full, {in_mid_turn} of them in a turn: the sweep is too coarse"
    );
}

/// The first exit code, and whether an agent had been started by then.
fn fill_and_restart(free: u32) -> (i32, bool) {
    let workspace = Workspace::new(Git::Used);
    for seat in ["galph", "ralph"] {
        // An agent that cannot write says so.
        workspace.script_once(seat, "set -e; work");
    }
    let before = format!(
        r#"cp -a "$B/repo" "$B/aside"
mount -t tmpfs -o size=8m tmpfs "$B/repo"
cp -a "$B/aside/." "$B/repo/"
left=$(df -k --output=avail "$B/repo" | tail -n 1)
head -c $(((left - {free}) * 1024)) /dev/zero > "$B/repo/.git/fill""#
    );
    let between = r#"rm "$B/repo/.git/fill"; cp "$B/fake/effects" "$B/effects.1" 2>/dev/null || :"#;
    let after = r#"cp -a "$B/repo" "$B/result"
umount "$B/repo"
rm -rf "$B/repo"
mv "$B/result" "$B/repo""#;
    let [first, second] = run_twice(&workspace, Git::Used, &before, between, after);
    let said = &first.stderr;
    match first.code {
        0 | 5 => {}
        // libgit2 does not always pass on why it could not store an object.
        1 => assert!(
            said.contains("git failed to make a commit")
                || said.to_lowercase().contains("no space")
                || said.contains("disk is full"),
            "{said}"
        ),
        code => panic!("exit {code}: {said}"),
    }
    assert_eq!(second.code, 0, "first:\n{said}\nthen:\n{}", second.stderr);
    let done = if first.code == 0 { 2 } else { workspace.state()["iteration"].as_u64().unwrap() - 1 };
    workspace.assert_whole(done);
    let effects = workspace.kept("effects");
    let ends = effects.lines().filter(|line| line.starts_with("end ")).count() as u64;
    assert_eq!(ends, 2 * done, "first:\n{said}\n{effects}");
    (first.code, workspace.base().join("effects.1").exists())
}

#[rstest]
#[case::workspace(".", Git::Used)]
#[case::workspace_without_git(".", Git::Avoided)]
#[case::git_directory(".git", Git::Used)]
#[case::records(".git/baton", Git::Used)]
#[case::state("sync", Git::Used)]
#[case::state_without_git("sync", Git::Avoided)]
fn nothing_is_claimed_where_nothing_can_be_written(#[case] place: &str, #[case] git: Git) {
    let workspace = Workspace::new(git);
    if place != "." {
        fs::create_dir_all(workspace.root().join(place)).unwrap();
    }
    let before = format!(
        r#"mount --bind "$B/repo/{place}" "$B/repo/{place}"
mount -o remount,bind,ro "$B/repo/{place}""#
    );
    let between = format!(
        r#"if [ -e "$B/fake/effects" ]; then echo an agent was started >&2; exit 1; fi
mount -o remount,bind,rw "$B/repo/{place}""#
    );
    let [first, second] = run_twice(&workspace, git, &before, &between, "");
    assert_eq!(first.code, 1, "{}", first.stderr);
    let said = first.stderr.to_lowercase();
    assert!(said.contains("read-only file system") || said.contains("readonly database"), "{said}");
    assert_eq!(second.code, 0, "{}", second.stderr);
    workspace.assert_whole(1);
}

#[test]
fn a_full_directory_for_temporary_files_is_named_and_costs_nothing() {
    let workspace = Workspace::new(Git::Used);
    let before = r#"mount -t tmpfs -o size=4k tmpfs "$B/tmp"; head -c 4096 /dev/zero > "$B/tmp/fill""#;
    let between = r#"[ ! -e "$B/fake/effects" ] || exit 1; umount "$B/tmp""#;
    let [first, second] = run_twice(&workspace, Git::Used, before, between, "");
    // A repository that cannot be opened is the input's fault, whatever the reason.
    assert_eq!(first.code, 2, "{}", first.stderr);
    assert!(first.stderr.contains("No space left"), "{}", first.stderr);
    assert_eq!(second.code, 0, "{}", second.stderr);
    workspace.assert_whole(1);
}
