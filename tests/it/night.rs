//! A night in miniature: thirty iterations in which the provider refuses, the agent hangs and fails, and whatever keeps
//! services alive starts the loop again. The agent is a script that writes Claude Code's stream.

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Ended, Git, Workspace};

const ITERATIONS: u64 = 30;
/// The rows of the smallest terminal that is common.
const SCREEN: usize = 24;

const CONFIGURATION: &str = r#"agent:
  default: fake
  commands:
    fake: { command: [sh, -c, '. "$FAKE_DIR/night"'], prompt: stdin, output: claude }
turn: { grace_period: 300ms, idle_limit: 2s }
"#;

/// What the agent does at its n-th start; everything else is good.
const TROUBLES: [(usize, &str); 6] = [
    (5, "limited"),
    (11, "overloaded"),
    (12, "overloaded"),
    (20, "failing"),
    (40, "hanging"),
    (55, "limited"),
];

/// Notes its start with what it will say that it used, then does what the plan says.
const AGENT: &str = r#"
number=$(( $(wc -l < "$FAKE_DIR/starts") + 1 ))
deed=$(sed -n "s/^$number //p" "$FAKE_DIR/plan")
note() { echo "$BATON_TURN $1 $2 $3" >> "$FAKE_DIR/starts"; }
report() { # is_error status words input output cost
    printf '{"type":"result","subtype":"success","is_error":%s,"api_error_status":%s,"result":"%s",' "$1" "$2" "$3"
    printf '"usage":{"input_tokens":%s,"output_tokens":%s},"total_cost_usd":%s}\n' "$4" "$5" "$6"
    note "$4" "$5" "$6"
}
case "$deed" in
limited)
    printf '{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":%s}}\n' $(( $(date +%s) + 1 ))
    report true 429 "You have hit your session limit" 100 0 0.001
    exit 1 ;;
overloaded) report true 529 "API Error: 529 Overloaded" 100 0 0.001; exit 1 ;;
failing) report true 400 "API Error: 400 bad request" 500 10 0.002; exit 1 ;;
hanging)
    printf '{"type":"assistant","message":{"id":"m","content":[],"usage":{"input_tokens":300,"output_tokens":1}}}\n'
    note 300 1 0
    exec sleep 60 ;;
esac
case "$BATON_ACTOR" in
galph) mkdir -p plans; echo "$BATON_ITERATION" > "plans/plan-$BATON_ITERATION.md" ;;
ralph) mkdir -p src; echo "$BATON_ITERATION" > "src/made-$BATON_ITERATION.rs" ;;
esac
report false null Done. 1000 200 0.01
"#;

/// What the agent has said that it used.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Spent {
    starts: usize,
    input: u64,
    output: u64,
    cost: f64,
}

impl Spent {
    fn of<'a>(lines: impl Iterator<Item = &'a str>) -> Self {
        lines.fold(Self::default(), |sum, line| {
            let words: Vec<&str> = line.split(' ').collect();
            Self {
                starts: sum.starts + 1,
                input: sum.input + words[1].parse::<u64>().unwrap(),
                output: sum.output + words[2].parse::<u64>().unwrap(),
                cost: sum.cost + words[3].parse::<f64>().unwrap(),
            }
        })
    }
}

/// One `baton run` of the night, with what its agents have said that they used.
struct Shift {
    ended: Ended,
    spent: Spent,
}

fn workspace() -> Workspace {
    let workspace = Workspace::new(Git::Used);
    workspace.write("orchestration.yaml", CONFIGURATION);
    workspace.git(&["commit", "--quiet", "--message=night", "orchestration.yaml"]);
    let plan = TROUBLES.map(|(number, deed)| format!("{number} {deed}\n")).concat();
    for (name, content) in [("night", AGENT), ("plan", plan.as_str()), ("starts", "")] {
        fs::write(workspace.base().join("fake").join(name), content).unwrap();
    }
    workspace
}

fn iteration(workspace: &Workspace) -> u64 {
    let state = workspace.read("sync/state.json").map(|text| serde_json::from_str::<Value>(&text).unwrap());
    state.map_or(1, |state| state["iteration"].as_u64().unwrap())
}

/// Clears the holds that would last longer than a test may, as a person does who is awake at that hour.
fn clear_long_holds(workspace: &Workspace) {
    let Some(text) = workspace.read("sync/state.json") else { return };
    let state: Value = serde_json::from_str(&text).unwrap();
    for hold in state["holds"].as_array().unwrap() {
        let until: jiff::Timestamp = hold["until"].as_str().unwrap().parse().unwrap();
        if until.duration_since(jiff::Timestamp::now()) > jiff::SignedDuration::from_secs(60) {
            workspace.baton(&["hold", "clear", hold["id"].as_str().unwrap()]).assert_code(0);
        }
    }
}

/// Starts the loop until it has done its iterations, as cron or systemd would.
fn take_the_night(workspace: &Workspace) -> Vec<Shift> {
    let mut shifts: Vec<Shift> = Vec::new();
    while shifts.last().is_none_or(|shift| shift.ended.code != Some(0)) {
        assert!(
            shifts.len() < TROUBLES.len(),
            "it does not come to its end: {:?}",
            shifts.last().unwrap().ended
        );
        let left = ITERATIONS + 1 - iteration(workspace);
        let before = workspace.kept("starts").lines().count();
        let is_over = AtomicBool::new(false);
        let ended = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    clear_long_holds(workspace);
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
            let ended = workspace.run(&["--sync-loops", &left.to_string()]);
            is_over.store(true, Ordering::Relaxed);
            ended
        });
        let spent = Spent::of(workspace.kept("starts").lines().skip(before));
        shifts.push(Shift { ended, spent });
    }
    shifts
}

/// What is on the screen when a run has ended: the table, the totals, how it ended.
fn screen(ended: &Ended) -> String {
    let error = ended.stderr.find("\nerror: ").map(|at| &ended.stderr[at + 1..]).unwrap_or_default();
    format!("{}{error}", ended.stdout)
}

#[test]
fn the_loop_comes_through_the_night_and_its_account_is_right() {
    let workspace = workspace();
    let shifts = take_the_night(&workspace);
    let codes: Vec<Option<i32>> = shifts.iter().map(|shift| shift.ended.code).collect();
    assert_eq!(codes, [Some(5), Some(5), Some(0)]);
    workspace.assert_iterations(ITERATIONS);
    workspace.assert_nobody_runs();

    // One start a turn, and one commit a turn that passed.
    let starts = workspace.kept("starts");
    let turns: BTreeSet<&str> = starts.lines().map(|line| line.split(' ').next().unwrap()).collect();
    let whole = Spent::of(starts.lines());
    assert_eq!((whole.starts, turns.len()), (60 + TROUBLES.len(), 60 + TROUBLES.len()));
    assert_eq!(workspace.git(&["log", "--format=%s"]).lines().count(), 2 + 60);

    // The state has what the agent said, and each run's totals what was said in it.
    let usage = &workspace.state()["usage"];
    let sum =
        |name: &str| ["galph", "ralph"].iter().filter_map(|seat| usage[seat][name].as_f64()).sum::<f64>();
    #[expect(clippy::cast_precision_loss, reason = "the counts are small")]
    let said = [whole.input as f64, whole.output as f64, whole.cost];
    for (name, said) in ["input_tokens", "output_tokens", "cost_usd"].iter().zip(said) {
        assert!((sum(name) - said).abs() < 1e-6, "{name}: {} in the state, {said} were said", sum(name));
    }
    for shift in &shifts {
        let screen = screen(&shift.ended);
        let Spent { starts, input, output, cost } = shift.spent;
        #[expect(clippy::cast_precision_loss, reason = "the counts are small")]
        let spent = format!("spent {:.1}k tokens, ${cost:.2} (galph ", (input + output) as f64 / 1e3);
        assert!(screen.contains(&spent), "`{spent}` is not in:\n{screen}");
        assert!(screen.contains(&format!("\n{starts} turn(s) (")), "{starts} turns are not in:\n{screen}");
        assert!(screen.lines().count() <= SCREEN, "{} lines:\n{screen}", screen.lines().count());
    }

    // What went wrong can be read off the screens.
    let told: String = shifts.iter().map(|shift| screen(&shift.ended)).collect();
    for class in ["limited", "overloaded", "failed", "stalled"] {
        assert!(told.contains(&format!("fake   {class}")), "{class}:\n{told}");
    }
    assert!(told.contains("error: the agent's turn ended `failed`: API Error: 400 bad request\n"), "{told}");
    assert!(told.ends_with(" iteration(s) done\n"), "{told}");
}
