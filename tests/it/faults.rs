//! The orchestrator is killed at every point of a turn; the same command again must bring the work to its end.

use crate::support::{Git, Workspace};

#[test]
fn an_undisturbed_run_is_what_every_other_is_compared_with() {
    for git in [Git::Used, Git::Avoided] {
        let workspace = Workspace::with_checks(git);
        workspace.run(&["--sync-loops=2"]).assert_code(0);
        workspace.assert_whole(2);
        let effects = workspace.effects();
        assert_eq!(effects.starts().len(), 4);
        assert_eq!(effects.checks().len(), 8);
    }
}

#[test]
fn first_points() {
    for place in ["claimed:done", "running:effect", "running:go", "committed:done#2", "stamped:effect#2"] {
        let workspace = Workspace::with_checks(Git::Used);
        workspace.crash(&["--sync-loops=1"], place);
        workspace.run(&["--sync-loops=1"]).assert_code(0);
        workspace.assert_whole(1);
        assert_eq!(workspace.effects().starts().len(), 2, "{place}");
    }
}
