//! The stream of messages that Claude Code writes, and others after its example: `system`, `assistant`, `user`, and `result`
//! as the report of the end. What differs between them is a [`Dialect`].

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::model::{OutcomeClass, Usage};

use super::super::lines::{Event, Line, count, object, word};
use super::super::reader::{Adapter, Closing, Conclusion, Failure, Told};
use super::super::reset_time::{from_epoch, is_plausible};
use super::super::{Sighting, WaitReason, Waiting};
use super::tool_call::{summary_of_call, summary_of_result};

/// How many messages may still change what they say they used.
const OPEN_MESSAGES: usize = 32;

/// What sets one CLI's stream apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    /// Input tokens are counted without those that came from a cache.
    pub(super) cached_apart: bool,
    /// The report's usage is that of the whole session.
    pub(super) counts_session: bool,
    /// Finds the provider's error in a reply, though the report calls it a success. Told whether the last message counts
    /// no tokens.
    pub(super) error_in: fn(&str, bool) -> Option<&str>,
    /// Finds a wait in a line that is no event.
    pub(super) wait_in: fn(&str) -> Option<Waiting>,
}

/// Claude Code's own.
pub(super) const PLAIN_DIALECT: Dialect =
    Dialect { cached_apart: true, counts_session: false, error_in: |_, _| None, wait_in: |_| None };

/// Reads the stream of one attempt.
#[derive(Debug)]
pub(super) struct Messages {
    dialect: Dialect,
    session: Option<String>,
    /// The texts of the agent's last message.
    said: String,
    said_in: String,
    usage: Running,
    /// What the provider said was wrong, by the last message of the agent.
    error_kind: Option<String>,
    retries: u64,
    /// A limit of the plan was reached.
    is_rejected: bool,
    /// When that limit ends, if that was said.
    resets_at: Option<Timestamp>,
    /// The report of the end; an event of the agent after it makes it void.
    result: Option<Event>,
}

/// What messages used. Events of one message repeat its usage, also with those of others between them.
#[derive(Debug, Default)]
struct Running {
    settled: Usage,
    open: VecDeque<(String, Usage)>,
}

impl Running {
    fn note(&mut self, message: &str, usage: Usage) {
        if let Some((_, known)) = self.open.iter_mut().find(|(id, _)| id == message) {
            *known = usage;
            return;
        }
        self.open.push_back((message.to_owned(), usage));
        if self.open.len() > OPEN_MESSAGES
            && let Some((_, usage)) = self.open.pop_front()
        {
            self.settled = self.settled.plus(usage);
        }
    }

    fn sum(&self) -> Usage {
        self.open.iter().fold(self.settled, |sum, (_, usage)| sum.plus(*usage))
    }
}

impl Messages {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            session: None,
            said: String::new(),
            said_in: String::new(),
            usage: Running::default(),
            error_kind: None,
            retries: 0,
            is_rejected: false,
            resets_at: None,
            result: None,
        }
    }

    /// One event of the stream.
    pub(super) fn event(&mut self, event: Event, now: Timestamp, seen: &mut Vec<Sighting>) {
        self.note_session(&event, seen);
        match word(&event, "type") {
            "assistant" => self.assistant(&event, seen),
            "user" => self.user(&event, seen),
            "system" => self.system(&event, now, seen),
            "rate_limit_event" => self.rate_limit(&event, seen),
            "result" => {
                seen.push(Sighting::Used(self.reported_usage(&event)));
                self.result = Some(event);
            }
            other => seen.push(Sighting::Other(other.to_owned())),
        }
    }

    fn note_session(&mut self, event: &Event, seen: &mut Vec<Sighting>) {
        let session = word(event, "session_id");
        if !session.is_empty() && self.session.as_deref() != Some(session) {
            self.session = Some(session.to_owned());
            seen.push(Sighting::Session(session.to_owned()));
        }
    }

    fn assistant(&mut self, event: &Event, seen: &mut Vec<Sighting>) {
        self.result = None;
        let Some(message) = object(event, "message") else { return };
        // What a sub-agent says is not the reply.
        let is_own = event.get("parent_tool_use_id").is_none_or(Value::is_null);
        if is_own {
            let kind = word(event, "error");
            self.error_kind = (!kind.is_empty()).then(|| kind.to_owned());
        }
        let id = word(message, "id");
        for block in message.get("content").and_then(Value::as_array).into_iter().flatten() {
            let Some(block) = block.as_object() else { continue };
            match word(block, "type") {
                "text" => {
                    let text = word(block, "text");
                    if is_own {
                        self.hear(id, text);
                    }
                    if !text.trim().is_empty() {
                        seen.push(Sighting::Said(text.to_owned()));
                    }
                }
                "tool_use" | "server_tool_use" => seen.push(Sighting::ToolStarted {
                    id: some(word(block, "id")),
                    name: word(block, "name").to_owned(),
                    summary: object(block, "input").map(summary_of_call).unwrap_or_default(),
                }),
                _ => {}
            }
        }
        if let Some(usage) = object(message, "usage") {
            self.usage.note(id, self.tokens(usage));
            seen.push(Sighting::Used(self.usage.sum()));
        }
    }

    /// Keeps the texts of one message together; those of the one before are not the reply.
    fn hear(&mut self, message: &str, text: &str) {
        if message.is_empty() || self.said_in != message {
            self.said.clear();
            message.clone_into(&mut self.said_in);
        }
        self.said.push_str(text);
    }

    fn user(&mut self, event: &Event, seen: &mut Vec<Sighting>) {
        self.result = None;
        let content = object(event, "message").and_then(|message| message.get("content"));
        for block in content.and_then(Value::as_array).into_iter().flatten() {
            let Some(block) = block.as_object().filter(|block| word(block, "type") == "tool_result") else {
                continue;
            };
            seen.push(Sighting::ToolEnded {
                id: some(word(block, "tool_use_id")),
                failed: block.get("is_error") == Some(&Value::Bool(true)),
                summary: block.get("content").map(summary_of_result).unwrap_or_default(),
            });
        }
    }

    fn system(&mut self, event: &Event, now: Timestamp, seen: &mut Vec<Sighting>) {
        match word(event, "subtype") {
            "api_retry" => {
                self.retries += 1;
                let reason = match (count(event, "error_status"), word(event, "error")) {
                    (_, "rate_limit") | (429, _) => WaitReason::RateLimit,
                    (_, "overloaded") | (529 | 503, _) => WaitReason::Overloaded,
                    _ => WaitReason::Retry,
                };
                let delay =
                    i64::try_from(count(event, "retry_delay_ms")).ok().map(SignedDuration::from_millis);
                seen.push(Sighting::Waiting(Waiting {
                    reason,
                    attempt: event.get("attempt").and_then(Value::as_u64),
                    of: event.get("max_retries").and_then(Value::as_u64),
                    until: delay.and_then(|delay| now.checked_add(delay).ok()),
                }));
            }
            // A run begins: what was reported before was another's.
            "init" => self.result = None,
            other => seen.push(Sighting::Other(format!("system/{other}"))),
        }
    }

    fn rate_limit(&mut self, event: &Event, seen: &mut Vec<Sighting>) {
        let info = object(event, "rate_limit_info");
        if info.map(|info| word(info, "status")) != Some("rejected") {
            seen.push(Sighting::Other("rate_limit_event".to_owned()));
            return;
        }
        let until = info.and_then(|info| info.get("resetsAt")?.as_i64()).and_then(from_epoch);
        self.is_rejected = true;
        self.resets_at = until;
        seen.push(Sighting::Waiting(Waiting {
            reason: WaitReason::RateLimit,
            attempt: None,
            of: None,
            until,
        }));
    }

    fn tokens(&self, usage: &Event) -> Usage {
        let cached = count(usage, "cache_read_input_tokens");
        let input = count(usage, "input_tokens");
        let apart = cached.saturating_add(count(usage, "cache_creation_input_tokens"));
        Usage {
            input_tokens: if self.dialect.cached_apart { input.saturating_add(apart) } else { input },
            output_tokens: count(usage, "output_tokens"),
            cached_tokens: cached,
            ..Usage::default()
        }
    }

    /// What the report says was used.
    fn reported_usage(&self, result: &Event) -> Usage {
        let by_model =
            result.get("modelUsage").and_then(Value::as_object).filter(|models| !models.is_empty());
        // The models' account has sub-agents and small helpers in it, the other one has not.
        let tokens = match by_model {
            Some(models) => models
                .values()
                .filter_map(Value::as_object)
                .map(tokens_of_model)
                .fold(Usage::default(), Usage::plus),
            None => object(result, "usage").map(|usage| self.tokens(usage)).unwrap_or_default(),
        };
        Usage {
            cost_usd: result.get("total_cost_usd").and_then(Value::as_f64).filter(|cost| *cost >= 0.0),
            ..tokens
        }
    }

    fn conclude(&self, result: &Event, now: Timestamp) -> Conclusion {
        let text = word(result, "result");
        let subtype = word(result, "subtype");
        let is_error = result.get("is_error") == Some(&Value::Bool(true));
        let status = result
            .get("api_error_status")
            .and_then(Value::as_u64)
            .and_then(|status| u16::try_from(status).ok());
        let is_uncounted = self.usage.open.back().is_some_and(|(_, usage)| usage.tokens() == 0);
        if let Some(error) = (self.dialect.error_in)(text, is_uncounted) {
            return Conclusion::Failed(Failure::of(None, None, error, now));
        }
        if subtype.starts_with("error") {
            return Conclusion::Failed(execution_failure(subtype, result, now));
        }
        // Some versions have called an error of the provider a success, and exit code 0 too.
        if is_error || status.is_some() || self.error_kind.is_some() {
            return Conclusion::Failed(self.provider_failure(status, text, now));
        }
        match refused_tools(result) {
            Some(tools) => Conclusion::Failed(Failure {
                class: OutcomeClass::Denied,
                detail: format!("it was refused the permission for: {tools}"),
            }),
            None if subtype == "success" => Conclusion::Finished,
            None => Conclusion::Failed(Failure::plain(format!("its final report says `{subtype}`: {text}"))),
        }
    }

    fn provider_failure(&self, status: Option<u16>, text: &str, now: Timestamp) -> Failure {
        let mut failure = Failure::of(status, self.error_kind.as_deref(), text, now);
        let until = self.resets_at.filter(|until| is_plausible(*until, now));
        // It tries again unless the provider asks for a wait that is longer than it would.
        let gave_up_at_once = status == Some(429) && self.retries == 0;
        let may_be_limit = status.is_none_or(|status| status == 429);
        failure.class = match failure.class {
            OutcomeClass::Overloaded if gave_up_at_once || (self.is_rejected && may_be_limit) => {
                OutcomeClass::Limited { until }
            }
            OutcomeClass::Limited { until: said } => OutcomeClass::Limited { until: until.or(said) },
            class => class,
        };
        failure
    }
}

impl Adapter for Messages {
    fn stdout(&mut self, line: &Line<'_>, now: Timestamp, seen: &mut Vec<Sighting>) {
        seen.extend((self.dialect.wait_in)(&line.text).map(Sighting::Waiting));
        for event in line.events() {
            self.event(event, now, seen);
        }
    }

    fn finish(&mut self, closing: &Closing<'_>) -> Told {
        let summed = self.usage.sum();
        let Some(result) = self.result.take() else {
            return Told {
                text: std::mem::take(&mut self.said),
                conclusion: Conclusion::Missing,
                usage: summed,
                cumulative: None,
                session: self.session.take(),
                terminal: None,
            };
        };
        let reported = self.reported_usage(&result);
        let (usage, cumulative) = if self.dialect.counts_session {
            (if summed.tokens() == 0 { reported } else { summed }, Some(reported))
        } else {
            (reported, None)
        };
        let text = word(&result, "result");
        Told {
            text: if text.is_empty() { std::mem::take(&mut self.said) } else { text.to_owned() },
            conclusion: self.conclude(&result, closing.at),
            usage,
            cumulative,
            session: self.session.take(),
            terminal: Some(format!("result {}", word(&result, "subtype")).trim_end().to_owned()),
        }
    }
}

fn tokens_of_model(usage: &Event) -> Usage {
    let cached = count(usage, "cacheReadInputTokens");
    let input = count(usage, "inputTokens").saturating_add(cached);
    Usage {
        input_tokens: input.saturating_add(count(usage, "cacheCreationInputTokens")),
        output_tokens: count(usage, "outputTokens"),
        cached_tokens: cached,
        ..Usage::default()
    }
}

/// The run was ended by the CLI itself.
fn execution_failure(subtype: &str, result: &Event, now: Timestamp) -> Failure {
    let errors: Vec<&str> = result
        .get("errors")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let told = if errors.is_empty() {
        [word(result, "error"), word(result, "result")]
            .into_iter()
            .find(|text| !text.is_empty())
            .unwrap_or_default()
            .to_owned()
    } else {
        errors.join("; ")
    };
    let detail = if told.is_empty() { subtype.to_owned() } else { format!("{subtype}: {told}") };
    match subtype {
        // The provider may have been the cause.
        "error_during_execution" | "error" => Failure { detail, ..Failure::of(None, None, &told, now) },
        _ => Failure::plain(detail),
    }
}

/// The tools that it was not permitted to use. Questions to a person are not among them: nobody is there to answer, and
/// the agent goes on without.
fn refused_tools(result: &Event) -> Option<String> {
    let denials = result.get("permission_denials").and_then(Value::as_array)?;
    let mut tools: Vec<String> = Vec::new();
    for denial in denials.iter().filter_map(Value::as_object) {
        let name = word(denial, "tool_name");
        let asks =
            ["AskUserQuestion", "ask_user_question", "ExitPlanMode", "exit_plan_mode", "EnterPlanMode"];
        if asks.contains(&name) || tools.len() >= 8 {
            continue;
        }
        let about = object(denial, "tool_input").map(summary_of_call).unwrap_or_default();
        let tool = format!("{name} {about}").trim().to_owned();
        if !tools.contains(&tool) {
            tools.push(tool);
        }
    }
    (!tools.is_empty()).then(|| tools.join(", "))
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
