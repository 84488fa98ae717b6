//! A git server on loopback that can be made to misbehave: `git daemon`, one process a connection, behind a proxy in this
//! process which holds the port. Nothing listens once it is dropped.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::dice::Dice;
use super::process::await_event;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// `git-upload-pack`.
    Look,
    /// `git-receive-pack`.
    Push,
}

/// What happens to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is closed before a word is said.
    Close,
    /// It is accepted, and then nothing ever happens.
    Hang,
    /// It is cut when the client has sent so many bytes after its request.
    CutAfter(u64),
    /// Of what the client sends after its request only so many bytes arrive; the server's answer to that does.
    StarveAfter(u64),
    /// It is closed when the server has said what it has, while the client speaks.
    CutAfterListing,
    /// Everything is delivered and done; of what the server says afterwards nothing comes back.
    DropAnswer,
    /// The same, and the connection stays open.
    SwallowAnswer,
}

/// What was seen of the connections so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Traffic {
    /// Connections that asked for `git-upload-pack`.
    pub(crate) looks: usize,
    /// Connections that asked for `git-receive-pack`.
    pub(crate) pushes: usize,
    /// How often a client spoke and the server then answered, over all connections.
    pub(crate) round_trips: usize,
}

/// The server. All repositories below its directory can be read and pushed to.
pub(crate) struct FaultyServer {
    port: u16,
    shared: Arc<Shared>,
    /// `None` while the port is closed.
    listening: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    base: PathBuf,
    stop: AtomicBool,
    /// The faults that are still to come, and for what; the first that fits is taken. `None`: this one goes well.
    faults: Mutex<VecDeque<(Service, Option<Fault>)>>,
    /// What every connection for this suffers until it is taken back.
    lasting: Mutex<Option<(Option<Service>, Fault)>>,
    /// Where there is weather, what befalls a connection is diced for.
    weather: Mutex<Option<Dice>>,
    /// One way, in microseconds.
    delay: AtomicU64,
    looks: AtomicUsize,
    pushes: AtomicUsize,
    round_trips: AtomicUsize,
    /// Both ends must be closed for a server to be gone.
    open: Mutex<Vec<TcpStream>>,
    serving: Mutex<Vec<JoinHandle<()>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FaultyServer {
    /// Serves what lies below this directory.
    pub(crate) fn new(base: &Path) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let shared = Arc::new(Shared {
            base: base.to_owned(),
            stop: AtomicBool::new(false),
            faults: Mutex::default(),
            lasting: Mutex::default(),
            weather: Mutex::default(),
            delay: AtomicU64::new(0),
            looks: AtomicUsize::new(0),
            pushes: AtomicUsize::new(0),
            round_trips: AtomicUsize::new(0),
            open: Mutex::default(),
            serving: Mutex::default(),
        });
        let port = listener.local_addr().unwrap().port();
        let listening = Mutex::new(Some(shared.listen(listener)));
        Self { port, shared, listening }
    }

    /// The address of a repository below the directory.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("git://127.0.0.1:{}/{name}", self.port)
    }

    /// The next connection for this service suffers it; of several faults each befalls one connection, in their order.
    pub(crate) fn next(&self, service: Service, fault: Fault) {
        lock(&self.shared.faults).push_back((service, Some(fault)));
    }

    /// So many connections for this service go well before the faults that are named after this.
    pub(crate) fn spare(&self, service: Service, connections: usize) {
        lock(&self.shared.faults).extend(std::iter::repeat_n((service, None), connections));
    }

    /// Whether all faults that were to come have come.
    pub(crate) fn is_spent(&self) -> bool {
        lock(&self.shared.faults).is_empty()
    }

    /// Every connection for this (`None`: for anything) suffers it from now on.
    pub(crate) fn always(&self, service: Option<Service>, fault: Fault) {
        *lock(&self.shared.lasting) = Some((service, fault));
    }

    /// From now on one connection in eight is closed, cut, or not answered.
    pub(crate) fn be_unreliable(&self, dice: Dice) {
        *lock(&self.shared.weather) = Some(dice);
    }

    /// Nothing bad happens any more, to new connections.
    pub(crate) fn be_good(&self) {
        *lock(&self.shared.lasting) = None;
        *lock(&self.shared.weather) = None;
        lock(&self.shared.faults).clear();
    }

    /// Each round trip takes this long from now on.
    pub(crate) fn delay_round_trips(&self, by: Duration) {
        let one_way = u64::try_from(by.as_micros() / 2).unwrap();
        self.shared.delay.store(one_way, Ordering::Relaxed);
    }

    /// Closes the port and every connection: a connection is refused by the system.
    pub(crate) fn cut(&self) {
        let Some(thread) = lock(&self.listening).take() else { return };
        self.shared.stop.store(true, Ordering::SeqCst);
        // `accept` returns only for somebody.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        thread.join().unwrap();
        self.shared.close_all();
    }

    /// Opens the port again.
    pub(crate) fn heal(&self) {
        let mut listening = lock(&self.listening);
        if listening.is_some() {
            return;
        }
        self.shared.stop.store(false, Ordering::SeqCst);
        // Somebody's outgoing connection may use the port for a moment.
        let listener = await_event("the server's port", || TcpListener::bind(("127.0.0.1", self.port)).ok());
        *listening = Some(self.shared.listen(listener));
    }

    /// What was seen so far.
    pub(crate) fn traffic(&self) -> Traffic {
        let count = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
        Traffic {
            looks: count(&self.shared.looks),
            pushes: count(&self.shared.pushes),
            round_trips: count(&self.shared.round_trips),
        }
    }
}

impl Drop for FaultyServer {
    fn drop(&mut self) {
        self.cut();
        for thread in std::mem::take(&mut *lock(&self.shared.serving)) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn listen(self: &Arc<Self>, listener: TcpListener) -> JoinHandle<()> {
        let shared = Arc::clone(self);
        std::thread::spawn(move || {
            loop {
                let Ok((client, _)) = listener.accept() else { continue };
                if shared.stop.load(Ordering::SeqCst) {
                    return;
                }
                {
                    let mut open = lock(&shared.open);
                    // A connection whose client has gone needs no closing.
                    open.retain(|stream| stream.peer_addr().is_ok());
                    open.extend(client.try_clone());
                }
                let mut serving = lock(&shared.serving);
                serving.retain(|thread| !thread.is_finished());
                let shared = Arc::clone(&shared);
                serving.push(std::thread::spawn(move || drop(shared.serve(client))));
            }
        })
    }

    fn close_all(&self) {
        for stream in std::mem::take(&mut *lock(&self.open)) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn fault_by_weather(&self) -> Option<Fault> {
        let mut weather = lock(&self.weather);
        let dice = weather.as_mut()?;
        match dice.roll(24) {
            0 => Some(Fault::Close),
            1 => Some(Fault::CutAfter(dice.roll(800))),
            2 => Some(Fault::DropAnswer),
            _ => None,
        }
    }

    /// The fault for a connection that asks for this.
    fn fault_for(&self, service: Service) -> Option<Fault> {
        let mut faults = lock(&self.faults);
        if let Some(at) = faults.iter().position(|(wanted, _)| *wanted == service) {
            return faults.remove(at).and_then(|(_, fault)| fault);
        }
        if let Some(fault) = self.fault_by_weather() {
            return Some(fault);
        }
        lock(&self.lasting)
            .filter(|(wanted, _)| wanted.is_none_or(|wanted| wanted == service))
            .map(|(_, it)| it)
    }

    fn serve(&self, mut client: TcpStream) -> std::io::Result<()> {
        client.set_nodelay(true)?;
        let request = read_packet(&mut client)?;
        let service = if request.windows(16).any(|bytes| bytes == b"git-receive-pack") {
            self.pushes.fetch_add(1, Ordering::SeqCst);
            Service::Push
        } else {
            self.looks.fetch_add(1, Ordering::SeqCst);
            Service::Look
        };
        let fault = self.fault_for(service);
        match fault {
            Some(Fault::Close) => return client.shutdown(Shutdown::Both),
            // Until the client gives up.
            Some(Fault::Hang) => return std::io::copy(&mut client, &mut std::io::sink()).map(drop),
            Some(
                Fault::CutAfter(_)
                | Fault::StarveAfter(_)
                | Fault::CutAfterListing
                | Fault::DropAnswer
                | Fault::SwallowAnswer,
            )
            | None => {}
        }
        let mut server = self.start_git()?;
        let result = self.pump(&client, &mut server, &request, fault);
        let _ = server.wait();
        let _ = client.shutdown(Shutdown::Both);
        result
    }

    /// `git daemon` for one connection on its standard input and output.
    fn start_git(&self) -> std::io::Result<Child> {
        Command::new("git")
            .args(["-c", "core.fsync=none", "daemon", "--inetd", "--log-destination=none", "--export-all"])
            .arg("--enable=receive-pack")
            .arg(format!("--base-path={}", self.base.display()))
            .arg(&self.base)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.base)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
    }

    fn pump(
        &self,
        client: &TcpStream,
        server: &mut Child,
        request: &[u8],
        fault: Option<Fault>,
    ) -> std::io::Result<()> {
        let mut to_server = server.stdin.take().expect("it is a pipe");
        let from_server = server.stdout.take().expect("it is a pipe");
        to_server.write_all(request)?;
        let delay = Duration::from_micros(self.delay.load(Ordering::Relaxed));
        std::thread::sleep(delay);
        // The client speaks first, by its request.
        let client_spoke = AtomicBool::new(true);
        let said_more = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let limit = match fault {
                    Some(Fault::CutAfter(limit) | Fault::StarveAfter(limit)) => Some(limit),
                    Some(
                        Fault::Close
                        | Fault::Hang
                        | Fault::CutAfterListing
                        | Fault::DropAnswer
                        | Fault::SwallowAnswer,
                    )
                    | None => None,
                };
                let mut sent = 0;
                carry(client, to_server, delay, |chunk| {
                    client_spoke.store(true, Ordering::SeqCst);
                    // A lone flush takes leave; nothing is asked by it.
                    if chunk != b"0000" {
                        said_more.store(true, Ordering::SeqCst);
                    }
                    sent += chunk.len() as u64;
                    match limit {
                        Some(limit) if sent > limit => {
                            let over = usize::try_from(sent - limit).unwrap_or(chunk.len());
                            chunk.truncate(chunk.len().saturating_sub(over));
                            Carry::Last
                        }
                        Some(_) | None => Carry::On,
                    }
                });
                if matches!(fault, Some(Fault::CutAfter(_))) {
                    let _ = client.shutdown(Shutdown::Both);
                }
            });
            carry(from_server, client, delay, |chunk| {
                if client_spoke.swap(false, Ordering::SeqCst) {
                    self.round_trips.fetch_add(1, Ordering::SeqCst);
                }
                let dropped = matches!(fault, Some(Fault::DropAnswer | Fault::SwallowAnswer));
                if dropped && said_more.load(Ordering::SeqCst) {
                    chunk.clear();
                }
                // The list of references ends with a flush, and what follows is the client's.
                if fault == Some(Fault::CutAfterListing) && chunk.ends_with(b"0000") {
                    return Carry::Last;
                }
                Carry::On
            });
            // The server is done. A client that is to wait for its answer waits until it gives up.
            if fault != Some(Fault::SwallowAnswer) {
                let _ = client.shutdown(Shutdown::Both);
            }
        });
        Ok(())
    }
}

#[derive(PartialEq, Eq)]
enum Carry {
    On,
    /// This chunk, then the end.
    Last,
}

/// Carries bytes from one side to the other, each chunk `delay` later than it came, until either ends.
fn carry(
    mut from: impl Read,
    mut to: impl Write + Send,
    delay: Duration,
    mut see: impl FnMut(&mut Vec<u8>) -> Carry,
) {
    let (sender, chunks) = mpsc::channel::<(Instant, Vec<u8>)>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for (due, chunk) in chunks {
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                if to.write_all(&chunk).and_then(|()| to.flush()).is_err() {
                    return;
                }
            }
        });
        let mut buffer = vec![0; 65536];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let mut chunk = buffer[..count].to_vec();
            let then = see(&mut chunk);
            if sender.send((Instant::now() + delay, chunk)).is_err() || then == Carry::Last {
                break;
            }
        }
        drop(sender);
    });
}

/// One packet line, its length included.
fn read_packet(from: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut packet = vec![0; 4];
    from.read_exact(&mut packet)?;
    let length = std::str::from_utf8(&packet).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
    packet.resize(length.unwrap_or(4).max(4), 0);
    from.read_exact(&mut packet[4..])?;
    Ok(packet)
}
