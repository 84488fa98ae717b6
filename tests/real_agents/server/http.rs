//! As much of HTTP/1.1 as agents speak: requests with a length or in chunks, answers as JSON or as an event stream.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::Behaviour;

/// How often a waiting connection looks whether the server has stopped.
const LOOK: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub(super) struct Request {
    /// Without the query.
    pub(super) path: String,
    pub(super) body: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct Connection {
    reader: BufReader<TcpStream>,
    closed: bool,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LOOK))?;
        Ok(Self { reader: BufReader::new(stream), closed: false })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// The next request; `None` when the client has hung up or the server has stopped.
    pub(super) fn read(&mut self, stopped: &AtomicBool) -> io::Result<Option<Request>> {
        let first = self.line(stopped)?;
        let mut words = first.split_whitespace();
        let (Some(_method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
        let path = target.split('?').next().unwrap_or_default().to_owned();
        let (mut length, mut chunked) = (0, false);
        loop {
            let header = self.line(stopped)?;
            let Some((name, value)) = header.trim_end().split_once(':') else { break };
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap_or(0),
                "transfer-encoding" => chunked = value.eq_ignore_ascii_case("chunked"),
                "expect" => self.write(b"HTTP/1.1 100 Continue\r\n\r\n")?,
                _ => {}
            }
        }
        let body = if chunked { self.chunks(stopped)? } else { self.exactly(length, stopped)? };
        Ok(Some(Request { path, body }))
    }

    fn chunks(&mut self, stopped: &AtomicBool) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = self.line(stopped)?;
            let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
            body.extend(self.exactly(size, stopped)?);
            self.line(stopped)?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn line(&mut self, stopped: &AtomicBool) -> io::Result<String> {
        let mut line = Vec::new();
        patiently(stopped, || self.reader.read_until(b'\n', &mut line))?;
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    fn exactly(&mut self, length: usize, stopped: &AtomicBool) -> io::Result<Vec<u8>> {
        let mut body = vec![0; length];
        let mut filled = 0;
        while filled < length {
            let count = patiently(stopped, || self.reader.read(&mut body[filled..]))?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            filled += count;
        }
        Ok(body)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.reader.get_mut().write_all(bytes)
    }
}

/// Reads again after a time-out, until the server has stopped.
fn patiently(stopped: &AtomicBool, mut read: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match read() {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                if stopped.load(Ordering::Relaxed) {
                    return Err(io::ErrorKind::Interrupted.into());
                }
            }
            read => return read,
        }
    }
}

/// The answer to one request.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    connection: &'a mut Connection,
    stopped: &'a AtomicBool,
}

impl<'a> Answer<'a> {
    pub(super) fn new(connection: &'a mut Connection, stopped: &'a AtomicBool) -> Self {
        Self { connection, stopped }
    }

    pub(super) fn json(&mut self, status: u16, headers: &[(String, String)], body: &Value) -> io::Result<()> {
        let body = body.to_string();
        let headers: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let headers = headers.concat();
        let answer = format!(
            "HTTP/1.1 {status} Answer\r\ncontent-type: application/json\r\ncontent-length: {}\r\nrequest-id: req_1\r\n{headers}\r\n{body}",
            body.len()
        );
        self.connection.write(answer.as_bytes())
    }

    /// The same with the status 200, whose connection is dropped in the middle where that is the behaviour.
    pub(super) fn whole(&mut self, behaviour: Behaviour, body: &Value) -> io::Result<()> {
        if behaviour != Behaviour::Cut {
            return self.json(200, &[], body);
        }
        let body = body.to_string();
        let (begin, length) = (&body[..body.floor_char_boundary(body.len() / 2)], body.len());
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length";
        self.connection.write(format!("{head}: {length}\r\n\r\n{begin}").as_bytes())?;
        self.drop_connection()
    }

    pub(super) fn begin_events(&mut self) -> io::Result<()> {
        self.connection.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n\
              transfer-encoding: chunked\r\n\r\n",
        )
    }

    /// One event; its name is given where the interface names its events.
    pub(super) fn event(&mut self, name: Option<&str>, data: &Value) -> io::Result<()> {
        let name = name.map(|name| format!("event: {name}\n")).unwrap_or_default();
        self.chunk(&format!("{name}data: {data}\n\n"))
    }

    pub(super) fn chunk(&mut self, text: &str) -> io::Result<()> {
        self.connection.write(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes())
    }

    pub(super) fn end_events(&mut self) -> io::Result<()> {
        self.connection.write(b"0\r\n\r\n")
    }

    pub(super) fn drop_connection(&mut self) -> io::Result<()> {
        self.connection.closed = true;
        self.connection.reader.get_ref().shutdown(Shutdown::Both)
    }

    /// Reads until the client hangs up, and answers nothing.
    pub(super) fn wait_for_hang_up(&mut self) -> io::Result<()> {
        self.connection.closed = true;
        let mut ignored = [0; 512];
        while patiently(self.stopped, || self.connection.reader.read(&mut ignored))? > 0 {}
        Ok(())
    }

    /// Waits a second, or until the client hangs up.
    pub(super) fn pause(&mut self) -> io::Result<()> {
        let mut ignored = [0; 512];
        for _ in 0..5 {
            match self.connection.reader.read(&mut ignored) {
                Ok(0) => return Err(io::ErrorKind::BrokenPipe.into()),
                Err(error)
                    if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
                {
                    return Err(error);
                }
                Ok(_) | Err(_) => {}
            }
            if self.stopped.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::Interrupted.into());
            }
        }
        Ok(())
    }
}
