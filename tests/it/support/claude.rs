//! A workspace whose agent is a script that writes the stream of a known CLI.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::Value;

use crate::scratch::{Run, Scratch};

/// A scratch workspace in which both seats run the scripted `claude`.
pub(crate) struct Claude {
    pub(crate) scratch: Scratch,
}

impl Claude {
    /// With more lines of `orchestration.yaml`.
    pub(crate) fn configured(more: &str) -> Self {
        Self::with_configuration(&format!(
            "agent: {{ default: claude, options: {{ claude: {{ binary: ../claude/claude }} }} }}\n\
             limits: {{ max_wait: 0s }}\n{more}"
        ))
    }

    /// With all of `orchestration.yaml`.
    pub(crate) fn with_configuration(configuration: &str) -> Self {
        let claude = Self { scratch: Scratch::new() };
        fs::create_dir(claude.folder()).unwrap();
        let program = claude.folder().join("claude");
        fs::write(&program, include_str!("claude.sh")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        claude.scratch.write("orchestration.yaml", configuration);
        claude.scratch.git(&["commit", "--quiet", "--all", "--message=configured"]);
        claude
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.scratch.root().parent().unwrap().join("claude")
    }

    /// What the agent does when it is started for the nth time.
    pub(crate) fn script(&self, start: u32, script: &str) {
        fs::write(self.folder().join(format!("turn.{start}")), script).unwrap();
    }

    /// The arguments of every start so far.
    pub(crate) fn starts(&self) -> Vec<String> {
        let noted = fs::read_to_string(self.folder().join("argv")).unwrap_or_default();
        noted.lines().map(str::to_owned).collect()
    }

    pub(crate) fn run(&self, iterations: &str) -> Run {
        self.scratch.baton(&["run", "--sync-loops", iterations])
    }

    pub(crate) fn state(&self) -> Value {
        serde_json::from_str(&self.scratch.read("sync/state.json")).unwrap()
    }

    /// Clears the only hold.
    #[track_caller]
    pub(crate) fn clear_hold(&self) {
        let state = self.state();
        let id = state["holds"][0]["id"].as_str().unwrap();
        let cleared = self.scratch.baton(&["hold", "clear", id]);
        assert_eq!(cleared.code, Some(0), "{cleared:?}");
    }
}
