//! Attempts whose orchestrator, supervisor or disk fails.
#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests start processes and may panic")]

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use baton::exec::{Ended, ExecError, How, Observation, Progress, Urgency, abandon, adopt, observe, submit};
use rstest::rstest;
use rustix::process::{Pid, Signal, kill_process};

use crate::exec_support::{PATIENCE, Scene, await_output, baton, carriers, eventually, is_alive, pids_in};

fn kill(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

fn supervisor_of(scene: &Scene) -> i32 {
    match observe(&scene.dir, &scene.ambient).unwrap() {
        Observation::Alive { pid } => pid,
        other => panic!("not alive: {other:?}"),
    }
}

#[test]
fn an_attempt_that_never_got_its_go_never_ran() {
    let scene = Scene::new();
    let mut prepared = scene.submit(scene.script("touch ran"));
    prepared.ready().unwrap();
    let supervisor = supervisor_of(&scene);
    drop(prepared);
    assert!(!is_alive(supervisor));
    assert!(!scene.file("ran").exists());
    assert_eq!(observe(&scene.dir, &scene.ambient).unwrap(), Observation::Vanished { started: false });
    let report = abandon(&scene.dir, scene.attempt, &scene.ambient).unwrap();
    assert!(!report.started);
    assert_eq!((report.record.how, report.record.ended_by), (How::NeverStarted, Ended::Abandoned));
}

/// Boots a supervisor by hand, as an orchestrator would that is then killed.
fn boot_by_hand(scene: &Scene) -> std::process::Child {
    // `submit` writes the specification; the supervisor that it boots is replaced by one whose pipes are ours.
    drop(submit(&scene.dir, scene.script("touch ran"), "/bin/true".as_ref(), &scene.ambient).unwrap());
    Command::new(baton())
        .arg("__supervise")
        .arg(scene.dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

#[rstest]
#[case::end_of_file(b"")]
#[case::something_else(b"x")]
fn without_the_go_the_supervisor_leaves_without_a_trace(#[case] word: &[u8]) {
    let scene = Scene::new();
    let mut supervisor = boot_by_hand(&scene);
    let mut ready = [0];
    supervisor.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    let mut go = supervisor.stdin.take().unwrap();
    go.write_all(word).unwrap();
    drop(go);
    assert!(supervisor.wait().unwrap().success());
    assert!(!scene.file("ran").exists());
    assert_eq!(observe(&scene.dir, &scene.ambient).unwrap(), Observation::Vanished { started: false });
}

#[test]
fn a_signal_before_the_go_means_that_nothing_is_started() {
    let scene = Scene::new();
    let mut prepared = scene.submit(scene.script("touch ran"));
    prepared.ready().unwrap();
    let supervisor = supervisor_of(&scene);
    kill(supervisor, Signal::TERM);
    eventually("the supervisor has left", || !is_alive(supervisor));
    assert!(matches!(prepared.go(), Err(ExecError::SupervisorFailed { .. })));
    assert!(!scene.file("ran").exists());
    let Observation::Finished(record) = observe(&scene.dir, &scene.ambient).unwrap() else { panic!() };
    assert_eq!((record.how, record.ended_by), (How::NeverStarted, Ended::Cancelled { signal: 15 }));
}

#[test]
fn a_late_supervisor_of_an_abandoned_attempt_starts_nothing() {
    let scene = Scene::new();
    let mut supervisor = boot_by_hand(&scene);
    let mut ready = [0];
    supervisor.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    supervisor.kill().unwrap();
    supervisor.wait().unwrap();
    std::fs::remove_file(scene.dir.stdout_path()).unwrap();
    std::fs::remove_file(scene.dir.stderr_path()).unwrap();
    abandon(&scene.dir, scene.attempt, &scene.ambient).unwrap();
    let mut late = Command::new(baton())
        .arg("__supervise")
        .arg(scene.dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The go may even be there already.
    let _ = late.stdin.take().unwrap().write_all(b"g");
    let output = late.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        std::fs::read_to_string(scene.dir.supervisor_log_path()).unwrap(),
        format!("the attempt in `{}` has ended and has a result\n", scene.dir.path().display())
    );
    assert!(!scene.file("ran").exists());
}

#[test]
fn two_supervisors_of_one_attempt_start_one_agent() {
    let scene = Scene::new();
    let mut running =
        scene.start(scene.script("echo run >> runs; echo up; while [ ! -e go ]; do sleep 0.01; done"));
    await_output(&mut running, "up");
    let mut second = Command::new(baton())
        .arg("__supervise")
        .arg(scene.dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _ = second.stdin.take().unwrap().write_all(b"g");
    std::fs::write(scene.file("go"), "").unwrap();
    assert!(running.collect().unwrap().is_clean_exit());
    assert_eq!(second.wait().unwrap().code(), Some(1));
    assert_eq!(std::fs::read_to_string(scene.file("runs")).unwrap(), "run\n");
}

#[test]
fn an_attempt_outlives_its_orchestrator_and_is_adopted() {
    let scene = Scene::new();
    let mut running =
        scene.start(scene.script("echo up; while [ ! -e go ]; do sleep 0.01; done; echo over; exit 5"));
    await_output(&mut running, "up");
    // All that a dead orchestrator would have held is closed; its pipes have no reader any more.
    drop(running);
    let mut adopted = adopt(&scene.dir, &scene.ambient).unwrap();
    assert_eq!(adopted.wait(Some(PATIENCE), None).unwrap(), Progress::Output);
    assert_eq!(adopted.wait(Some(Duration::from_millis(1)), None).unwrap(), Progress::TimedOut);
    std::fs::write(scene.file("go"), "").unwrap();
    let record = adopted.collect().unwrap();
    assert_eq!((record.how, record.ended_by), (How::Exited { code: 5 }, Ended::Itself));
    assert_eq!(scene.stdout(), b"up\nover\n");
    // Adopting once more tells the same.
    assert_eq!(adopt(&scene.dir, &scene.ambient).unwrap().collect().unwrap().ended_by, Ended::Itself);
}

#[rstest]
#[case::gently(Urgency::Graceful, How::Exited { code: 9 })]
#[case::at_once(Urgency::Now, How::Signalled { signal: 9 })]
fn an_adopted_attempt_can_be_cancelled(#[case] urgency: Urgency, #[case] expected: How) {
    let scene = Scene::new();
    let mut running = scene.start(scene.script("trap 'exit 9' TERM; echo up; while :; do sleep 0.01; done"));
    await_output(&mut running, "up");
    drop(running);
    let adopted = adopt(&scene.dir, &scene.ambient).unwrap();
    adopted.cancel(urgency).unwrap();
    let record = adopted.collect().unwrap();
    assert_eq!(record.how, expected);
    assert!(matches!(record.ended_by, Ended::Cancelled { .. }));
}

#[test]
fn what_a_killed_supervisor_left_is_found_and_ended() {
    let scene = Scene::new();
    let script = "echo $$ >> pids; \
        setsid sh -c 'trap \"\" TERM; echo $$ >> pids; while :; do sleep 0.05; done' & \
        env -i PATH=\"$PATH\" sh -c 'echo $$ >> pids; while :; do sleep 0.05; done' & \
        while [ \"$(wc -l < pids)\" -lt 3 ]; do sleep 0.01; done; echo up; wait";
    let mut running = scene.start(scene.script(script));
    await_output(&mut running, "up");
    let supervisor = supervisor_of(&scene);
    kill(supervisor, Signal::KILL);
    let error = running.collect().unwrap_err();
    assert!(matches!(error, ExecError::Vanished { started: true, .. }), "{error:?}");
    assert_eq!(observe(&scene.dir, &scene.ambient).unwrap(), Observation::Vanished { started: true });
    let pids = pids_in(&scene.file("pids"));
    assert!(pids.iter().all(|pid| is_alive(*pid)));

    let report = abandon(&scene.dir, scene.attempt, &scene.ambient).unwrap();
    assert!(report.started);
    assert!(report.record.swept_count >= 3, "{report:?}");
    assert_eq!(report.survivors(), []);
    for pid in pids {
        assert!(!is_alive(pid), "{pid} lives on");
    }
    assert_eq!(carriers(scene.attempt), [] as [i32; 0]);
    assert_eq!(observe(&scene.dir, &scene.ambient).unwrap(), Observation::Finished(Box::new(report.record)));
    assert!(matches!(abandon(&scene.dir, scene.attempt, &scene.ambient), Err(ExecError::AlreadyFinished(_))));
}

#[test]
fn a_living_attempt_cannot_be_abandoned() {
    let scene = Scene::new();
    let running = scene.start(scene.script("exec sleep 1000"));
    let pid = supervisor_of(&scene);
    let error = abandon(&scene.dir, scene.attempt, &scene.ambient).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("the attempt in `{}` is still supervised by process {pid}", scene.dir.path().display())
    );
    running.cancel(Urgency::Now).unwrap();
    running.collect().unwrap();
}

#[test]
fn an_attempt_of_another_boot_counts_as_started() {
    let scene = Scene::new();
    drop(scene.submit(scene.script(":")));
    assert_eq!(observe(&scene.dir, &scene.ambient).unwrap(), Observation::Vanished { started: false });
    let spec = std::fs::read_to_string(scene.dir.spec_path()).unwrap();
    let elsewhere = spec.replace(&scene.ambient.boot_id(), "another-boot");
    assert_ne!(spec, elsewhere);
    std::fs::write(scene.dir.spec_path(), elsewhere).unwrap();
    assert_eq!(observe(&scene.dir, &scene.ambient).unwrap(), Observation::Vanished { started: true });
}

#[test]
fn an_attempt_without_a_readable_spec_counts_as_started() {
    let scene = Scene::new();
    assert_eq!(observe(&scene.dir, &scene.ambient).unwrap(), Observation::Vanished { started: true });
    std::fs::write(scene.dir.spec_path(), "{").unwrap();
    assert_eq!(observe(&scene.dir, &scene.ambient).unwrap(), Observation::Vanished { started: true });
}

#[test]
fn a_killed_agent_ends_the_attempt_like_any_end() {
    let scene = Scene::new();
    let mut running = scene.start(scene.script("echo $$; exec sleep 1000"));
    await_output(&mut running, "\n");
    let agent = String::from_utf8(scene.stdout()).unwrap().trim().parse().unwrap();
    kill(agent, Signal::KILL);
    let record = running.collect().unwrap();
    assert_eq!((record.how, record.ended_by), (How::Signalled { signal: 9 }, Ended::Itself));
}

#[rstest]
#[case(Signal::TERM)]
#[case(Signal::INT)]
#[case(Signal::HUP)]
fn every_signal_that_asks_the_supervisor_marks_the_attempt(#[case] signal: Signal) {
    let scene = Scene::new();
    let mut running = scene.start(scene.script("trap 'exit 0' TERM; echo up; while :; do sleep 0.01; done"));
    await_output(&mut running, "up");
    kill(supervisor_of(&scene), signal);
    let record = running.collect().unwrap();
    assert_eq!(record.how, How::Exited { code: 0 });
    assert_eq!(record.ended_by, Ended::Cancelled { signal: signal.as_raw() });
}

#[test]
fn the_agent_cannot_hold_the_lock() {
    let scene = Scene::new();
    let mut running = scene.start(scene.script("echo up; exec sleep 1000"));
    await_output(&mut running, "up");
    kill(supervisor_of(&scene), Signal::KILL);
    assert!(running.collect().is_err());
    assert!(!carriers(scene.attempt).is_empty(), "the agent lives on");
    assert_eq!(observe(&scene.dir, &scene.ambient).unwrap(), Observation::Vanished { started: true });
    abandon(&scene.dir, scene.attempt, &scene.ambient).unwrap();
}

#[test]
fn an_agent_that_deletes_the_attempts_directory_still_leaves_a_record() {
    let scene = Scene::new();
    let record = scene.run(scene.script("rm -rf attempt; exit 6"));
    assert_eq!(record.how, How::Exited { code: 6 });
}

#[test]
fn an_attempt_is_ended_by_the_attempt_around_it() {
    // The inner attempt's orchestrator is the outer attempt's agent; here it has died and left the supervisor.
    let outer = Scene::new();
    let inner = Scene::new();
    let mut spec = inner.script("echo up; exec sleep 1000");
    spec.env.push(("BATON_ATTEMPT".into(), outer.attempt.to_string().into()));
    let mut running = inner.start(spec);
    await_output(&mut running, "up");
    let supervisor = supervisor_of(&inner);
    assert_eq!(carriers(outer.attempt).len(), 2, "the inner supervisor and the inner agent");

    let mut prepared = outer.submit(outer.script(":"));
    prepared.ready().unwrap();
    drop(prepared);
    let report = abandon(&outer.dir, outer.attempt, &outer.ambient).unwrap();
    assert_eq!(report.survivors(), []);
    assert!(!is_alive(supervisor));
    assert_eq!(carriers(outer.attempt), [] as [i32; 0]);
    drop(running);
}

#[test]
fn a_full_disk_costs_output_and_never_the_record() {
    let scene = Scene::new();
    // The limit on file sizes stands in for the disk: writing beyond it fails, and raises SIGXFSZ besides.
    let wrapper = scene.file("limited");
    std::fs::write(&wrapper, format!("#!/bin/sh\nulimit -f 64\nexec '{}' \"$@\"\n", baton().display()))
        .unwrap();
    std::fs::set_permissions(&wrapper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let spec = scene.script("head -c 1000000 /dev/zero; echo still here >&2");
    let record = submit(&scene.dir, spec, &wrapper, &scene.ambient).unwrap().go().unwrap().collect().unwrap();
    assert_eq!(record.how, How::Exited { code: 0 });
    assert!(record.capture_error.is_some(), "{record:?}");
    assert!(record.dropped_bytes > 900_000, "{record:?}");
    assert_eq!(record.stdout_bytes, std::fs::metadata(scene.dir.stdout_path()).unwrap().len());
}

#[test]
fn the_hidden_verb_refuses_to_be_used_by_hand() {
    let output = Command::new(baton()).arg("__supervise").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "this verb is for internal use: it needs the absolute path of an attempt\n"
    );
    let scene = Scene::new();
    let mut leader = Command::new(baton());
    leader.arg("__supervise").arg(scene.dir.path()).process_group(0);
    assert_eq!(leader.output().unwrap().status.code(), Some(1), "there is no specification here");
}
