//! Finding an agent's program, also in the usual install folders that cron's bare PATH leaves out.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use crate::agent::{Sought, Wanted};
use crate::ambient::Ambient;

/// Folders below the home directory in which agent CLIs are installed.
const HOME_FOLDERS: [&str; 7] =
    [".local/bin", ".claude/local", "bin", ".npm-global/bin", ".bun/bin", ".cargo/bin", ".opencode/bin"];
const SYSTEM_FOLDERS: [&str; 4] = ["/usr/local/bin", "/opt/homebrew/bin", "/usr/bin", "/bin"];

/// Looks for a program; what is found is absolute. Where it is a wrapper, its native program is preferred.
pub fn seek_program(wanted: Wanted<'_>, workspace: &Path, ambient: &Ambient) -> Sought {
    match seek_name(wanted.program, workspace, ambient) {
        Sought::Found(wrapper) => Sought::Found(native_of(&wrapper, wanted.native).unwrap_or(wrapper)),
        other => other,
    }
}

/// The program that a package's wrapper starts: in a `node_modules` folder beside the wrapper's own file or above it.
fn native_of(wrapper: &Path, native: &[&str]) -> Option<PathBuf> {
    if native.is_empty() {
        return None;
    }
    let own = fs::canonicalize(wrapper).ok()?;
    own.ancestors().skip(1).map(|folder| folder.join("node_modules")).find_map(|modules| {
        native
            .iter()
            .map(|relative| modules.join(relative))
            .find(|path| matches!(examine(path.clone()), Sought::Found(_)))
    })
}

fn seek_name(name: &str, workspace: &Path, ambient: &Ambient) -> Sought {
    if name.contains('/') {
        let expanded = match (name.strip_prefix("~/"), ambient.path_var("HOME")) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => workspace.join(name),
        };
        return examine(expanded);
    }
    let mut not_executable = None;
    for folder in folders(workspace, ambient) {
        match examine(folder.join(name)) {
            Sought::Found(path) => return Sought::Found(path),
            Sought::NotExecutable(path) => {
                not_executable.get_or_insert(path);
            }
            Sought::Nowhere => {}
        }
    }
    not_executable.map_or(Sought::Nowhere, Sought::NotExecutable)
}

fn folders(workspace: &Path, ambient: &Ambient) -> Vec<PathBuf> {
    let path = ambient.path_var("PATH").unwrap_or_default();
    let listed = std::env::split_paths(&path).filter(|folder| folder.is_absolute()).collect::<Vec<_>>();
    let home = ambient.path_var("HOME");
    let below_home = home.iter().flat_map(|home| HOME_FOLDERS.iter().map(move |folder| home.join(folder)));
    [workspace.join(".claude/local")]
        .into_iter()
        .chain(listed)
        .chain(below_home)
        .chain(SYSTEM_FOLDERS.iter().map(PathBuf::from))
        .collect()
}

fn examine(path: PathBuf) -> Sought {
    if !path.is_file() {
        return Sought::Nowhere;
    }
    match access(&path, Access::EXEC_OK) {
        Ok(()) => Sought::Found(path),
        Err(_) => Sought::NotExecutable(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt as _;

    fn plain(program: &str) -> Wanted<'_> {
        Wanted { program, native: &[] }
    }

    fn place(folder: &Path, name: &str, mode: u32) -> PathBuf {
        fs::create_dir_all(folder).unwrap();
        let path = folder.join(name);
        fs::write(&path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn ambient(home: &Path, path: &Path) -> Ambient {
        let env: BTreeMap<_, _> =
            [("HOME".into(), home.as_os_str().to_owned()), ("PATH".into(), path.as_os_str().to_owned())]
                .into();
        Ambient::fixed(jiff::Timestamp::UNIX_EPOCH, env)
    }

    #[test]
    fn a_program_is_found_on_the_path_then_in_the_usual_folders() {
        let directory = tempfile::tempdir().unwrap();
        let (home, bin) = (directory.path().join("home"), directory.path().join("bin"));
        let ambient = ambient(&home, &bin);
        let seek = || seek_program(plain("some-agent"), directory.path(), &ambient);
        assert_eq!(seek(), Sought::Nowhere);
        let local = place(&home.join(".local/bin"), "some-agent", 0o755);
        assert_eq!(seek(), Sought::Found(local));
        let on_path = place(&bin, "some-agent", 0o755);
        assert_eq!(seek(), Sought::Found(on_path));
    }

    #[test]
    fn a_path_is_taken_from_the_workspace_or_from_home() {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().join("home");
        let ambient = ambient(&home, Path::new("/nowhere"));
        let tool = place(&directory.path().join("tools"), "agent", 0o755);
        assert_eq!(seek_program(plain("tools/agent"), directory.path(), &ambient), Sought::Found(tool));
        let own = place(&home, "agent", 0o755);
        assert_eq!(seek_program(plain("~/agent"), directory.path(), &ambient), Sought::Found(own));
        assert_eq!(seek_program(plain("./missing"), directory.path(), &ambient), Sought::Nowhere);
    }

    #[test]
    fn a_wrapper_gives_way_to_the_program_that_it_would_start() {
        let directory = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(directory.path()).unwrap();
        let (bin, modules) = (root.join("bin"), root.join("lib/node_modules"));
        let ambient = ambient(&root.join("home"), &bin);
        let wrapper = place(&modules.join("@maker/agent/bin"), "agent.js", 0o755);
        fs::create_dir_all(&bin).unwrap();
        std::os::unix::fs::symlink(&wrapper, bin.join("agent")).unwrap();
        let wanted =
            Wanted { program: "agent", native: &["@maker/agent-other/agent", "@maker/agent-linux/agent"] };
        let seek = || seek_program(wanted, &root, &ambient);
        assert_eq!(seek(), Sought::Found(bin.join("agent")));
        let beside = place(&modules.join("@maker/agent-linux"), "agent", 0o755);
        assert_eq!(seek(), Sought::Found(beside));
        let below = place(&modules.join("@maker/agent/node_modules/@maker/agent-linux"), "agent", 0o755);
        assert_eq!(seek(), Sought::Found(below));
        assert_eq!(seek_program(plain("agent"), &root, &ambient), Sought::Found(bin.join("agent")));
    }

    #[test]
    fn a_file_that_cannot_be_executed_is_told_from_none() {
        let directory = tempfile::tempdir().unwrap();
        let tool = place(directory.path(), "agent", 0o644);
        let ambient = ambient(directory.path(), Path::new("/nowhere"));
        assert_eq!(
            seek_program(plain("./agent"), directory.path(), &ambient),
            Sought::NotExecutable(directory.path().join("./agent"))
        );
        assert!(tool.exists());
    }
}
