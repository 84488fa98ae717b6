//! Supervised attempts, each with real processes.
#![expect(clippy::disallowed_methods, reason = "tests measure and start processes")]

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use baton::exec::{
    Ended, ExecError, Follower, How, Observation, Progress, SpawnFailureKind, StdinSource, StopSignal,
    Stream, Urgency, observe, submit,
};
use rstest::rstest;

use crate::exec_support::{Scene, await_output, baton, carriers, is_alive, pids_in};

#[test]
fn an_attempt_leaves_its_output_and_a_record() {
    let scene = Scene::new();
    let record = scene.run(scene.script("echo out; echo err >&2; exit 3"));
    assert_eq!(record.how, How::Exited { code: 3 });
    assert_eq!(record.ended_by, Ended::Itself);
    assert_eq!((record.stdout_bytes, record.stderr_bytes, record.dropped_bytes), (4, 4, 0));
    assert_eq!(record.attempt, scene.attempt);
    assert_eq!((record.swept_count, record.survivors.len()), (0, 0));
    assert_eq!(scene.stdout(), b"out\n");
    assert_eq!(scene.stderr(), b"err\n");
    assert_eq!(observe(&scene.dir, &scene.ambient).unwrap(), Observation::Finished(Box::new(record)));
    let mut names: Vec<_> = std::fs::read_dir(scene.dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["exit.json", "lock", "spec.json", "stderr", "stdout"]);
}

#[test]
fn a_signal_that_ends_the_agent_is_told_from_an_exit_code() {
    let scene = Scene::new();
    let record = scene.run(scene.script("kill -SEGV $$"));
    assert_eq!((record.how, record.ended_by), (How::Signalled { signal: 11 }, Ended::Itself));
}

#[test]
fn arguments_environment_and_output_are_bytes() {
    let scene = Scene::new();
    let odd = OsString::from_vec(b"a\xff b\n".to_vec());
    let mut spec = scene.script(r#"printf %s "$1"; printf %s "$ODD" >&2"#);
    spec.argv.extend(["sh".into(), odd.clone()]);
    spec.env.push(("ODD".into(), odd.clone()));
    scene.run(spec);
    assert_eq!(scene.stdout(), odd.as_bytes());
    assert_eq!(scene.stderr(), odd.as_bytes());
}

#[test]
fn only_the_given_environment_and_the_marker_reach_the_agent() {
    let scene = Scene::new();
    let mut spec = scene.command(&["env"]);
    spec.env.push(("BATON_ATTEMPT".into(), "outer".into()));
    let path = spec.env[0].1.clone().into_string().unwrap();
    scene.run(spec);
    let mut lines: Vec<_> = String::from_utf8(scene.stdout()).unwrap().lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, [format!("BATON_ATTEMPT=outer:{}", scene.attempt), format!("PATH={path}")]);
}

#[test]
fn credentials_in_the_environment_are_not_written_to_disk() {
    let scene = Scene::new();
    let mut spec = scene.script(":");
    spec.env.push(("API_KEY".into(), "very-secret".into()));
    scene.run(spec);
    for entry in std::fs::read_dir(scene.dir.path()).unwrap() {
        let path = entry.unwrap().path();
        assert!(!String::from_utf8_lossy(&std::fs::read(&path).unwrap()).contains("very-secret"), "{path:?}");
        if path != scene.dir.lock_path() {
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0, "{path:?}");
        }
    }
}

#[test]
fn input_comes_from_a_file_or_is_empty_at_once() {
    let scene = Scene::new();
    std::fs::write(scene.file("prompt"), "do it").unwrap();
    let mut spec = scene.command(&["cat"]);
    spec.stdin = StdinSource::File(scene.file("prompt"));
    scene.run(spec);
    assert_eq!(scene.stdout(), b"do it");

    let scene = Scene::new();
    let record = scene.run(scene.command(&["cat"]));
    assert!(record.is_clean_exit());
}

#[test]
fn the_agent_runs_in_a_group_and_a_session_of_its_own_attempt() {
    let scene = Scene::new();
    let prepared = scene.submit(scene.script("cut -d' ' -f1,5,6 /proc/$$/stat"));
    let supervisor = prepared.supervisor_pid().unwrap();
    prepared.go().unwrap().collect().unwrap();
    let text = String::from_utf8(scene.stdout()).unwrap();
    let ids: Vec<&str> = text.split_whitespace().collect();
    assert_eq!(ids[0], ids[1], "the agent leads its group");
    assert_eq!(ids[2], supervisor.to_string(), "the session is the supervisor's");
}

#[test]
fn the_agent_inherits_no_file_but_its_three_streams() {
    let scene = Scene::new();
    scene.run(scene.command(&["ls", "/proc/self/fd"]));
    // Whoever runs the tests may have left files open for every child.
    let direct = std::process::Command::new("ls").arg("/proc/self/fd").output().unwrap();
    assert_eq!(String::from_utf8(scene.stdout()).unwrap(), String::from_utf8(direct.stdout).unwrap());
}

#[test]
fn signals_are_back_at_their_defaults_under_nohup_and_in_the_background() {
    let scene = Scene::new();
    let wrapper = scene.file("ignoring");
    // Everything that a shell can ignore is ignored when the supervisor starts.
    std::fs::write(
        &wrapper,
        format!(
            "#!/bin/sh\ntrap '' HUP INT QUIT TERM PIPE ALRM TSTP TTIN TTOU USR1 USR2 CHLD\nexec '{}' \"$@\"\n",
            baton().display()
        ),
    )
    .unwrap();
    std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755)).unwrap();
    let spec = scene.command(&["grep", "-E", "^Sig(Ign|Blk)", "/proc/self/status"]);
    let record = submit(&scene.dir, spec, &wrapper, &scene.ambient).unwrap().go().unwrap().collect().unwrap();
    assert!(record.is_clean_exit(), "{record:?}");
    let text = String::from_utf8(scene.stdout()).unwrap();
    for line in text.lines() {
        let (_, mask) = line.split_once('\t').unwrap();
        // Above 31 are the C library's own, which nobody else can reset.
        assert_eq!(u64::from_str_radix(mask, 16).unwrap() & 0x7fff_ffff, 0, "{line}");
    }
    assert_eq!(text.lines().count(), 2);
}

#[rstest]
#[case::not_installed("no-such-agent", SpawnFailureKind::NotFound)]
#[case::no_such_path("./nowhere", SpawnFailureKind::NotFound)]
#[case::not_executable("./plain", SpawnFailureKind::NotExecutable)]
#[case::a_directory("./folder", SpawnFailureKind::NotExecutable)]
#[case::no_program("./noise", SpawnFailureKind::NotAProgram)]
#[case::no_interpreter("./script", SpawnFailureKind::NoInterpreter)]
fn what_cannot_be_started_is_data_and_no_exit_code(#[case] program: &str, #[case] reason: SpawnFailureKind) {
    let scene = Scene::new();
    std::fs::create_dir(scene.file("folder")).unwrap();
    for (name, content, mode) in
        [("plain", "x", 0o644), ("noise", "no program", 0o755), ("script", "#!/no/such\n", 0o755)]
    {
        std::fs::write(scene.file(name), content).unwrap();
        std::fs::set_permissions(scene.file(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let record = scene.run(scene.command(&[program]));
    let How::SpawnFailed(failure) = record.how else { panic!("{record:?}") };
    assert_eq!(failure.reason, reason, "{failure:?}");
    assert!(failure.errno.is_some());
}

#[test]
fn a_missing_working_directory_and_a_missing_input_are_named() {
    let scene = Scene::new();
    let mut spec = scene.script(":");
    spec.cwd = scene.file("gone");
    let How::SpawnFailed(failure) = scene.run(spec).how else { panic!() };
    assert_eq!(failure.reason, SpawnFailureKind::NoWorkingDirectory);
    assert_eq!(
        failure.message,
        format!(
            "cannot enter the working directory `{}`: No such file or directory (os error 2)",
            scene.file("gone").display()
        )
    );

    let scene = Scene::new();
    let mut spec = scene.script(":");
    spec.stdin = StdinSource::File(scene.file("prompt"));
    let How::SpawnFailed(failure) = scene.run(spec).how else { panic!() };
    assert_eq!(failure.reason, SpawnFailureKind::NoInput);
    assert_eq!(
        failure.message,
        format!(
            "cannot read the input file `{}`: No such file or directory (os error 2)",
            scene.file("prompt").display()
        )
    );
}

#[test]
fn an_argument_that_is_too_long_is_data() {
    let scene = Scene::new();
    let mut spec = scene.command(&["true"]);
    spec.argv.push("x".repeat(200_000).into());
    let How::SpawnFailed(failure) = scene.run(spec).how else { panic!() };
    assert_eq!(failure.reason, SpawnFailureKind::TooLong);
}

#[test]
fn a_name_without_a_slash_is_found_in_the_path_that_was_given() {
    let scene = Scene::new();
    std::fs::write(scene.file("my-agent"), "#!/bin/sh\necho found as $0\n").unwrap();
    std::fs::set_permissions(scene.file("my-agent"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut spec = scene.command(&["my-agent"]);
    spec.env = vec![("PATH".into(), scene.home.path().as_os_str().to_owned())];
    assert!(scene.run(spec).is_clean_exit());
}

#[test]
fn output_beyond_the_cap_is_dropped_and_counted_and_never_blocks() {
    let scene = Scene::new();
    let mut spec = scene.script("head -c 3000000 /dev/zero; echo end >&2");
    spec.max_output = 1_000_000;
    let record = scene.run(spec);
    assert!(record.is_clean_exit());
    assert_eq!(record.stdout_bytes + record.stderr_bytes, 1_000_000);
    assert_eq!(record.dropped_bytes, 2_000_004);
    assert_eq!(scene.stdout().len() as u64, record.stdout_bytes);
}

#[test]
fn memory_stays_flat_however_much_is_written() {
    let scene = Scene::new();
    let mut spec = scene.script("head -c 100000000 /dev/zero; grep VmHWM /proc/$PPID/status >&2");
    spec.max_output = 10_000_000;
    let record = scene.run(spec);
    assert_eq!(record.stdout_bytes, 10_000_000);
    let text = String::from_utf8(scene.stderr()).unwrap();
    assert_eq!(text, "", "the cap is for both streams together");

    let scene = Scene::new();
    let spec = scene.script("head -c 100000000 /dev/zero; grep VmHWM /proc/$PPID/status >&2");
    let record = scene.run(spec);
    assert_eq!(record.stdout_bytes, 100_000_000);
    let text = String::from_utf8(scene.stderr()).unwrap();
    let kib: u64 = text.split_whitespace().nth(1).unwrap().parse().unwrap();
    // Pages of the executable count too; what is written does not.
    assert!(kib < 20_000, "peak memory of the supervisor: {kib} KiB");
}

#[test]
fn an_agent_that_closes_its_output_and_lives_on_is_waited_for() {
    let scene = Scene::new();
    let mut running = scene.start(scene.script("echo hi; exec >&- 2>&-; read x < fifo; exit 7"));
    await_output(&mut running, "hi");
    drop(running);
    // There is no `fifo`: the shell fails at once, after the streams were closed.
    let record = baton::exec::adopt(&scene.dir, &scene.ambient).unwrap().collect().unwrap();
    assert!(matches!(record.how, How::Exited { code } if code != 0));
}

#[test]
fn a_follower_reads_while_the_agent_writes() {
    let scene = Scene::new();
    let mut running =
        scene.start(scene.script("echo first; while [ ! -e go ]; do sleep 0.01; done; echo second"));
    await_output(&mut running, "first\n");
    assert!(matches!(observe(&scene.dir, &scene.ambient).unwrap(), Observation::Alive { .. }));
    std::fs::write(scene.file("go"), "").unwrap();
    let mut follower = Follower::new(&scene.dir, 6, 0);
    let record = running.collect().unwrap();
    let mut buffer = [0; 64];
    let count = follower.read(Stream::Stdout, &mut buffer).unwrap();
    assert_eq!(&buffer[..count], b"second\n");
    assert_eq!(follower.read(Stream::Stdout, &mut buffer).unwrap(), 0);
    assert_eq!((follower.offset(Stream::Stdout), follower.offset(Stream::Stderr)), (13, 0));
    assert!(record.is_clean_exit());
}

#[test]
fn a_wait_ends_with_its_time_or_with_the_callers_event() {
    let scene = Scene::new();
    let mut running = scene.start(scene.script("exec sleep 60"));
    assert_eq!(running.wait(Some(Duration::from_millis(1)), None).unwrap(), Progress::TimedOut);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(writer);
    let woken = running.wait(None, Some(std::os::fd::AsFd::as_fd(&reader))).unwrap();
    assert_eq!(woken, Progress::Woken);
    running.cancel(Urgency::Now).unwrap();
    let record = running.collect().unwrap();
    assert_eq!(record.how, How::Signalled { signal: 9 });
    assert!(matches!(record.ended_by, Ended::Cancelled { .. }));
}

#[rstest]
#[case::terminate(StopSignal::Terminate, "TERM")]
#[case::interrupt(StopSignal::Interrupt, "INT")]
fn a_cancelled_agent_may_finish_its_sentence(#[case] signal: StopSignal, #[case] name: &str) {
    let scene = Scene::new();
    let mut spec = scene.script(&format!(
        "trap 'head -c 300000 /dev/zero; echo saved; exit 0' {name}; echo up; while :; do sleep 0.01; done"
    ));
    spec.stop_signal = signal;
    let mut running = scene.start(spec);
    await_output(&mut running, "up");
    running.cancel(Urgency::Graceful).unwrap();
    let record = running.collect().unwrap();
    assert_eq!(record.how, How::Exited { code: 0 });
    assert_eq!(record.ended_by, Ended::Cancelled { signal: 15 });
    assert!(!record.is_clean_exit(), "an attempt that was signalled is never a clean one");
    assert!(scene.stdout().ends_with(b"saved\n"));
}

#[test]
fn an_agent_that_ignores_the_signal_is_killed_after_the_grace() {
    let scene = Scene::new();
    let mut spec = scene.script("trap '' TERM; echo up; while :; do sleep 0.01; done");
    spec.grace = Duration::from_millis(100);
    let mut running = scene.start(spec);
    await_output(&mut running, "up");
    running.cancel(Urgency::Graceful).unwrap();
    let record = running.collect().unwrap();
    assert_eq!(record.how, How::Signalled { signal: 9 });
    assert_eq!(record.ended_by, Ended::Cancelled { signal: 15 });
}

#[test]
fn a_second_request_kills_at_once() {
    let scene = Scene::new();
    let mut spec = scene.script("trap 'echo heard' TERM; echo up; while :; do sleep 0.01; done");
    spec.grace = Duration::from_hours(1);
    let mut running = scene.start(spec);
    await_output(&mut running, "up");
    running.cancel(Urgency::Graceful).unwrap();
    await_output(&mut running, "heard");
    running.cancel(Urgency::Graceful).unwrap();
    let record = running.collect().unwrap();
    assert_eq!(record.how, How::Signalled { signal: 9 });
    assert_eq!(record.ended_by, Ended::Cancelled { signal: 15 });
}

#[test]
fn a_stopped_agent_can_still_be_asked_to_end() {
    let scene = Scene::new();
    let mut running =
        scene.start(scene.script("trap 'exit 4' TERM; echo up; kill -STOP $$; while :; do sleep 0.01; done"));
    await_output(&mut running, "up");
    running.cancel(Urgency::Graceful).unwrap();
    assert_eq!(running.collect().unwrap().how, How::Exited { code: 4 });
}

#[test]
fn the_wall_limit_ends_a_busy_agent() {
    let scene = Scene::new();
    let mut spec = scene.script("while :; do echo busy; done");
    spec.wall_limit = Some(Duration::from_millis(200));
    spec.max_output = 1000;
    let record = scene.run(spec);
    assert_eq!(record.ended_by, Ended::WallLimit);
    assert_eq!(record.how, How::Signalled { signal: 15 });
    assert!(record.wall >= Duration::from_millis(200));
}

#[test]
fn the_idle_limit_ends_an_agent_that_does_nothing() {
    let scene = Scene::new();
    let mut spec = scene.script("echo thinking; exec sleep 1000");
    spec.idle_limit = Some(Duration::from_millis(200));
    let record = scene.run(spec);
    assert_eq!(record.ended_by, Ended::IdleLimit);
    assert_eq!(record.how, How::Signalled { signal: 15 });
}

#[test]
fn a_silent_agent_that_computes_is_not_idle() {
    let scene = Scene::new();
    // The child that computes has left the group and the parent only waits for it.
    let mut spec = scene.script("setsid sh -c 'while :; do :; done' & wait");
    spec.idle_limit = Some(Duration::from_millis(400));
    spec.wall_limit = Some(Duration::from_millis(2_500));
    let record = scene.run(spec);
    assert_eq!(record.ended_by, Ended::WallLimit);
}

#[test]
fn a_background_process_that_holds_the_output_does_not_block_the_end() {
    let scene = Scene::new();
    let begun = Instant::now();
    let record = scene.run(scene.script("sleep 1000 & echo done"));
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert!(record.is_clean_exit());
    assert_eq!(scene.stdout(), b"done\n");
    assert_eq!(record.swept_count, 1);
    assert_eq!(record.swept[0].name, "sleep");
}

/// Processes that do what they can to be forgotten: another session, ignored signals, no parent, no marker.
const CLINGERS: &str = r#"
trap '' TERM HUP INT
cling='trap "" TERM HUP INT; echo $$ >> pids; while :; do sleep 0.05; done'
setsid sh -c "$cling" >/dev/null 2>&1 &
nohup sh -c "$cling" >/dev/null 2>&1 &
(setsid sh -c "(setsid sh -c '$cling' &)" &) >/dev/null 2>&1
env -i PATH="$PATH" setsid sh -c "(setsid sh -c '$cling' &)" >/dev/null 2>&1 &
sh -c "$cling" &
while [ "$(wc -l < pids 2>/dev/null || echo 0)" -lt 5 ]; do sleep 0.01; done
echo all up
"#;

#[rstest]
#[case::after_its_own_end("")]
#[case::after_a_cancel("while :; do sleep 0.05; done")]
fn nothing_of_an_attempt_stays_alive(#[case] then: &str) {
    let scene = Scene::new();
    let mut spec = scene.script(&format!("{CLINGERS}\n{then}"));
    spec.grace = Duration::from_millis(100);
    let mut running = scene.start(spec);
    await_output(&mut running, "all up");
    if !then.is_empty() {
        running.cancel(Urgency::Graceful).unwrap();
    }
    let record = running.collect().unwrap();
    let pids = pids_in(&scene.file("pids"));
    assert_eq!(pids.len(), 5);
    for pid in pids {
        assert!(!is_alive(pid), "{pid} lives on: {record:?}");
    }
    assert_eq!(carriers(scene.attempt), [] as [i32; 0]);
    assert!(record.swept_count >= 4, "{record:?}");
    assert_eq!(record.survivors, []);
}

#[test]
fn a_directory_is_good_for_one_attempt() {
    let scene = Scene::new();
    scene.run(scene.script(":"));
    let error = submit(&scene.dir, scene.script(":"), baton(), &scene.ambient).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "`{}` already holds an attempt; each attempt needs a directory of its own",
            scene.dir.path().display()
        )
    );
}

#[test]
fn a_supervisor_that_cannot_run_is_an_error_and_starts_nothing() {
    let scene = Scene::new();
    let missing = scene.file("baton");
    let error = submit(&scene.dir, scene.script("touch ran"), &missing, &scene.ambient).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot start the attempt's supervisor `{}`", missing.display()));

    let scene = Scene::new();
    let mut prepared =
        submit(&scene.dir, scene.script("touch ran"), "/bin/false".as_ref(), &scene.ambient).unwrap();
    assert_eq!(
        prepared.ready().unwrap_err().to_string(),
        "the attempt's supervisor ended before it was ready (the agent was not started): it left no message (it cannot where no space is left on the disk)"
    );
    assert!(!scene.file("ran").exists());
}

#[test]
fn a_spec_that_cannot_be_run_is_refused_before_anything_is_written() {
    let scene = Scene::new();
    let mut relative = scene.script(":");
    relative.cwd = "somewhere".into();
    let mut nul = scene.script(":");
    nul.argv.push(OsString::from_vec(vec![b'a', 0]));
    let mut unnamed = scene.script(":");
    unnamed.env.push(("A=B".into(), "c".into()));
    for (spec, text) in [
        (scene.command(&[]), "there is no program to run"),
        (relative, "the attempt's directory and the working directory must be absolute paths"),
        (nul, "an argument or environment variable holds a NUL byte"),
        (unnamed, "the name of an environment variable is empty or holds `=`"),
    ] {
        let error = submit(&scene.dir, spec, baton(), &scene.ambient).unwrap_err();
        assert!(matches!(error, ExecError::BadSpec(_)));
        assert_eq!(error.to_string(), format!("cannot submit the attempt: {text}"));
    }
    assert!(std::fs::read_dir(scene.dir.path()).unwrap().next().is_none());
}
