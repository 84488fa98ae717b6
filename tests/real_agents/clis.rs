//! The eight CLIs: what is installed, and how each is pointed at the server on loopback. No account, no telemetry.

use std::path::{Path, PathBuf};

use super::install::{Package, install, place_file};

/// One CLI under test.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cli {
    /// As baton knows it.
    pub(crate) name: &'static str,
    package: Package,
    /// Below the place of installation: the native program where there is one.
    program: &'static str,
    /// Arguments beside those that baton gives.
    arguments: &'static [&'static str],
    /// Whether its tools take absolute paths only.
    pub(crate) wants_absolute_paths: bool,
    /// `agent.options.<name>.permission`.
    pub(crate) permission: &'static str,
    /// What makes it ask where it would otherwise work within limits of its own.
    asking: &'static [&'static str],
    asking_environment: &'static [(&'static str, &'static str)],
    /// How a turn ends whose file may not be written, with the exit code of `baton run`.
    pub(crate) denial: &'static [(&'static str, i32)],
    environment: &'static [(&'static str, &'static str)],
    point: fn(&Path, &str) -> Vec<(&'static str, String)>,
}

const DENIED: &[(&str, i32)] = &[("denied", 5)];
/// The refusal shows in no event, only in that nothing was changed.
const UNSEEN: &[(&str, i32)] = &[("no_change", 0)];

pub(crate) const CLAUDE: Cli = Cli {
    name: "claude",
    package: Package::Npm("@anthropic-ai/claude-code@2.1.197"),
    program: "node_modules/@anthropic-ai/claude-code-linux-x64/claude",
    arguments: &[],
    wants_absolute_paths: false,
    permission: "bypass",
    asking: &[],
    asking_environment: &[],
    denial: DENIED,
    environment: &[],
    point: |_, base| {
        vec![
            ("ANTHROPIC_BASE_URL", base.to_owned()),
            ("ANTHROPIC_API_KEY", "sk-dummy".to_owned()),
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1".to_owned()),
            // As root it refuses to work without asking, unless it is told that it is in a sandbox.
            ("IS_SANDBOX", "1".to_owned()),
        ]
    },
};

pub(crate) const CODEX: Cli = Cli {
    name: "codex",
    package: Package::Npm("@openai/codex@0.169.0"),
    program: "node_modules/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex",
    arguments: &[],
    wants_absolute_paths: false,
    permission: "bypass",
    asking: &["-s", "read-only"],
    asking_environment: &[],
    denial: UNSEEN,
    environment: &[],
    point: |home, base| {
        let configuration = format!(
            "model = \"fake-model\"\nmodel_provider = \"fake\"\n\
             [analytics]\nenabled = false\n\
             [model_providers.fake]\nname = \"fake\"\nbase_url = \"{base}/v1\"\nenv_key = \"FAKE_KEY\"\n\
             wire_api = \"responses\"\n"
        );
        place_file(home, ".codex/config.toml", &configuration);
        vec![("FAKE_KEY", "sk-dummy".to_owned())]
    },
};

pub(crate) const OPENCODE: Cli = Cli {
    name: "opencode",
    package: Package::Npm("opencode-ai@1.18.33"),
    program: "node_modules/opencode-linux-x64/bin/opencode",
    arguments: &["-m", "fake/fake-model"],
    wants_absolute_paths: false,
    permission: "bypass",
    asking: &[],
    asking_environment: &[],
    denial: DENIED,
    environment: &[],
    point: |home, base| {
        let configuration = serde_json::json!({
            "$schema": "https://opencode.ai/config.json",
            "autoupdate": false, "share": "disabled",
            "enabled_providers": ["fake"], "small_model": "fake/fake-model",
            "provider": { "fake": {
                "npm": "@ai-sdk/openai-compatible", "name": "fake",
                "options": { "baseURL": format!("{base}/v1"), "apiKey": "sk-dummy" },
                "models": { "fake-model": {
                    "name": "fake-model", "tool_call": true,
                    "cost": { "input": 1, "output": 2 }, "limit": { "context": 200_000, "output": 8_000 },
                } },
            } },
        });
        place_file(home, ".config/opencode/opencode.json", &configuration.to_string());
        vec![
            ("OPENCODE_DISABLE_MODELS_FETCH", "1".to_owned()),
            ("OPENCODE_DISABLE_LSP_DOWNLOAD", "1".to_owned()),
            ("OPENCODE_DISABLE_DEFAULT_PLUGINS", "1".to_owned()),
        ]
    },
};

pub(crate) const GEMINI: Cli = Cli {
    name: "gemini",
    package: Package::Npm("@google/gemini-cli@0.61.0"),
    program: "node_modules/.bin/gemini",
    arguments: &["-m", "gemini-2.5-flash"],
    wants_absolute_paths: false,
    permission: "bypass",
    asking: &[],
    asking_environment: &[],
    denial: DENIED,
    environment: &[],
    point: |home, base| {
        let settings = serde_json::json!({
            "security": { "auth": { "selectedType": "gemini-api-key" } },
            "privacy": { "usageStatisticsEnabled": false },
            "telemetry": { "enabled": false },
            "general": { "enableAutoUpdate": false },
        });
        place_file(home, ".gemini/settings.json", &settings.to_string());
        vec![("GOOGLE_GEMINI_BASE_URL", base.to_owned()), ("GEMINI_API_KEY", "sk-dummy".to_owned())]
    },
};

pub(crate) const COPILOT: Cli = Cli {
    name: "copilot",
    package: Package::Npm("@github/copilot@1.0.102"),
    program: "node_modules/@github/copilot-linux-x64/copilot",
    arguments: &[],
    wants_absolute_paths: false,
    permission: "bypass",
    asking: &[],
    asking_environment: &[],
    denial: DENIED,
    environment: &[],
    point: |_, base| {
        vec![
            ("COPILOT_PROVIDER_BASE_URL", format!("{base}/v1")),
            ("COPILOT_PROVIDER_API_KEY", "sk-dummy".to_owned()),
            ("COPILOT_MODEL", "fake-model".to_owned()),
            ("COPILOT_OFFLINE", "true".to_owned()),
        ]
    },
};

pub(crate) const QWEN: Cli = Cli {
    name: "qwen",
    package: Package::Npm("@qwen-code/qwen-code@0.15.10"),
    program: "node_modules/.bin/qwen",
    arguments: &["--auth-type", "openai"],
    wants_absolute_paths: true,
    permission: "bypass",
    asking: &[],
    asking_environment: &[],
    denial: UNSEEN,
    environment: &[],
    point: |_, base| {
        vec![
            ("OPENAI_BASE_URL", format!("{base}/v1")),
            ("OPENAI_API_KEY", "sk-dummy".to_owned()),
            ("OPENAI_MODEL", "fake-model".to_owned()),
        ]
    },
};

pub(crate) const GOOSE: Cli = Cli {
    name: "goose",
    package: Package::Npm("@aaif/goose@0.20.1"),
    program: "node_modules/@aaif/goose-binary-linux-x64/bin/goose",
    arguments: &[],
    wants_absolute_paths: false,
    permission: "bypass",
    asking: &[],
    asking_environment: &[("GOOSE_MODE", "approve")],
    denial: DENIED,
    environment: &[],
    point: |_, base| {
        vec![
            ("GOOSE_PROVIDER", "openai".to_owned()),
            ("GOOSE_MODEL", "fake-model".to_owned()),
            ("OPENAI_HOST", base.to_owned()),
            ("OPENAI_BASE_PATH", "v1/chat/completions".to_owned()),
            ("OPENAI_API_KEY", "sk-dummy".to_owned()),
            ("GOOSE_DISABLE_KEYRING", "1".to_owned()),
            ("GOOSE_TELEMETRY_ENABLED", "false".to_owned()),
        ]
    },
};

pub(crate) const AIDER: Cli = Cli {
    name: "aider",
    package: Package::PyPi("aider-chat==0.86.2"),
    program: "bin/aider",
    arguments: &["--model", "openai/fake-model", "--edit-format", "diff"],
    wants_absolute_paths: false,
    permission: "bypass",
    asking: &[],
    asking_environment: &[],
    denial: DENIED,
    environment: &[],
    point: |home, base| {
        // Fresh and not empty, so that no price list is fetched.
        let prices = serde_json::json!({ "openai/fake-model": {
            "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "max_input_tokens": 200_000,
            "litellm_provider": "openai", "mode": "chat",
        } });
        place_file(home, ".aider/caches/model_prices_and_context_window.json", &prices.to_string());
        vec![("OPENAI_API_BASE", format!("{base}/v1")), ("OPENAI_API_KEY", "sk-dummy".to_owned())]
    },
};

impl Cli {
    /// The program, installed if need be.
    pub(crate) fn program(&self) -> PathBuf {
        install(self.name, self.package, self.program)
    }

    /// The same, with the permissions that it has by itself.
    pub(crate) fn asking(self) -> Self {
        Self { permission: "default", environment: self.asking_environment, ..self }
    }

    /// The same with a subscription instead of a key.
    pub(crate) fn on_a_plan(self) -> Self {
        Self { environment: &[("CLAUDE_CODE_OAUTH_TOKEN", "dummy"), ("ANTHROPIC_API_KEY", "")], ..self }
    }

    /// All arguments beside those that baton gives.
    pub(crate) fn all_arguments(&self) -> Vec<&'static str> {
        let asking = if self.permission == "default" { self.asking } else { &[] };
        self.arguments.iter().chain(asking).copied().collect()
    }

    /// Writes its configuration below `home` and says what its environment is, for a server at `base`.
    pub(crate) fn point_at(&self, home: &Path, base: &str) -> Vec<(&'static str, String)> {
        let mut environment = (self.point)(home, base);
        for (name, value) in self.environment {
            environment.retain(|(known, _)| known != name);
            if !value.is_empty() {
                environment.push((*name, (*value).to_owned()));
            }
        }
        environment
    }
}
