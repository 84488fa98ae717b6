//! Where a remote lies: its scheme, and its address without anything secret.

use std::fmt;
use std::path::{Path, PathBuf};

/// How a remote is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scheme {
    /// A directory.
    Path,
    /// `file://`.
    File,
    /// `git://`.
    Git,
    /// `http://`.
    Http,
    /// `https://`.
    Https,
    /// `ssh://` or `host:path`.
    Ssh,
    /// Anything else, such as a helper of git's.
    Other(String),
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Path => "a path",
            Self::File => "file://",
            Self::Git => "git://",
            Self::Http => "http://",
            Self::Https => "https://",
            Self::Ssh => "ssh",
            Self::Other(name) => name,
        })
    }
}

/// An address. Only [`Address::shown`] may be shown.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Address {
    full: String,
    shown: String,
    scheme: Scheme,
}

/// Without what is secret.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Address {
    /// Reads an address as git does: `scheme://`, `helper::`, `host:path`, or a path.
    pub(super) fn parse(url: &str) -> Self {
        let scheme = scheme_of(url);
        Self { full: url.to_owned(), shown: without_secrets(url), scheme }
    }

    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    pub(super) const fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// Whether it lies in the file system.
    pub(super) const fn is_local(&self) -> bool {
        matches!(self.scheme, Scheme::Path | Scheme::File)
    }

    /// Whether it is a path that depends on where git runs.
    pub(super) fn is_relative(&self) -> bool {
        self.scheme == Scheme::Path && Path::new(&self.full).is_relative()
    }

    /// The directory; `root` is where git would run.
    pub(super) fn directory(&self, root: &Path) -> Option<PathBuf> {
        match self.scheme {
            Scheme::Path => Some(root.join(&self.full)),
            Scheme::File => {
                let rest = self.full.get("file://".len()..)?;
                let path = rest.strip_prefix("localhost").filter(|path| path.starts_with('/'));
                Some(PathBuf::from(percent_decoded(path.unwrap_or(rest))))
            }
            Scheme::Git | Scheme::Http | Scheme::Https | Scheme::Ssh | Scheme::Other(_) => None,
        }
    }

    /// The text with this address, and any credentials in an address, taken out.
    pub(super) fn hide(&self, text: &str) -> String {
        let text = text.replace(&self.full, &self.shown);
        let mut clean = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(at) = rest.find("://") {
            let (before, after) = rest.split_at(at + "://".len());
            clean.push_str(before);
            let end = after.find(|c: char| c.is_whitespace() || "/'\"".contains(c)).unwrap_or(after.len());
            let host = after[..end].rfind('@').map_or(0, |at| at + 1);
            let user = after[..host].strip_suffix('@').unwrap_or_default();
            // A name without a password is how ssh is addressed.
            if !user.is_empty() && before.ends_with("ssh://") && !user.contains(':') {
                clean.push_str(&after[..host]);
            }
            clean.push_str(&after[host..end]);
            rest = &after[end..];
        }
        clean.push_str(rest);
        clean
    }
}

fn scheme_of(url: &str) -> Scheme {
    if let Some((scheme, _)) = url.split_once("://")
        && !scheme.is_empty()
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.:".contains(&byte))
    {
        return match scheme.to_ascii_lowercase().as_str() {
            "file" => Scheme::File,
            "git" => Scheme::Git,
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            "ssh" | "git+ssh" | "ssh+git" => Scheme::Ssh,
            _ => Scheme::Other(format!("{scheme}://")),
        };
    }
    if let Some((helper, _)) = url.split_once("::")
        && !helper.is_empty()
        && helper.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    {
        return Scheme::Other(format!("{helper}::"));
    }
    let colon = url.find(':');
    let slash = url.find('/').unwrap_or(url.len());
    if colon.is_some_and(|colon| colon < slash) { Scheme::Ssh } else { Scheme::Path }
}

/// Without name and password, and without a query, where tokens hide too; ssh keeps the name.
fn without_secrets(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = match host.rsplit_once('@') {
        Some((user, host)) if scheme_of(url) == Scheme::Ssh => {
            format!("{}@{host}", user.split(':').next().unwrap_or_default())
        }
        Some((_, host)) => host.to_owned(),
        None => host.to_owned(),
    };
    let path = if scheme_of(url) == Scheme::File { path } else { path.split('?').next().unwrap_or_default() };
    format!("{scheme}://{host}{path}")
}

fn percent_decoded(text: &str) -> std::ffi::OsString {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let decoded = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match decoded {
            Some(byte) if first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    std::os::unix::ffi::OsStringExt::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("/srv/r.git", Scheme::Path, "/srv/r.git")]
    #[case("../r.git", Scheme::Path, "../r.git")]
    #[case("./a:b", Scheme::Path, "./a:b")]
    #[case("file:///srv/r.git", Scheme::File, "file:///srv/r.git")]
    #[case("git://host/r", Scheme::Git, "git://host/r")]
    #[case("http://me:secret@host:8080/r?token=secret", Scheme::Http, "http://host:8080/r")]
    #[case("https://secret@host/r", Scheme::Https, "https://host/r")]
    #[case("HTTPS://secret@host/r", Scheme::Https, "HTTPS://host/r")]
    #[case("ssh://git:secret@host/r", Scheme::Ssh, "ssh://git@host/r")]
    #[case("git@host:r.git", Scheme::Ssh, "git@host:r.git")]
    #[case("ext::sh -c x", Scheme::Other("ext::".into()), "ext::sh -c x")]
    #[case("ftp://u:secret@host/r", Scheme::Other("ftp://".into()), "ftp://host/r")]
    fn addresses_are_read_as_git_reads_them_and_shown_without_secrets(
        #[case] url: &str,
        #[case] scheme: Scheme,
        #[case] shown: &str,
    ) {
        let address = Address::parse(url);
        assert_eq!((address.scheme(), address.shown()), (&scheme, shown));
        assert!(!format!("{address:?}").contains("secret"));
    }

    #[test]
    fn what_git_says_is_shown_without_credentials() {
        let address = Address::parse("https://me:secret@host/r");
        let said = "fatal: unable to access 'https://me:secret@host/r/': and http://other:secret@there 'ssh://git@x/y'";
        assert_eq!(
            address.hide(said),
            "fatal: unable to access 'https://host/r/': and http://there 'ssh://git@x/y'"
        );
    }

    #[rstest]
    #[case("/srv/r", "/srv/r")]
    #[case("r", "/root/r")]
    #[case("file:///srv/a%20b", "/srv/a b")]
    #[case("file://localhost/srv", "/srv")]
    fn directories_are_where_git_would_find_them(#[case] url: &str, #[case] path: &str) {
        assert_eq!(Address::parse(url).directory(Path::new("/root")), Some(PathBuf::from(path)));
    }
}
