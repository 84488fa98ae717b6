//! What a rule is.

/// How a kind of secret is recognised inside a file.
#[derive(Debug)]
pub struct ContentRule {
    /// Its name in findings: lower case, with hyphens; part of every fingerprint, so it never changes.
    pub id: &'static str,
    /// What it recognises, for the documentation.
    pub what: &'static str,
    /// Lower-case ASCII; at least one of them stands in every match, in whatever case. The pattern is tried only there.
    pub keywords: &'static [&'static str],
    /// A pattern over bytes, without Unicode. Its first group is the secret.
    pub pattern: &'static str,
    /// How far a match may begin before a keyword, in bytes.
    pub before: usize,
    /// How far it may go from a keyword on, in bytes.
    pub after: usize,
    /// The least Shannon entropy of a secret, in bits a byte: lower is called a placeholder.
    pub entropy: f64,
    /// Whether a secret has letters and digits both: where the form is loose, words are not secrets.
    pub mixed: bool,
    /// Texts in which it finds a secret, each in parts, so that no scanner takes this table for a leak.
    pub examples: &'static [&'static [&'static str]],
    /// Texts that look like it and in which no rule may find anything.
    pub look_alikes: &'static [&'static [&'static str]],
}

impl ContentRule {
    /// A rule for tokens that begin with their keyword and have a fixed form.
    pub(super) const fn token(
        id: &'static str,
        what: &'static str,
        keywords: &'static [&'static str],
        pattern: &'static str,
    ) -> Self {
        Self {
            id,
            what,
            keywords,
            pattern,
            before: 1,
            after: 512,
            entropy: 2.8,
            mixed: false,
            examples: &[],
            look_alikes: &[],
        }
    }

    pub(super) const fn around(mut self, before: usize, after: usize) -> Self {
        self.before = before;
        self.after = after;
        self
    }

    pub(super) const fn entropy(mut self, bits: f64) -> Self {
        self.entropy = bits;
        self
    }

    pub(super) const fn mixed(mut self) -> Self {
        self.mixed = true;
        self
    }

    pub(super) const fn finds(mut self, examples: &'static [&'static [&'static str]]) -> Self {
        self.examples = examples;
        self
    }

    pub(super) const fn leaves(mut self, look_alikes: &'static [&'static [&'static str]]) -> Self {
        self.look_alikes = look_alikes;
        self
    }
}
