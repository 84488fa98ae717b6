//! What a person meets.
use super::*;
use std::collections::BTreeMap;

fn show(text: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(PROJECT_FILE), text).unwrap();
    let t = std::time::Duration::ZERO; let _ = t;
    match load(folder.path(), None, &BTreeMap::new(), &Overrides::default(), None) {
        Ok(loaded) => eprintln!("OK {:?}", loaded.notices),
        Err(e) => { let s = e.to_string(); eprintln!("{}\n-----", s) },
    }
}

#[test]
fn explore() {
    show(b"");
    show(b"review_every: 2\nrouter:\n  revew_every_n: 3\n  mode: router_frist\n  enabled: yes\n  allowlist: [1, a]\n  review_every_n: -3\nprompts_dir: [a]\n");
    show(b"router:\n\tenabled: true\n");
    show(b"router: {enabled: true\n");
    show(b"router: *x\n");
    show(b"a: &a [x,x]\nb: &b [*a,*a]\n");
    show(b"verify:\n  - {run: x}\n  - {name: a, run: x, timeout: soon, tests: {count_regex: '(('}}\nsync: {lease: 0, poll_interval: 5 minutes}\nagent: {default: cluade, roles: {gaplh: claude, supervisor: x, galph: codex}}\nstate_file: /etc/x\nlogs_dir: ../x\npublish: {docs: {globs: ['a[', '/x'], max_file: 1MB}}\nserve: {address: foo}");
    show(b"x: 1\nx: 2\n");
    show(b"router:\n  enabled: true\n  enabled: true\n");
    show(b"---\nprompts_dir: a\n---\nprompts_dir: b\n");
    show(&b"[".repeat(1_000_000));
    show(&b"a: {".repeat(250_000));
    show(&b"- ".repeat(500_000));
    let mut deep = Vec::new(); for i in 0..1000 { deep.extend(" ".repeat(i).bytes()); deep.extend(b"a:\n"); }
    show(&deep);
    show(b"\xef\xbb\xbfprompts_dir: a\r\nlogs_dir: b\r\n");
    show(b"prompts_dir: caf\xe9\n");
    show(b"prompts_dir: \x00\n");
    show(b"hello\n");
    show(b"- a\n");
    show(b"prompts_dir: !foo a\n");
    show(b"prompts_dir:\nrouter:\nverify:\n");
    show(b"router_mode: first\nrouter: {mode: only, enabled: true}\nworkflow: {a: b}\n");
    show(b"router: {mode: only, enabled: true}\nbudget: {run: {turns: 0, cost_usd: 3, tokens: 1e9}}\nagent: {default: codex}\nno_progress: {turns: 1.5}\n");
    show(b"defaults: &d {enabled: true}\n");
    show(b"router: &d {enabled: true}\nactors: {galph: {<<: *d}}\n");
    let mut bomb = String::from("redact: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for i in 1..10 { bomb += &format!("k{i}: &a{i} [{}]\n", vec![format!("*a{}", i-1); 10].join(",")); }
    show(bomb.as_bytes());
    show(b"? [a, b]\n: c\n1: x\n");
    show(b"prompts_dir: 'unclosed\n");
    show(b"redact: &a [*a]\n");
    show(b"sync: {loops: 99999999999999999999999, lease: .inf, poll_interval: 1e400, max_wait: -3}\n");
    show(b"prompts_dir: a: b\n");
    show(b"@x: 3\n");
}
