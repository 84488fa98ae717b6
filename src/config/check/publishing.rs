//! Publishing, git and the exchange of turns.

use super::super::node::{NodePath, shortened};
use super::super::publishing::{
    AllowedSecret, DocsConfig, PublishConfig, ReportsConfig, SecretsConfig, TrackedOutputsConfig, WorkConfig,
};
use super::super::sharing::{GitConfig, SyncConfig};
use super::Checker;
use crate::publish::secret::Fingerprint;

/// For sizes that cap what is committed.
const SWITCH_OFF: &str = "set `enabled: false` to commit nothing of this kind";

impl Checker<'_> {
    pub(super) fn publish(&mut self, publish: &mut PublishConfig) {
        let PublishConfig { reports, tracked_outputs, docs, work, secrets, protect } = publish;
        let at = NodePath::dotted("publish");
        self.reports(&at.key("reports"), reports);
        self.tracked_outputs(&at.key("tracked_outputs"), tracked_outputs);
        let DocsConfig { enabled: _, globs, max_file } = docs;
        self.globs(&at.key("docs").key("globs"), globs);
        self.more_than_nothing(&at.key("docs").key("max_file"), (*max_file).into(), SWITCH_OFF);
        let WorkConfig { enabled: _, actors: _, exclude, max_file, max_total } = work;
        let of_work = at.key("work");
        self.globs(&of_work.key("exclude"), exclude);
        self.more_than_nothing(&of_work.key("max_file"), (*max_file).into(), SWITCH_OFF);
        self.more_than_nothing(&of_work.key("max_total"), (*max_total).into(), SWITCH_OFF);
        self.secrets(&at.key("secrets"), secrets);
        self.globs(&at.key("protect"), protect);
    }

    fn reports(&mut self, at: &NodePath, reports: &mut ReportsConfig) {
        let ReportsConfig { enabled: _, extensions, globs, max_file, max_total, force_add } = reports;
        self.extensions(&at.key("extensions"), extensions);
        self.globs(&at.key("globs"), globs);
        self.more_than_nothing(&at.key("max_file"), (*max_file).into(), SWITCH_OFF);
        self.more_than_nothing(&at.key("max_total"), (*max_total).into(), SWITCH_OFF);
        self.globs(&at.key("force_add"), force_add);
    }

    fn tracked_outputs(&mut self, at: &NodePath, outputs: &mut TrackedOutputsConfig) {
        let TrackedOutputsConfig { enabled: _, globs, extensions, max_file, max_total } = outputs;
        self.globs(&at.key("globs"), globs);
        self.extensions(&at.key("extensions"), extensions);
        self.more_than_nothing(&at.key("max_file"), (*max_file).into(), SWITCH_OFF);
        self.more_than_nothing(&at.key("max_total"), (*max_total).into(), SWITCH_OFF);
    }

    fn secrets(&mut self, at: &NodePath, secrets: &SecretsConfig) {
        let SecretsConfig { enabled, allow, scanner } = secrets;
        if !*enabled {
            let message = "`publish.secrets.enabled` is false: nothing that leaves is scanned for secrets";
            self.note(&at.key("enabled"), message);
        }
        for (index, allowed) in allow.iter().enumerate() {
            let AllowedSecret { fingerprint, reason } = allowed;
            let at = at.key("allow").index(index);
            if let Err(error) = fingerprint.parse::<Fingerprint>() {
                let of = at.key("fingerprint");
                let message = format!("`{of}` is `{}`: {error}", shortened(fingerprint));
                self.refuse(&of, message, Some("copy it from the refusal that names the finding, in quotes"));
            }
            if reason.trim().is_empty() {
                let of = at.key("reason");
                self.refuse(&of, format!("`{of}` is empty"), Some("say why the finding is harmless"));
            }
        }
        if scanner.as_ref().is_some_and(|scanner| scanner.trim().is_empty()) {
            let of = at.key("scanner");
            self.refuse(
                &of,
                format!("`{of}` is empty"),
                Some("write a shell command line, or null for none"),
            );
        }
    }

    pub(super) fn git(&mut self, git: &GitConfig) {
        let GitConfig { backend: _, remote, timeout } = git;
        let at = NodePath::dotted("git");
        if remote.is_empty()
            || remote.starts_with('-')
            || remote.contains(|c: char| c.is_whitespace() || c.is_control())
        {
            let message = format!("`git.remote` is not the name of a remote: `{}`", shortened(remote));
            self.refuse(
                &at.key("remote"),
                message,
                Some("write a name that `git remote` lists, such as `origin`"),
            );
        }
        self.more_than_nothing(&at.key("timeout"), (*timeout).into(), "leave it out for 60s");
    }

    pub(super) fn sync(&mut self, sync: &SyncConfig) {
        let SyncConfig { loops, poll_interval: _, max_wait: _, lease, takeover: _ } = sync;
        let at = NodePath::dotted("sync");
        self.more_than_nothing(&at.key("loops"), (*loops).into(), "leave it out for 20");
        self.more_than_nothing(&at.key("lease"), (*lease).into(), "leave it out for 10m");
    }
}
