//! What the scripted agent and the scripted `verify` commands did, in their own words.

/// One start of an agent or a `verify` command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deed {
    pub(crate) turn: String,
    /// A seat, or a `verify` command's name.
    pub(crate) who: String,
    pub(crate) iteration: u64,
    pub(crate) prompt: String,
    pub(crate) pid: i32,
    /// Its parent: the attempt's supervisor.
    pub(crate) supervisor: i32,
}

/// The notes so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Effects {
    lines: Vec<String>,
}

impl Effects {
    pub(crate) fn parse(text: &str) -> Self {
        Self { lines: text.lines().map(str::to_owned).collect() }
    }

    fn deeds(&self, verb: &str) -> Vec<Deed> {
        let deed = |line: &String| {
            let words: Vec<&str> = line.strip_prefix(verb)?.split_whitespace().collect();
            let [turn, who, iteration, prompt, pid, supervisor] = words[..] else { return None };
            Some(Deed {
                turn: turn.to_owned(),
                who: who.to_owned(),
                iteration: iteration.parse().unwrap(),
                prompt: prompt.to_owned(),
                pid: pid.parse().unwrap(),
                supervisor: supervisor.parse().unwrap(),
            })
        };
        self.lines.iter().filter_map(deed).collect()
    }

    /// Every start of an agent, router prompts included, in order.
    pub(crate) fn starts(&self) -> Vec<Deed> {
        self.deeds("start ")
    }

    /// The starts of one seat's own prompt in one iteration.
    pub(crate) fn starts_of(&self, who: &str, iteration: u64) -> Vec<Deed> {
        let wanted =
            |deed: &Deed| deed.who == who && deed.iteration == iteration && deed.prompt != "router.md";
        self.starts().into_iter().filter(wanted).collect()
    }

    /// The starts of the router prompt.
    pub(crate) fn router_starts(&self) -> Vec<Deed> {
        self.starts().into_iter().filter(|deed| deed.prompt == "router.md").collect()
    }

    /// Every start of a `verify` command, in order.
    pub(crate) fn checks(&self) -> Vec<Deed> {
        self.deeds("check ")
    }

    /// Whether a line begins so.
    pub(crate) fn has(&self, beginning: &str) -> bool {
        self.lines.iter().any(|line| line.starts_with(beginning))
    }
}
