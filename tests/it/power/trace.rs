//! Reads what `strace -f -y -xx` wrote: every string and path is in hexadecimal, so that nothing in it can be mistaken.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// A change of the file system, or a promise of durability. Paths are absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Open {
        task: u32,
        fd: u32,
        path: PathBuf,
        create: bool,
        truncate: bool,
        append: bool,
    },
    /// At the descriptor's own place.
    Write {
        task: u32,
        fd: u32,
        path: PathBuf,
        data: Vec<u8>,
    },
    WriteAt {
        path: PathBuf,
        offset: u64,
        data: Vec<u8>,
    },
    Seek {
        task: u32,
        fd: u32,
        offset: u64,
    },
    Duplicate {
        task: u32,
        from: u32,
        to: u32,
    },
    SetSize {
        path: PathBuf,
        size: u64,
    },
    /// Space set aside: the file has at least this size.
    Reserve {
        path: PathBuf,
        size: u64,
    },
    Sync {
        path: PathBuf,
    },
    SyncAll,
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Link {
        from: PathBuf,
        to: PathBuf,
    },
    Symlink {
        target: PathBuf,
        path: PathBuf,
    },
    Remove {
        path: PathBuf,
    },
    MakeDirectory {
        path: PathBuf,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { path, .. } => write!(f, "open {}", path.display()),
            Self::Write { path, .. } | Self::WriteAt { path, .. } => write!(f, "write {}", path.display()),
            Self::Seek { fd, .. } => write!(f, "seek {fd}"),
            Self::Duplicate { from, to, .. } => write!(f, "dup {from} {to}"),
            Self::SetSize { path, size } => write!(f, "resize {} to {size}", path.display()),
            Self::Reserve { path, .. } => write!(f, "reserve {}", path.display()),
            Self::Sync { path } => write!(f, "fsync {}", path.display()),
            Self::SyncAll => write!(f, "syncfs"),
            Self::Rename { from, to } => write!(f, "rename {} to {}", from.display(), to.display()),
            Self::Link { from, to } => write!(f, "link {} to {}", from.display(), to.display()),
            Self::Symlink { path, .. } => write!(f, "symlink {}", path.display()),
            Self::Remove { path } => write!(f, "remove {}", path.display()),
            Self::MakeDirectory { path } => write!(f, "mkdir {}", path.display()),
        }
    }
}

/// The calls that succeeded, in the order of their ends. A relative path of a call that does not say where it starts is taken
/// from where its process is: in `cwd` at first, then where its parent was, then where it went.
pub(crate) fn parse_trace(text: &str, cwd: &Path) -> Vec<Event> {
    let mut begun: BTreeMap<u32, String> = BTreeMap::new();
    let parents = parents(text);
    let mut places: BTreeMap<u32, PathBuf> = BTreeMap::new();
    let mut events = Vec::new();
    for line in text.lines() {
        let Some((task, rest)) = line.split_once(' ') else { continue };
        let Ok(task) = task.parse::<u32>() else { panic!("not a line of strace: {line}") };
        let rest = rest.trim_start();
        if !places.contains_key(&task) {
            // A child may speak before its parent is told of it.
            let place = parents.get(&task).and_then(|parent| places.get(parent));
            places.insert(task, place.map_or_else(|| cwd.to_owned(), Clone::clone));
        }
        let whole = if let Some(start) = rest.strip_suffix("<unfinished ...>") {
            begun.insert(task, start.trim_end().to_owned());
            continue;
        } else if rest.starts_with("<... ") {
            let Some((_, end)) = rest.split_once(" resumed>") else { continue };
            let Some(start) = begun.remove(&task) else { continue };
            format!("{start}{end}")
        } else {
            rest.to_owned()
        };
        let place = &places[&task];
        if let Some(to) = changed_place(&whole, place) {
            places.insert(task, to);
        } else {
            events.extend(parse_call(task, &whole, place));
        }
    }
    events
}

/// Who started whom.
fn parents(text: &str) -> BTreeMap<u32, u32> {
    let mut parents = BTreeMap::new();
    for line in text.lines() {
        let Some((task, rest)) = line.split_once(' ') else { continue };
        let call = rest.trim_start().trim_start_matches("<... ");
        let starts = ["clone", "fork", "vfork"].iter().any(|name| call.starts_with(name));
        let child = call.rsplit_once(" = ").and_then(|(_, child)| child.trim().parse().ok());
        if let (true, Ok(task), Some(child)) = (starts, task.parse(), child) {
            parents.insert(child, task);
        }
    }
    parents
}

/// Where a process goes by this call.
fn changed_place(call: &str, place: &Path) -> Option<PathBuf> {
    let (name, rest) = call.split_once('(')?;
    let (argument, result) = rest.rsplit_once(" = ")?;
    if result.trim() != "0" {
        return None;
    }
    match name {
        "chdir" => Some(place.join(path_of(&unhex(quoted(argument)?)))),
        "fchdir" => annotated(argument),
        _ => None,
    }
}

fn parse_call(task: u32, call: &str, cwd: &Path) -> Option<Event> {
    let (name, rest) = call.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(" = ")?;
    let arguments = arguments.trim_end().strip_suffix(')')?;
    let code: i64 = result.split(['<', ' ']).next()?.parse().ok()?;
    if code < 0 {
        return None;
    }
    let words: Vec<&str> = arguments.split(", ").collect();
    let word = |n: usize| words.get(n).copied().unwrap_or_default();
    let string = |n: usize| path_of(&unhex(quoted(word(n)).unwrap_or_else(|| panic!("no path in {call}"))));
    let here = |n: usize| cwd.join(string(n));
    let at = |n: usize| annotated(word(n)).unwrap_or_else(|| cwd.to_owned()).join(string(n + 1));
    let number = |n: usize| -> u64 {
        word(n).trim_start_matches("0x").parse().unwrap_or_else(|_| panic!("no number {n} in {call}"))
    };
    let fd = |n: usize| -> u32 { word(n).split('<').next().unwrap_or_default().parse().unwrap_or(u32::MAX) };
    // All that was given to be written, less what was not taken.
    let data = || {
        let mut data: Vec<u8> = arguments.split('"').skip(1).step_by(2).flat_map(unhex).collect();
        data.truncate(usize::try_from(code).unwrap());
        data
    };
    let file = || annotated(word(0));
    Some(match name {
        "openat" | "open" | "creat" => Event::Open {
            task,
            fd: u32::try_from(code).unwrap(),
            path: annotated(result)?,
            create: name == "creat" || arguments.contains("O_CREAT"),
            truncate: name == "creat" || arguments.contains("O_TRUNC"),
            append: arguments.contains("O_APPEND"),
        },
        "write" | "writev" => Event::Write { task, fd: fd(0), path: file()?, data: data() },
        "pwrite64" | "pwritev" => {
            let offset = words.last()?.parse().unwrap_or_else(|_| panic!("no offset in {call}"));
            Event::WriteAt { path: file()?, offset, data: data() }
        }
        "lseek" => Event::Seek { task, fd: fd(0), offset: u64::try_from(code).unwrap() },
        "dup2" | "dup3" | "dup" => Event::Duplicate { task, from: fd(0), to: u32::try_from(code).unwrap() },
        "fcntl" if arguments.contains("F_DUPFD") => {
            Event::Duplicate { task, from: fd(0), to: u32::try_from(code).unwrap() }
        }
        "ftruncate" => Event::SetSize { path: file()?, size: number(1) },
        "truncate" => Event::SetSize { path: here(0), size: number(1) },
        "fallocate" => Event::Reserve { path: file()?, size: number(2) + number(3) },
        "fsync" | "fdatasync" => Event::Sync { path: file()? },
        "syncfs" | "sync" => Event::SyncAll,
        "rename" => Event::Rename { from: here(0), to: here(1) },
        "renameat" | "renameat2" => Event::Rename { from: at(0), to: at(2) },
        "link" => Event::Link { from: here(0), to: here(1) },
        "linkat" => Event::Link { from: at(0), to: at(2) },
        "symlink" => Event::Symlink { target: string(0), path: here(1) },
        "symlinkat" => Event::Symlink { target: string(0), path: at(1) },
        "unlink" | "rmdir" => Event::Remove { path: here(0) },
        "unlinkat" => Event::Remove { path: at(0) },
        "mkdir" => Event::MakeDirectory { path: here(0) },
        "mkdirat" => Event::MakeDirectory { path: at(0) },
        // Nothing of ours writes so; if that changes, the replay must learn it.
        "copy_file_range" | "sendfile" | "splice" if annotated(arguments).is_some() && code > 0 => {
            panic!("the replay does not know {name}: {call}")
        }
        _ => return None,
    })
}

/// The path that strace adds to a descriptor.
fn annotated(word: &str) -> Option<PathBuf> {
    let (_, rest) = word.split_once('<')?;
    let (path, _) = rest.split_once('>')?;
    path.starts_with("\\x2f").then(|| path_of(&unhex(path)))
}

fn quoted(word: &str) -> Option<&str> {
    word.split('"').nth(1)
}

fn unhex(text: &str) -> Vec<u8> {
    text.split("\\x").skip(1).map(|pair| u8::from_str_radix(&pair[..2], 16).unwrap()).collect()
}

fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    std::ffi::OsStr::from_bytes(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> String {
        use std::fmt::Write as _;
        text.bytes().fold(String::new(), |mut all, byte| {
            let _ = write!(all, "\\x{byte:02x}");
            all
        })
    }

    fn parse(text: &str) -> Vec<Event> {
        parse_trace(text, Path::new("/w"))
    }

    #[test]
    fn a_call_that_was_interrupted_by_another_process_is_put_together() {
        let (directory, file) = (hex("/w"), hex("/w/a"));
        let text = format!(
            "7 write(3<{file}>, \"{}\", 2 <unfinished ...>\n8 +++ exited with 0 +++\n\
             9 mkdirat(AT_FDCWD<{directory}>, \"{}\", 0777) = 0\n7 <... write resumed>) = 1\n",
            hex("ab"),
            hex("d"),
        );
        let made = Event::MakeDirectory { path: "/w/d".into() };
        let written = Event::Write { task: 7, fd: 3, path: "/w/a".into(), data: b"a".to_vec() };
        assert_eq!(parse(&text), [made, written]);
    }

    #[test]
    fn a_relative_path_starts_where_its_process_is() {
        let text = format!(
            "7 mkdir(\"{d}\", 0777) = 0\n7 clone3({{flags=CLONE_VFORK}}, 88 <unfinished ...>\n8 mkdir(\"{d}\", 0777) = 0\n\
             8 chdir(\"{x}\") = 0\n8 mkdir(\"{d}\", 0777) = 0\n7 <... clone3 resumed>) = 8\n\
             8 vfork() = 9\n9 mkdir(\"{d}\", 0777) = 0\n7 chdir(\"{x}\") = -1 ENOENT (No such file)\n7 mkdir(\"{d}\", 0777) = 0\n",
            d = hex("d"),
            x = hex("/x"),
        );
        let made = |path: &str| Event::MakeDirectory { path: path.into() };
        assert_eq!(parse(&text), [made("/w/d"), made("/w/d"), made("/x/d"), made("/x/d"), made("/w/d")]);
    }

    #[test]
    fn what_failed_changes_nothing_and_vectors_are_one_piece() {
        let file = hex("/w/a, \"b");
        let text = format!(
            "7 unlink(\"{0}\") = -1 ENOENT (No such file or directory)\n\
             7 writev(4<{1}>, [{{iov_base=\"{2}\", iov_len=1}}, {{iov_base=\"{3}\", iov_len=1}}], 2) = 2\n\
             7 pwrite64(4<{1}>, \"{2}\", 1, 4096) = 1\n\
             7 rename(\"{0}\", \"{2}\")    = 0\n",
            hex("gone"),
            file,
            hex("x"),
            hex("y"),
        );
        let path = PathBuf::from("/w/a, \"b");
        assert_eq!(
            parse(&text),
            [
                Event::Write { task: 7, fd: 4, path: path.clone(), data: b"xy".to_vec() },
                Event::WriteAt { path, offset: 4096, data: b"x".to_vec() },
                Event::Rename { from: "/w/gone".into(), to: "/w/x".into() },
            ]
        );
    }

    #[test]
    fn an_opened_file_is_known_by_the_path_that_the_system_gives() {
        let text = format!(
            "7 openat(AT_FDCWD<{}>, \"{}\", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 3<{}>\n7 fdatasync(3<{}>) = 0\n",
            hex("/w"),
            hex("../w/a"),
            hex("/w/a"),
            hex("/w/a"),
        );
        let path = PathBuf::from("/w/a");
        let open =
            Event::Open { task: 7, fd: 3, path: path.clone(), create: true, truncate: true, append: false };
        assert_eq!(parse(&text), [open, Event::Sync { path }]);
    }
}
