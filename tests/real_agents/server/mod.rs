//! A model provider on loopback that answers as it is told: what the agents are driven against.
//!
//! The first part of a request's path names the [`Behaviour`]; what follows is the provider's own path, by which one of
//! four interfaces answers. No request leaves the machine, and no answer depends on what a model would say: the first
//! answer calls one tool that the agent offers, the next one is the last.

mod anthropic;
mod behaviour;
mod chat;
mod gemini;
mod http;
mod responses;
mod tools;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

pub(crate) use behaviour::{Behaviour, Refusal};
use http::{Answer, Request};

/// What every answer says that it used.
pub(crate) const INPUT_TOKENS: u64 = 1234;
/// Of the input, what came from a cache.
pub(crate) const CACHED_TOKENS: u64 = 200;
/// The other direction.
pub(crate) const OUTPUT_TOKENS: u64 = 56;
/// What is written into the file that the prompt names as `FILE=<path>`.
pub(crate) const CONTENT: &str = "written by the model\n";
/// The last thing an agent is told.
pub(crate) const FINAL: &str = "Done: wrote the file.";

/// One request that was answered.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) behaviour: Behaviour,
    /// How many prompts of ours the conversation holds.
    pub(crate) prompts: usize,
    /// Whether a tool was called already.
    pub(crate) was_called: bool,
}

#[derive(Debug, Default)]
struct Shared {
    seen: Mutex<Vec<Seen>>,
    /// What `/script/...` does from now on.
    scripted: Mutex<Option<Behaviour>>,
    stopped: AtomicBool,
}

/// A running server; dropping it ends all its threads.
#[derive(Debug)]
pub(crate) struct ModelServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl ModelServer {
    /// Listens on a free port of loopback.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if for_thread.stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(stream), shared) = (stream, Arc::clone(&for_thread)) else { continue };
                // A client that hangs up in the middle is what some behaviours are for.
                thread::spawn(move || serve(stream, &shared).ok());
            }
        });
        Self { address, shared }
    }

    /// The base address under which a behaviour answers, without a slash at its end.
    pub(crate) fn base(&self, behaviour: Behaviour) -> String {
        format!("http://{}/{behaviour}", self.address)
    }

    /// The base address whose behaviour can be changed while agents run.
    pub(crate) fn scripted_base(&self) -> String {
        format!("http://{}/script", self.address)
    }

    /// Changes what the scripted address does.
    pub(crate) fn behave(&self, behaviour: Behaviour) {
        *self.shared.scripted.lock().unwrap() = Some(behaviour);
    }

    /// All requests so far that a model would have answered.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut connection = http::Connection::new(stream)?;
    while let Some(request) = connection.read(&shared.stopped)? {
        answer(&request, Answer::new(&mut connection, &shared.stopped), shared)?;
        if connection.is_closed() {
            break;
        }
    }
    Ok(())
}

fn answer(request: &Request, mut to: Answer<'_>, shared: &Shared) -> io::Result<()> {
    let (word, rest) = request.path.trim_start_matches('/').split_once('/').unwrap_or((&request.path, ""));
    let rest = format!("/{rest}");
    let behaviour = match word {
        "script" => shared.scripted.lock().unwrap().unwrap_or(Behaviour::Good),
        word => match word.parse() {
            Ok(behaviour) => behaviour,
            Err(()) => return to.json(404, &[], &json!({ "error": { "message": "no such behaviour" } })),
        },
    };
    if let Some(ready) = small_question(&rest) {
        return to.json(200, &[], &ready);
    }
    let Some(interface) = Interface::of(&rest) else {
        return to.json(404, &[], &json!({ "error": { "message": format!("not found: {rest}") } }));
    };
    let text = String::from_utf8_lossy(&request.body);
    shared.seen.lock().unwrap().push(Seen {
        behaviour,
        prompts: text.matches("FILE=").count(),
        was_called: ["tool_result", "\"role\":\"tool\"", "_call_output", "functionResponse"]
            .iter()
            .any(|mark| text.contains(mark)),
    });
    if behaviour == Behaviour::Hang {
        return to.wait_for_hang_up();
    }
    if let Some(refusal) = behaviour.refusal() {
        let (headers, body) = match interface {
            Interface::Anthropic => anthropic::refuse(refusal),
            Interface::Chat | Interface::Responses => chat::refuse(refusal),
            Interface::Gemini => gemini::refuse(refusal),
        };
        return to.json(refusal.status(), &headers, &body);
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
    match interface {
        Interface::Anthropic => anthropic::answer(&mut to, behaviour, &body, &text),
        Interface::Chat => chat::answer(&mut to, behaviour, &body, &text),
        Interface::Responses => responses::answer(&mut to, behaviour, &body, &text),
        Interface::Gemini => gemini::answer(&mut to, behaviour, &body, &text, &rest),
    }
}

/// What agents ask beside the conversation.
fn small_question(path: &str) -> Option<Value> {
    if path.ends_with("/count_tokens") {
        return Some(json!({ "input_tokens": INPUT_TOKENS }));
    }
    if path.contains(":countTokens") {
        return Some(json!({ "totalTokens": INPUT_TOKENS }));
    }
    path.ends_with("/models").then(|| {
        let model = |id: &str| json!({ "id": id, "object": "model", "created": 1, "owned_by": "nobody" });
        json!({ "object": "list", "data": [model("fake-model")] })
    })
}

#[derive(Debug, Clone, Copy)]
enum Interface {
    Anthropic,
    Chat,
    Responses,
    Gemini,
}

impl Interface {
    fn of(path: &str) -> Option<Self> {
        if path.ends_with("/messages") {
            Some(Self::Anthropic)
        } else if path.ends_with("/chat/completions") {
            Some(Self::Chat)
        } else if path.ends_with("/responses") {
            Some(Self::Responses)
        } else if path.contains(":generateContent") || path.contains(":streamGenerateContent") {
            Some(Self::Gemini)
        } else {
            None
        }
    }
}

/// A name that no other answer has.
fn fresh_id(prefix: &str) -> String {
    use std::sync::atomic::AtomicU64;
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{prefix}_{:020}", NEXT.fetch_add(1, Ordering::Relaxed))
}
