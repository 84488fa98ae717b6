//! What a seat waits for, in words.

use crate::model::{Holder, State};
use crate::turn::sync::Waiting;

/// A line for the person who looks at a waiting seat.
pub fn in_words(waiting: &Waiting, state: Option<&State>) -> String {
    let iteration = state.map_or_else(String::new, |state| format!(" (iteration {})", state.iteration));
    match waiting {
        Waiting::NoState => "waiting for galph to write the first state".to_owned(),
        Waiting::Turn { actor, status, holder } if status.runner().is_some() => {
            format!("waiting for {actor}, whose turn runs{}{iteration}", on(holder.as_ref()))
        }
        Waiting::Turn { actor, .. } => format!("waiting for {actor} to take its turn{iteration}"),
        Waiting::RunningElsewhere { actor, holder } => format!(
            "{actor}'s turn runs already{}{iteration}; if that is gone for good, `baton takeover {actor}`",
            on(holder.as_ref())
        ),
        Waiting::Held(holds) => {
            let words: Vec<String> =
                holds.iter().map(|hold| format!("{} ({})", hold.reason, hold.kind)).collect();
            format!("held: {}", words.join("; "))
        }
    }
}

fn on(holder: Option<&Holder>) -> String {
    holder.map_or_else(String::new, |holder| {
        format!(" on {} since {}", holder.host, holder.since.strftime("%Y-%m-%dT%H:%M:%SZ"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Actor, Status};

    #[test]
    fn since_when_a_turn_runs_is_told_to_the_second() {
        let since = "2026-11-21T17:49:20.928742483Z".parse().unwrap();
        let holder = Some(Holder { id: "id".to_owned(), host: "gpu-box".to_owned(), pid: 7, since });
        let waiting = Waiting::Turn { actor: Actor::Ralph, status: Status::RunningRalph, holder };
        assert_eq!(
            in_words(&waiting, None),
            "waiting for ralph, whose turn runs on gpu-box since 2026-11-21T17:49:20Z"
        );
    }
}
