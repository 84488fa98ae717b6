//! The repositories: how each is made, and what the agent does in it.

/// A repository that is not as most are.
pub(super) struct Odd {
    /// What is odd, for the table.
    pub(super) name: &'static str,
    /// A script for `sh -e` in a repository with one commit on `main`.
    pub(super) setup: &'static str,
    /// What ralph does.
    pub(super) agent: &'static str,
    /// Where baton is started.
    pub(super) directory: &'static str,
}

const WRITES: &str = "echo 1 > made.txt";

/// Two branches that change the same line.
macro_rules! conflicting {
    ($then:literal) => {
        concat!(
            "echo 0 > f; git add f; git commit -qm f; git switch -qc side; echo 1 > f; git commit -qam side; ",
            "git switch -q main; echo 2 > f; git commit -qam main; ",
            $then
        )
    };
}

const fn odd(name: &'static str, setup: &'static str, agent: &'static str) -> Odd {
    Odd { name, setup, agent, directory: "." }
}

const fn elsewhere(
    name: &'static str,
    directory: &'static str,
    setup: &'static str,
    agent: &'static str,
) -> Odd {
    Odd { name, setup, agent, directory }
}

pub(super) const ROWS: &[Odd] = &[
    odd("as most are", "true", WRITES),
    odd("a branch without commits", "git checkout -q --orphan empty", WRITES),
    odd("a detached HEAD", "git checkout -q --detach", WRITES),
    odd("a merge in progress", conflicting!("git merge -q side || true"), WRITES),
    odd("a rebase in progress", conflicting!("git rebase -q side || true"), WRITES),
    odd("a cherry-pick in progress", conflicting!("git cherry-pick side || true"), WRITES),
    odd("a revert in progress", conflicting!("git revert --no-edit HEAD~1 || true"), WRITES),
    odd("a bisect in progress", "git bisect start -q", WRITES),
    odd("an `index.lock` that stays", "touch .git/index.lock", WRITES),
    odd("a `refs/heads/main.lock` that stays", "touch .git/refs/heads/main.lock", WRITES),
    elsewhere("a linked work tree", "../linked", "git worktree add -q ../linked -b linked", WRITES),
    elsewhere(
        "a workspace below the root; the agent writes outside it too",
        "sub",
        "mkdir sub; git mv orchestration.yaml prompts sub; git commit -qm sub",
        "echo 1 > made.txt; echo 1 > ../outside.txt",
    ),
    odd(
        "a submodule; the agent changes a file in it",
        "git init -q ../inner; git -C ../inner -c user.name=I -c user.email=i@x commit -q --allow-empty -m i; \
         git -c protocol.file.allow=always submodule --quiet add ../inner sub; git commit -qm sub",
        "echo 1 > made.txt; echo 1 > sub/dirty",
    ),
    odd(
        "a submodule; the agent commits in it",
        "git init -q ../inner; git -C ../inner -c user.name=I -c user.email=i@x commit -q --allow-empty -m i; \
         git -c protocol.file.allow=always submodule --quiet add ../inner sub; git commit -qm sub",
        "echo 1 > made.txt; git -C sub -c maintenance.auto=false -c gc.auto=0 -c user.name=I -c user.email=i@x commit -q --allow-empty -m more",
    ),
    odd(
        "the agent adds a submodule",
        "git init -q ../inner; git -C ../inner -c user.name=I -c user.email=i@x commit -q --allow-empty -m i",
        "echo 1 > made.txt; git -c protocol.file.allow=always submodule --quiet add ../inner sub",
    ),
    odd("the agent makes a repository inside", "true", "echo 1 > made.txt; git init -q in; echo 1 > in/f"),
    odd(
        "the agent makes a directory that looks like a repository",
        "true",
        "mkdir -p in/.git; echo 1 > in/.git/HEAD; echo 1 > in/f; echo 1 > made.txt",
    ),
    elsewhere(
        "a shallow clone",
        "../shallow",
        "git clone -q --depth 1 \"file://$PWD\" ../shallow; git -C ../shallow config user.name S; \
         git -C ../shallow config user.email s@x",
        WRITES,
    ),
    odd(
        "a sparse checkout",
        "mkdir in out; echo 1 > in/f; echo 1 > out/f; git add in out; git commit -qm dirs; \
         git sparse-checkout set in prompts",
        "echo 2 > in/f; echo 1 > made.txt",
    ),
    odd(
        "a sparse index",
        "mkdir in out; echo 1 > in/f; echo 1 > out/f; git add in out; git commit -qm dirs; \
         git sparse-checkout set --sparse-index in prompts",
        WRITES,
    ),
    odd(
        "LFS attributes, no filter configured",
        "echo '*.bin filter=lfs diff=lfs merge=lfs -text' > .gitattributes; git add .gitattributes; git commit -qm lfs",
        "echo 1 > made.txt; echo 1 > data.bin",
    ),
    odd(
        "LFS attributes and a filter",
        "echo '*.bin filter=lfs diff=lfs merge=lfs -text' > .gitattributes; git add .gitattributes; git commit -qm lfs; \
         git config filter.lfs.clean 'tr a-z A-Z'; git config filter.lfs.smudge 'tr A-Z a-z'",
        "echo 1 > made.txt; echo abc > data.bin",
    ),
    odd(
        "the agent makes a file executable",
        "echo 1 > run.sh; git add run.sh; git commit -qm run",
        "chmod +x run.sh",
    ),
    odd(
        "`core.fileMode=false`; the agent makes a file executable",
        "git config core.fileMode false; echo 1 > run.sh; git add run.sh; git commit -qm run",
        "chmod +x run.sh; echo 1 > made.txt",
    ),
    odd(
        "the agent links to a file, a directory, nothing",
        "mkdir dir; echo 1 > dir/f; git add dir; git commit -qm dir",
        "ln -s dir/f to-file; ln -s dir to-directory; ln -s nowhere dangling",
    ),
    odd(
        "names with spaces, quotes, line breaks, leading dashes, non-UTF-8",
        "true",
        "echo 1 > 'a space'; echo 1 > 'a\"quote'; echo 1 > ./-dash; echo 1 > ':(glob)x'; \
         echo 1 > \"$(printf 'new\\nline')\"; echo 1 > \"$(printf 'latin-\\351')\"",
    ),
    odd(
        "the agent changes the case of a name",
        "echo 1 > Name; git add Name; git commit -qm name",
        "mv Name name",
    ),
    odd(
        "`core.ignoreCase`; the agent changes the case of a name",
        "git config core.ignoreCase true; echo 1 > Name; git add Name; git commit -qm name",
        "mv Name name; echo 1 > made.txt",
    ),
    odd(
        "`core.precomposeUnicode`; a decomposed name",
        "git config core.precomposeUnicode true",
        "echo 1 > \"$(printf 'e\\314\\201')\"",
    ),
    odd(
        "`core.autocrlf=true`",
        "printf 'a\\nb\\n' > text; git add text; git commit -qm text; git config core.autocrlf true",
        "printf 'a\\r\\nb\\r\\nc\\r\\n' > text; printf 'x\\r\\n' > new",
    ),
    odd(
        "`core.autocrlf=input`",
        "printf 'a\\nb\\n' > text; git add text; git commit -qm text; git config core.autocrlf input",
        "printf 'a\\r\\nb\\r\\n' > text; printf 'x\\r\\n' > new",
    ),
    odd(
        "the attributes `text eol=crlf`",
        "echo '*.txt text eol=crlf' > .gitattributes; printf 'a\\r\\n' > t.txt; git add .; git commit -qm text",
        "printf 'a\\r\\nb\\r\\n' > t.txt; printf 'x\\n' > new.txt",
    ),
    odd("the agent makes an empty directory", "true", "mkdir -p empty/er; echo 1 > made.txt"),
    odd("the agent writes 12 MB", "true", "head -c 12000000 /dev/zero > huge; echo 1 > made.txt"),
    odd("the agent makes a FIFO", "true", "mkfifo pipe; echo 1 > made.txt"),
    odd(
        "a FIFO in the place of a file",
        "echo 1 > f; git add f; git commit -qm f",
        "rm f; mkfifo f; echo 1 > made.txt",
    ),
    odd(
        "a directory in the place of a file",
        "echo 1 > f; git add f; git commit -qm f",
        "rm f; mkdir f; echo 1 > f/g",
    ),
    odd(
        "a file in the place of a directory",
        "mkdir f; echo 1 > f/g; git add f; git commit -qm f",
        "rm -r f; echo 1 > f",
    ),
    odd(
        "1,000 branches and tags",
        "for i in $(seq 500); do echo \"create refs/heads/b$i HEAD\"; echo \"create refs/tags/t$i HEAD\"; done \
         | git update-ref --stdin",
        WRITES,
    ),
    odd(
        "parts of the workspace are ignored",
        "printf 'ignored/\\n*.log\\n' > .gitignore; git add .gitignore; git commit -qm ignore",
        "mkdir ignored; echo 1 > ignored/f; echo 1 > a.log; echo 1 > made.txt",
    ),
    odd("grafts", "git rev-parse HEAD > .git/info/grafts", WRITES),
    odd("a replaced commit", "git commit -q --allow-empty -m second; git replace --graft HEAD", WRITES),
    elsewhere(
        "alternates",
        "../borrower",
        "git clone -q --shared . ../borrower; git -C ../borrower config user.name S; \
         git -C ../borrower config user.email s@x",
        WRITES,
    ),
    odd(
        "`extensions.worktreeConfig`",
        "git config extensions.worktreeConfig true; git config --worktree core.bare false",
        WRITES,
    ),
    odd("packed references", "git pack-refs --all; git gc -q", WRITES),
    odd(
        "SHA-256 object names",
        "rm -rf .git; git init -q -b main --object-format=sha256; git config user.name S; git config user.email s@x; git add .; git commit -qm s",
        WRITES,
    ),
    odd(
        "references as a reftable",
        "rm -rf .git; git init -q -b main --ref-format=reftable; git config user.name S; git config user.email s@x; git add .; git commit -qm s",
        WRITES,
    ),
    odd("a split index", "git update-index --split-index", WRITES),
];
