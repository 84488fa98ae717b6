//! The results, as tables that can be pasted into a page.

use crate::measure::Cost;

pub(crate) fn heading(text: &str) {
    println!("\n### {text}\n");
}

/// Begins a table of wall and processor times.
pub(crate) fn begin_costs() {
    println!("| what | wall ms | cpu ms | wall, of the floor |");
    println!("|---|---:|---:|---:|");
}

/// A floor, or a number beside the floor that it is compared with.
pub(crate) fn row(what: &str, cost: Cost, floor: Option<Cost>) {
    let ratio = floor.map_or_else(|| "floor".to_owned(), |floor| format!("{:.1}", cost.wall / floor.wall));
    println!("| {what} | {:.2} | {} | {ratio} |", cost.wall, shown(cost.cpu));
}

/// A number that is no time.
pub(crate) fn fact(what: &str, value: f64, unit: &str) {
    println!("{what}: {value:.2} {unit}");
}

fn shown(cpu: f64) -> String {
    if cpu.is_nan() { "-".to_owned() } else { format!("{cpu:.2}") }
}
