//! Tables that tests produce and pages show.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Two tests write the same page.
static PAGE: Mutex<()> = Mutex::new(());

/// Asserts that `docs/reliability.md` holds this table at its place; with `BATON_WRITE_TABLES=1` puts it there.
#[track_caller]
pub(crate) fn check_table(name: &str, table: &str) {
    check_table_in("docs/reliability.md", name, table);
}

/// The same on another page.
#[track_caller]
pub(crate) fn check_table_in(page: &str, name: &str, table: &str) {
    let _page = PAGE.lock().unwrap_or_else(PoisonError::into_inner);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let page = std::fs::read_to_string(&path).unwrap();
    let begin = format!("<!-- table: {name} -->\n");
    let end = "<!-- end of table -->";
    let (before, rest) = page.split_once(&begin).expect("the page has a place for the table");
    let (old, after) = rest.split_once(end).expect("the table has an end");
    if std::env::var_os("BATON_WRITE_TABLES").is_some() {
        std::fs::write(&path, format!("{before}{begin}{table}{end}{after}")).unwrap();
    } else {
        assert_eq!(old, table, "the page shows another table; BATON_WRITE_TABLES=1 writes it anew");
    }
}

/// For whoever runs a matrix by hand, while it runs.
#[expect(
    clippy::disallowed_macros,
    reason = "figures of a run, which the test harness shows or not as it is asked"
)]
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}
