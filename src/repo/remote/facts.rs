//! Which git looks at a remote and which pushes to it, and why.

use std::fmt;
use std::path::PathBuf;

use super::address::{Address, Scheme};

/// What carries out one direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Engine {
    /// libgit2.
    Library,
    /// The installed git, at this path.
    Program(PathBuf),
    /// libgit2 on the remote repository itself, opened where it lies.
    Opened,
}

/// Why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Because {
    /// Nothing here needs the installed git.
    NothingNeeded,
    /// `git.backend` asks for it.
    Asked,
    /// The repository itself needs the installed git.
    Repository,
    /// Only the installed git knows how to reach this, in these words.
    Scheme(String),
    /// A push to a directory: the installed git runs the hooks there and honours its settings. Where there are none, and the
    /// directory is on the same disk, it is spared.
    Directory,
    /// The answer of the installed git is exact, and it runs the hook `pre-push`.
    Exact,
    /// No git is installed.
    NoGit,
    /// The clone is shallow.
    Shallow,
    /// This setting or variable is honoured by the installed git only.
    Setting(String),
    /// The remote has so many references, and libgit2 would list them all at each look.
    ManyReferences(usize),
    /// libgit2 stores a pack with each look that finds something; there are so many now, and git stores single objects.
    ManyPacks(usize),
    /// libgit2 could not look; the installed git could.
    LibraryFailed(String),
}

/// One direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// What carries it out.
    pub engine: Engine,
    /// Why that.
    pub because: Because,
}

/// What can be said about a remote without connecting to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFacts {
    /// Its name in the configuration.
    pub name: String,
    /// The branch, without `refs/heads/`.
    pub branch: String,
    /// Where it is looked at, without credentials.
    pub url: String,
    /// Where it is pushed to, if that is elsewhere; without credentials.
    pub push_url: Option<String>,
    /// How it is looked at.
    pub looks: Way,
    /// How it is pushed to.
    pub pushes: Way,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Library => f.write_str("built-in (git2)"),
            Self::Program(path) => write!(f, "installed ({})", path.display()),
            Self::Opened => f.write_str("built-in (git2), in the remote repository itself"),
        }
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingNeeded => f.write_str("nothing here needs the installed git"),
            Self::Asked => f.write_str("as `git.backend` asks for"),
            Self::Repository => f.write_str("as for all work in this repository"),
            Self::Scheme(scheme) => write!(f, "only it can reach {scheme}"),
            Self::Directory => f.write_str(
                "in a directory it runs the hooks and honours the settings that are there; without any, on the same \
                 disk, it is spared",
            ),
            Self::Exact => f.write_str("its answer is exact, and it runs the hook `pre-push`"),
            Self::NoGit => f.write_str("no git is installed"),
            Self::Shallow => f.write_str("the clone is shallow"),
            Self::Setting(key) => write!(f, "only it honours `{key}`"),
            Self::ManyReferences(count) => {
                write!(f, "the remote has {count} references, which the built-in git would list at each look")
            }
            Self::ManyPacks(count) => {
                write!(
                    f,
                    "there are {count} packs here, and the built-in git would add one at each look (`git gc` joins them)"
                )
            }
            Self::LibraryFailed(said) => write!(f, "the built-in git could not look ({said})"),
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.engine, self.because)
    }
}

/// One line a direction.
impl fmt::Display for RemoteFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "`{}` of `{}` ({})", self.branch, self.name, self.url)?;
        writeln!(f, "looks: {}", self.looks)?;
        write!(f, "pushes: {}", self.pushes)?;
        self.push_url.iter().try_for_each(|url| write!(f, " (to {url})"))
    }
}

/// What decides about the ways.
#[derive(Debug)]
pub(super) struct Question<'a> {
    pub(super) fetch: &'a Address,
    pub(super) push: &'a Address,
    /// The installed git.
    pub(super) program: Option<PathBuf>,
    /// Why the repository itself is worked with by the installed git; `None` where it is libgit2.
    pub(super) by_program: Option<Because>,
    /// `git.backend: git2`.
    pub(super) library_asked: bool,
    pub(super) is_shallow: bool,
    /// A setting that libgit2 would not honour for this address.
    pub(super) setting: Option<String>,
}

/// How to look and how to push; the scheme that would need a git where none is installed.
pub(super) fn decide_ways(question: &Question<'_>) -> Result<(Way, Way), Scheme> {
    Ok((decide_looks(question)?, decide_pushes(question)?))
}

fn decide_looks(question: &Question<'_>) -> Result<Way, Scheme> {
    if let Some(way) = common(question, question.fetch)? {
        return Ok(way);
    }
    let because = if question.is_shallow {
        Some(Because::Shallow)
    } else {
        question.setting.clone().map(Because::Setting)
    };
    Ok(match (&question.program, because) {
        (Some(program), Some(because)) => Way { engine: Engine::Program(program.clone()), because },
        (None, _) => Way { engine: Engine::Library, because: Because::NoGit },
        (Some(_), None) if question.library_asked => Way { engine: Engine::Library, because: Because::Asked },
        (Some(_), None) => Way { engine: Engine::Library, because: Because::NothingNeeded },
    })
}

fn decide_pushes(question: &Question<'_>) -> Result<Way, Scheme> {
    if let Some(way) = common(question, question.push)? {
        return Ok(way);
    }
    let is_local = question.push.is_local();
    Ok(match &question.program {
        Some(program) if is_local => {
            Way { engine: Engine::Program(program.clone()), because: Because::Directory }
        }
        None if is_local => Way { engine: Engine::Opened, because: Because::NoGit },
        None => Way { engine: Engine::Library, because: Because::NoGit },
        Some(_) if question.library_asked => Way { engine: Engine::Library, because: Because::Asked },
        Some(program) => Way { engine: Engine::Program(program.clone()), because: Because::Exact },
    })
}

/// What holds for both directions.
fn common(question: &Question<'_>, address: &Address) -> Result<Option<Way>, Scheme> {
    let only_program = match address.scheme() {
        Scheme::Path | Scheme::File | Scheme::Git | Scheme::Http => None,
        scheme @ (Scheme::Https | Scheme::Ssh | Scheme::Other(_)) => Some(scheme.clone()),
    };
    let because = match (&question.by_program, &only_program) {
        (Some(because), _) => because.clone(),
        (None, Some(scheme)) => Because::Scheme(scheme.to_string()),
        (None, None) => return Ok(None),
    };
    match &question.program {
        Some(program) => Ok(Some(Way { engine: Engine::Program(program.clone()), because })),
        None => Err(only_program.unwrap_or_else(|| address.scheme().clone())),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("/r", Some(false), false, "Library NothingNeeded", "Program Directory")]
    #[case("file:///r", Some(false), false, "Library NothingNeeded", "Program Directory")]
    #[case("git://h/r", Some(false), false, "Library NothingNeeded", "Program Exact")]
    #[case("http://h/r", Some(false), false, "Library NothingNeeded", "Program Exact")]
    #[case("https://h/r", Some(false), false, "Program Scheme(\"https://\")", "Program Scheme(\"https://\")")]
    #[case("h:r", Some(false), false, "Program Scheme(\"ssh\")", "Program Scheme(\"ssh\")")]
    #[case("/r", Some(true), false, "Library Asked", "Program Directory")]
    #[case("git://h/r", Some(true), false, "Library Asked", "Library Asked")]
    #[case("/r", None, false, "Library NoGit", "Opened NoGit")]
    #[case("git://h/r", None, false, "Library NoGit", "Library NoGit")]
    #[case("/r", Some(false), true, "Program Shallow", "Program Directory")]
    #[case("/r", None, true, "Library NoGit", "Opened NoGit")]
    fn the_address_decides_who_looks_and_who_pushes(
        #[case] url: &str,
        #[case] program_and_asked: Option<bool>,
        #[case] is_shallow: bool,
        #[case] looks: &str,
        #[case] pushes: &str,
    ) {
        let address = Address::parse(url);
        let question = Question {
            fetch: &address,
            push: &address,
            program: program_and_asked.map(|_| "/git".into()),
            by_program: None,
            library_asked: program_and_asked == Some(true),
            is_shallow,
            setting: None,
        };
        let shown = |way: &Way| {
            let engine = match way.engine {
                Engine::Library => "Library",
                Engine::Program(_) => "Program",
                Engine::Opened => "Opened",
            };
            format!("{engine} {:?}", way.because)
        };
        let (look, push) = decide_ways(&question).unwrap();
        assert_eq!((shown(&look).as_str(), shown(&push).as_str()), (looks, pushes));
    }

    #[rstest]
    #[case("https://h/r", Scheme::Https)]
    #[case("git@h:r", Scheme::Ssh)]
    fn what_only_git_can_reach_needs_one(#[case] url: &str, #[case] scheme: Scheme) {
        let address = Address::parse(url);
        let question = Question {
            fetch: &address,
            push: &address,
            program: None,
            by_program: None,
            library_asked: false,
            is_shallow: false,
            setting: None,
        };
        assert_eq!(decide_ways(&question), Err(scheme));
    }
}
