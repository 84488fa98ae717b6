//! orchestration.yaml.
