//! A git server on loopback: each connection gets a `git daemon` of its own, so that connections can be counted, and nothing
//! outlives the test.
#![expect(clippy::disallowed_methods, reason = "the server is the system's git")]

use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

pub(super) struct Server {
    port: u16,
    connections: Arc<AtomicUsize>,
    ending: Arc<AtomicBool>,
    children: Arc<Mutex<Vec<Child>>>,
    accepting: Option<JoinHandle<()>>,
}

/// What becomes of a connection.
#[derive(Debug, Clone)]
enum Serving {
    Daemon(PathBuf),
    /// Accepted, and never answered.
    Nothing,
}

impl Server {
    /// Serves the repositories below a directory.
    pub(super) fn start(base: &Path) -> Self {
        Self::serve(Serving::Daemon(base.to_owned()))
    }

    /// Hangs after it has accepted.
    pub(super) fn hanging() -> Self {
        Self::serve(Serving::Nothing)
    }

    fn serve(serving: Serving) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (connections, ending) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let children = Arc::new(Mutex::new(Vec::new()));
        let accepting = {
            let (connections, ending, children) = (connections.clone(), ending.clone(), children.clone());
            std::thread::spawn(move || {
                let mut held = Vec::new();
                for stream in listener.incoming().flatten() {
                    if ending.load(Ordering::SeqCst) {
                        return;
                    }
                    connections.fetch_add(1, Ordering::SeqCst);
                    match &serving {
                        Serving::Daemon(base) => children.lock().unwrap().push(daemon(base, &stream)),
                        Serving::Nothing => held.push(stream),
                    }
                }
            })
        };
        Self { port, connections, ending, children, accepting: Some(accepting) }
    }

    pub(super) fn url(&self, repository: &str) -> String {
        format!("git://127.0.0.1:{}/{repository}", self.port)
    }

    /// How many connections there have been.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn daemon(base: &Path, stream: &TcpStream) -> Child {
    let end = || Stdio::from(OwnedFd::from(stream.try_clone().unwrap()));
    Command::new("git")
        .args(["daemon", "--inetd", "--export-all", "--enable=receive-pack", "--log-destination=none"])
        .arg(format!("--base-path={}", base.display()))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", base)
        .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")])
        .stdin(end())
        .stdout(end())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
        for child in self.children.lock().unwrap().iter_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
