//! A process that this one started, listens to and ends: another of this very program, which keeps its own records.
//!
//! It is no attempt. It does not outlive the one that holds it, has no directory, and nothing of it is recorded.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

/// A line of a companion, without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spoken {
    /// On standard output.
    Result(String),
    /// On standard error.
    Note(String),
}

/// A process that lives no longer than this value: dropped while it runs, it is killed.
#[derive(Debug)]
pub struct Companion {
    child: Child,
    ended: Option<ExitStatus>,
}

impl Companion {
    /// Starts it in a process group of its own, so that the terminal's Ctrl-C reaches it through [`Companion::signal`]
    /// only, and once. It has this environment and nothing to read.
    ///
    /// Each line is given to `hear`, in a thread for each stream; both clones are dropped when the streams end.
    pub fn start(
        program: &Path,
        arguments: &[OsString],
        directory: &Path,
        environment: &BTreeMap<OsString, OsString>,
        hear: impl Fn(Spoken) + Send + Clone + 'static,
    ) -> io::Result<Self> {
        #[expect(clippy::disallowed_methods, reason = "its pipes and its end are handled here by hand")]
        let mut command = std::process::Command::new(program);
        command.args(arguments).current_dir(directory).env_clear().envs(environment).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn()?;
        let mut companion = Self { child, ended: None };
        let (stdout, stderr) = (companion.child.stdout.take(), companion.child.stderr.take());
        let also = hear.clone();
        listen("companion-out", stdout, move |line| hear(Spoken::Result(line)))?;
        listen("companion-err", stderr, move |line| also(Spoken::Note(line)))?;
        Ok(companion)
    }

    /// How it ended; `None` while it runs.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait()?;
        }
        Ok(self.ended)
    }

    /// Sends it a signal, unless it was seen to have ended.
    pub fn signal(&self, signal: Signal) {
        if self.ended.is_none() {
            // It is not reaped yet, so the number is its own; that it has just ended is no error.
            let _ = kill_process(Pid::from_child(&self.child), signal);
        }
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        if self.ended.is_none() {
            // It may have ended by itself meanwhile.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn listen(
    name: &str,
    stream: Option<impl Read + Send + 'static>,
    hear: impl Fn(String) + Send + 'static,
) -> io::Result<()> {
    let Some(stream) = stream else { return Ok(()) };
    let read = move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while stream.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            let end = line.len() - usize::from(line.ends_with(b"\n"));
            hear(String::from_utf8_lossy(&line[..end]).into_owned());
            line.clear();
        }
    };
    thread::Builder::new().name(name.to_owned()).spawn(read).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    fn start(script: &str) -> (Companion, mpsc::Receiver<Spoken>) {
        let (sender, receiver) = mpsc::channel();
        let hear = move |spoken| drop(sender.send(spoken));
        let arguments = ["-c".into(), script.into()];
        let environment = [("GREETING".into(), "hello".into())].into();
        let program = Path::new("/bin/sh");
        (Companion::start(program, &arguments, Path::new("/"), &environment, hear).unwrap(), receiver)
    }

    fn end(companion: &mut Companion) -> ExitStatus {
        loop {
            if let Some(status) = companion.ended().unwrap() {
                return status;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn its_lines_and_its_end_are_told() {
        let (mut companion, lines) = start("echo $GREETING $HOME; printf 'no\\nend' >&2; exit 3");
        assert_eq!(end(&mut companion).code(), Some(3));
        let (results, notes): (Vec<_>, Vec<_>) =
            lines.iter().partition(|spoken| matches!(spoken, Spoken::Result(_)));
        assert_eq!(results, [Spoken::Result("hello".to_owned())]);
        assert_eq!(notes, [Spoken::Note("no".to_owned()), Spoken::Note("end".to_owned())]);
    }

    #[test]
    fn a_signal_reaches_it_and_one_that_is_dropped_is_gone() {
        let script = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done";
        let (mut companion, lines) = start(script);
        assert_eq!(lines.recv().unwrap(), Spoken::Result("ready".to_owned()));
        companion.signal(Signal::TERM);
        assert_eq!(end(&mut companion).code(), Some(7));

        let (companion, lines) = start("echo ready; exec sleep 600");
        assert_eq!(lines.recv().unwrap(), Spoken::Result("ready".to_owned()));
        drop(companion);
        // Its ends of the pipes are closed.
        assert_eq!(lines.recv(), Err(mpsc::RecvError));
    }
}
