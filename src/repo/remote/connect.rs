//! From a name in the configuration to a remote that can be asked: its address, and which git asks it. Connects to nothing.

use std::cell::{OnceCell, RefCell};
use std::ffi::{OsStr, OsString};

use super::super::backend::Backend;
use super::super::choice::Choice;
use super::super::error::RepoError;
use super::super::library::Library;
use super::super::open::Repo;
use super::super::program::GitProgram;
use super::address::{Address, Scheme};
use super::facts::{Because, Question, RemoteFacts, decide_ways};
use super::handle::Remote;
use super::library::LibraryLink;
use super::link::Link;
use super::program::ProgramLink;
use crate::ambient::Ambient;

/// A handle of one's own to a repository that is open already, for another thread.
pub(in super::super) struct Own {
    pub(in super::super) backend: Box<dyn Backend>,
    pub(in super::super) library: Option<Library>,
    pub(in super::super) program: Option<GitProgram>,
}

const KEYS: [&str; 8] = [
    "core.sshcommand",
    "core.gitproxy",
    "http.proxy",
    "http.extraheader",
    "credential.helper",
    "protocol.allow",
    "protocol.file.allow",
    "url.insteadof",
];

impl Repo {
    /// A branch of a remote, with a handle of its own. Connects to nothing yet; which git will look and push is decided here.
    pub fn remote(&self, name: &str, branch: &str) -> Result<Remote, RepoError> {
        let own = self.backend.own()?;
        let (fetch, push) = addresses(&own, name)?;
        let place = own.backend.place().clone();
        let settings = own.backend.settings(&KEYS)?;
        let program = own.program.as_ref().map(|program| program.path().to_owned());
        let question = Question {
            fetch: &fetch,
            push: &push,
            program,
            by_program: own.library.is_none().then_some(match self.choice {
                Choice::ProgramAsAsked(_) => Because::Asked,
                Choice::Library | Choice::LibraryAsAsked(_) | Choice::Program(..) => Because::Repository,
            }),
            library_asked: matches!(self.choice, Choice::LibraryAsAsked(_)),
            is_shallow: place.common_dir.join("shallow").is_file(),
            setting: setting_for(&fetch, &settings, &place.ambient),
        };
        let (looks, pushes) = decide_ways(&question).map_err(|scheme| RepoError::RemoteNeedsGit {
            name: name.to_owned(),
            url: fetch.shown().to_owned(),
            scheme: scheme.to_string(),
        })?;
        let facts = RemoteFacts {
            name: name.to_owned(),
            branch: branch.to_owned(),
            url: fetch.shown().to_owned(),
            push_url: (push != fetch).then(|| push.shown().to_owned()),
            looks,
            pushes,
        };
        let ssh = ssh_command(&place.ambient, settings[0].as_deref());
        let has_own_receiver = own.backend.settings(&[&format!("remote.{name}.receivepack")])?[0].is_some();
        let takes_short_way = push.is_local() && !has_own_receiver;
        let pushes_in_place = takes_short_way
            && facts.pushes.because == Because::Directory
            && setting_for(&push, &settings, &place.ambient).is_none();
        let link = Link {
            name: name.to_owned(),
            branch: branch.to_owned(),
            fetch,
            push,
            root: place.root.clone(),
            common_dir: place.common_dir.clone(),
            patience: self.place().lock_patience,
            limit: self.time_limit,
        };
        Ok(Remote {
            library: own
                .library
                .map(|library| LibraryLink::new(library, &place.workspace, &place.ambient, self.time_limit)),
            program: own.program.map(|program| ProgramLink::new(program, ssh, takes_short_way)),
            backend: own.backend,
            link,
            facts,
            switched: OnceCell::new(),
            chain: RefCell::default(),
            pushes_in_place,
        })
    }
}

/// Where a remote is looked at and pushed to. Two addresses of one kind are refused: the turn has one truth.
fn addresses(own: &Own, name: &str) -> Result<(Address, Address), RepoError> {
    let settings = own.backend.remote_settings();
    let values = |part: &str| {
        let key = format!("remote.{name}.{part}");
        settings.iter().filter(|(set, _)| *set == key).map(|(_, url)| url.clone()).collect::<Vec<_>>()
    };
    let (urls, push_urls) = (values("url"), values("pushurl"));
    let Some(url) = urls.first() else {
        let mut known: Vec<String> = settings
            .iter()
            .filter_map(|(key, _)| Some(key.strip_prefix("remote.")?.strip_suffix(".url")?.to_owned()))
            .collect();
        known.dedup();
        return Err(RepoError::NoRemote { name: name.to_owned(), known });
    };
    if urls.len() > 1 || push_urls.len() > 1 {
        return Err(RepoError::ManyAddresses {
            name: name.to_owned(),
            count: urls.len().max(push_urls.len()),
        });
    }
    let (fetch, push) = match (&own.library, &own.program) {
        (Some(library), _) => library
            .git
            .find_remote(name)
            .and_then(|remote| {
                let url = remote.url()?.to_owned();
                let push = remote.pushurl()?.map_or_else(|| url.clone(), str::to_owned);
                Ok((url, push))
            })
            .map_err(library.failed("read the configuration of a remote"))?,
        (None, Some(program)) => program_addresses(program, name)?,
        (None, None) => (url.clone(), push_urls.first().unwrap_or(url).clone()),
    };
    Ok((Address::parse(&fetch), Address::parse(&push)))
}

fn program_addresses(program: &GitProgram, name: &str) -> Result<(String, String), RepoError> {
    let ask = |which: &[&str]| {
        let answer = program.look(&["remote", "get-url"]).arguments(which).arguments([name]).run();
        let answer = answer.map_err(program.failed("read the configuration of a remote"))?;
        Ok(String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned())
    };
    Ok((ask(&[])?, ask(&["--push"])?))
}

/// What libgit2 would not honour at this address.
fn setting_for(address: &Address, settings: &[Option<String>], ambient: &Ambient) -> Option<String> {
    let set = |key: &str| {
        let at = KEYS.iter().position(|known| *known == key)?;
        settings[at].as_ref().map(|_| key.to_owned())
    };
    let variable = |name: &str| ambient.var(name).filter(|value| !value.is_empty()).map(|_| name.to_owned());
    let first = |keys: &[&str]| keys.iter().find_map(|key| set(key));
    match address.scheme() {
        Scheme::Path | Scheme::File => first(&["protocol.allow", "protocol.file.allow"]),
        Scheme::Git => first(&["core.gitproxy", "protocol.allow"]).or_else(|| variable("GIT_PROXY_COMMAND")),
        Scheme::Http => first(&["http.proxy", "http.extraheader", "credential.helper", "protocol.allow"])
            .or_else(|| ["http_proxy", "all_proxy", "ALL_PROXY"].iter().find_map(|name| variable(name))),
        Scheme::Https | Scheme::Ssh | Scheme::Other(_) => None,
    }
}

/// `GIT_SSH_COMMAND` with which ssh asks nothing; `None` leaves the user's own way alone.
fn ssh_command(ambient: &Ambient, configured: Option<&str>) -> Option<OsString> {
    const QUIET: &str = " -o BatchMode=yes";
    let own = ambient.var("GIT_SSH_COMMAND").or(configured).filter(|command| !command.trim().is_empty());
    if let Some(own) = own {
        let program = own.split_whitespace().next().unwrap_or_default();
        let is_ssh = program == "ssh" || program.ends_with("/ssh");
        let is_plain = !own.contains(['|', '&', ';', '#', '\n', '>', '<']);
        return (is_ssh && is_plain).then(|| format!("{}{QUIET}", own.trim_end()).into());
    }
    if ambient.env().contains_key(OsStr::new("GIT_SSH")) {
        return None;
    }
    Some(format!("ssh{QUIET}").into())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(&[], None, Some("ssh -o BatchMode=yes"))]
    #[case(&[], Some("ssh -i key "), Some("ssh -i key -o BatchMode=yes"))]
    #[case(&[("GIT_SSH_COMMAND", "/usr/bin/ssh -F f")], Some("ssh -i key"), Some("/usr/bin/ssh -F f -o BatchMode=yes"))]
    #[case(&[], Some("plink -batch"), None)]
    #[case(&[], Some("ssh -i key; true"), None)]
    #[case(&[("GIT_SSH", "/opt/ssh")], None, None)]
    fn ssh_asks_nothing_and_a_command_of_the_users_own_is_kept(
        #[case] env: &[(&str, &str)],
        #[case] configured: Option<&str>,
        #[case] command: Option<&str>,
    ) {
        let env: BTreeMap<OsString, OsString> =
            env.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let ambient = Ambient::fixed("2026-01-02T03:04:05Z".parse().unwrap(), env);
        assert_eq!(ssh_command(&ambient, configured), command.map(OsString::from));
    }
}
