//! A git server over HTTP on loopback: requests are read here and answered by the system's `git http-backend`, one process a
//! request. Nothing listens once it is dropped.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// The server. All repositories below its directory can be read and pushed to.
pub(crate) struct WebServer {
    port: u16,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

struct Shared {
    base: PathBuf,
    stop: AtomicBool,
    /// Before each answer, in microseconds.
    delay: AtomicU64,
    connections: AtomicUsize,
    requests: AtomicUsize,
    open: Mutex<Vec<(TcpStream, JoinHandle<()>)>>,
}

/// One request with its whole body.
struct Request {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

impl WebServer {
    /// Serves what lies below this directory.
    pub(crate) fn new(base: &Path) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            base: base.to_owned(),
            stop: AtomicBool::new(false),
            delay: AtomicU64::new(0),
            connections: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            open: Mutex::default(),
        });
        let listening = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.listen(&listener))
        };
        Self { port, shared, listening: Some(listening) }
    }

    /// The address of a repository below the directory.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/{name}", self.port)
    }

    /// Each answer takes this long from now on.
    pub(crate) fn delay_round_trips(&self, by: Duration) {
        self.shared.delay.store(u64::try_from(by.as_micros()).unwrap(), Ordering::Relaxed);
    }

    /// How many connections and how many requests there were so far.
    pub(crate) fn traffic(&self) -> (usize, usize) {
        (self.shared.connections.load(Ordering::SeqCst), self.shared.requests.load(Ordering::SeqCst))
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // `accept` returns only for somebody.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        let _ = self.listening.take().map(JoinHandle::join);
        let open = std::mem::take(&mut *self.shared.open.lock().unwrap_or_else(PoisonError::into_inner));
        for (stream, serving) in open {
            let _ = stream.shutdown(Shutdown::Both);
            let _ = serving.join();
        }
    }
}

impl Shared {
    fn listen(self: &Arc<Self>, listener: &TcpListener) {
        loop {
            let Ok((client, _)) = listener.accept() else { continue };
            if self.stop.load(Ordering::SeqCst) {
                return;
            }
            self.connections.fetch_add(1, Ordering::SeqCst);
            let (shared, end) = (Arc::clone(self), client.try_clone().unwrap());
            let serving = std::thread::spawn(move || drop(shared.serve(&client)));
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.retain(|(_, serving)| !serving.is_finished());
            open.push((end, serving));
        }
    }

    /// Answers request after request until the client has no more.
    fn serve(&self, client: &TcpStream) -> std::io::Result<()> {
        client.set_nodelay(true)?;
        let mut from = BufReader::new(client);
        while let Some(request) = read_request(&mut from, client)? {
            self.requests.fetch_add(1, Ordering::SeqCst);
            let answer = self.answer(&request)?;
            std::thread::sleep(Duration::from_micros(self.delay.load(Ordering::Relaxed)));
            (&*client).write_all(&answer)?;
        }
        client.shutdown(Shutdown::Both)
    }

    /// What `git http-backend` says, as an answer of HTTP.
    fn answer(&self, request: &Request) -> std::io::Result<Vec<u8>> {
        let mut backend = Command::new("git")
            .args(["-c", "core.fsync=none", "-c", "http.receivepack=true", "http-backend"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.base)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("LC_ALL", "C")
            .env("GIT_PROJECT_ROOT", &self.base)
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("REQUEST_METHOD", &request.method)
            .env("PATH_INFO", &request.path)
            .env("QUERY_STRING", &request.query)
            .env("REMOTE_ADDR", "127.0.0.1")
            .env("CONTENT_LENGTH", request.body.len().to_string())
            .env("CONTENT_TYPE", request.header("Content-Type").unwrap_or_default())
            .envs(request.header("Content-Encoding").map(|value| ("HTTP_CONTENT_ENCODING", value)))
            .envs(request.header("Git-Protocol").map(|value| ("GIT_PROTOCOL", value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut stdin = backend.stdin.take().expect("it is a pipe");
        let body = request.body.clone();
        // Both pipes are small.
        let asking = std::thread::spawn(move || stdin.write_all(&body));
        let said = backend.wait_with_output()?.stdout;
        // A backend that refuses need not read all of it.
        let _ = asking.join();
        let end = said.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(said.len());
        let head = String::from_utf8_lossy(&said[..end]).into_owned();
        let body = said.get(end + 4..).unwrap_or_default();
        let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK");
        let mut answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len());
        for line in head.lines().filter(|line| !line.starts_with("Status: ")) {
            answer += line;
            answer += "\r\n";
        }
        answer += "\r\n";
        Ok([answer.as_bytes(), body].concat())
    }
}

/// The next request; `None` where the client has closed the connection.
fn read_request(
    from: &mut BufReader<&TcpStream>,
    mut client: &TcpStream,
) -> std::io::Result<Option<Request>> {
    let first = read_line(from)?;
    let mut words = first.split(' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request = Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    loop {
        let line = read_line(from)?;
        let Some((name, value)) = line.split_once(':') else { break };
        request.headers.push((name.to_owned(), value.trim().to_owned()));
    }
    if request.header("Expect").is_some() {
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    if request.header("Transfer-Encoding") == Some("chunked") {
        loop {
            let size = usize::from_str_radix(read_line(from)?.trim(), 16).unwrap_or(0);
            let start = request.body.len();
            request.body.resize(start + size, 0);
            from.read_exact(&mut request.body[start..])?;
            read_line(from)?;
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = request.header("Content-Length").and_then(|text| text.parse().ok()) {
        request.body.resize(length, 0);
        from.read_exact(&mut request.body)?;
    }
    Ok(Some(request))
}

/// Without its end.
fn read_line(from: &mut BufReader<&TcpStream>) -> std::io::Result<String> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
