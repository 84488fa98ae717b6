//! The process table as data: one entry a process, and how each system writes it.

/// The unit of processor times in `/proc`: fixed by the kernel's interface, whatever its internal clock.
pub(super) const TICKS_PER_SECOND: u64 = 100;

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProcessEntry {
    pub(super) pid: i32,
    pub(super) parent: i32,
    pub(super) group: i32,
    pub(super) session: i32,
    /// Ended and not yet waited for: it runs nothing and holds nothing.
    pub(super) zombie: bool,
    /// Processor time of the process and of the children it waited for, in ticks.
    pub(super) cpu_ticks: u64,
    /// When it started, in ticks since boot: with the id, it names a process for good. 0 where unknown.
    pub(super) start_ticks: u64,
    pub(super) name: String,
}

/// Reads `/proc/PID/stat`. The name is the program's to choose and may hold anything, blanks, parentheses and
/// bytes that are no text included.
pub(super) fn parse_stat(stat: &[u8]) -> Option<ProcessEntry> {
    let open = stat.iter().position(|byte| *byte == b'(')?;
    let close = stat.iter().rposition(|byte| *byte == b')')?;
    let pid = text(stat.get(..open)?)?.trim().parse().ok()?;
    let name = String::from_utf8_lossy(stat.get(open + 1..close)?).into_owned();
    let fields: Vec<&str> = text(stat.get(close + 1..)?)?.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
    let id = |index: usize| fields.get(index).and_then(|field| field.parse::<i32>().ok());
    Some(ProcessEntry {
        pid,
        parent: id(1)?,
        group: id(2)?,
        session: id(3)?,
        zombie: matches!(*fields.first()?, "Z" | "X"),
        cpu_ticks: number(11)? + number(12)? + number(13)? + number(14)?,
        start_ticks: number(19)?,
        name,
    })
}

/// The processor time of waited-for children in `/proc/PID/stat`.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux has the file"))]
pub(super) fn children_ticks(stat: &[u8]) -> Option<u64> {
    let close = stat.iter().rposition(|byte| *byte == b')')?;
    let mut fields = text(stat.get(close + 1..)?)?.split_ascii_whitespace().skip(13);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// Reads `ps -A -o pid=,ppid=,pgid=,sess=,stat=,time=,comm=`; lines it does not understand are left out.
#[cfg_attr(target_os = "linux", cfg_attr(not(test), expect(dead_code, reason = "for the other systems")))]
pub(super) fn parse_ps(output: &str) -> Vec<ProcessEntry> {
    output.lines().filter_map(parse_ps_line).collect()
}

fn parse_ps_line(line: &str) -> Option<ProcessEntry> {
    let mut fields = line.split_ascii_whitespace();
    let mut id = || fields.next().and_then(|field| field.parse::<i32>().ok());
    let (pid, parent, group, session) = (id()?, id()?, id()?, id().unwrap_or(0));
    let state = fields.next()?;
    let cpu_ticks = parse_cpu_time(fields.next()?)?;
    Some(ProcessEntry {
        pid,
        parent,
        group,
        session,
        zombie: state.starts_with('Z'),
        cpu_ticks,
        start_ticks: 0,
        name: fields.collect::<Vec<_>>().join(" "),
    })
}

/// `[[dd-]hh:]mm:ss[.cc]` in ticks.
fn parse_cpu_time(text: &str) -> Option<u64> {
    let (days, clock) = match text.split_once('-') {
        Some((days, clock)) => (days.parse::<u64>().ok()?, clock),
        None => (0, text),
    };
    let (clock, hundredths) = match clock.split_once('.') {
        Some((clock, hundredths)) => (clock, hundredths.parse::<u64>().ok()?),
        None => (clock, 0),
    };
    let mut seconds = 0_u64;
    for part in clock.split(':') {
        seconds = seconds * 60 + part.parse::<u64>().ok()?;
    }
    Some((days * 86_400 + seconds) * TICKS_PER_SECOND + hundredths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const TAIL: &str = "S 10 20 30 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2 3";

    #[rstest]
    #[case(&b"sh"[..], "sh")]
    #[case(b"tmux: server", "tmux: server")]
    #[case(b"a) S 1 2 (b", "a) S 1 2 (b")]
    #[case(b"\xff\n", "\u{fffd}\n")]
    fn a_stat_line_is_read_whatever_the_program_calls_itself(#[case] name: &[u8], #[case] shown: &str) {
        let stat = [b"42 (", name, b") ", TAIL.as_bytes()].concat();
        let entry = parse_stat(&stat).unwrap();
        assert_eq!(
            entry,
            ProcessEntry {
                pid: 42,
                parent: 10,
                group: 20,
                session: 30,
                zombie: false,
                cpu_ticks: 5 + 6 + 7 + 8,
                start_ticks: 987_654,
                name: shown.to_owned(),
            }
        );
        assert_eq!(children_ticks(&stat), Some(7 + 8));
    }

    #[rstest]
    #[case(b"")]
    #[case(b"42 (sh")]
    #[case(b"42 (sh) S 1")]
    #[case(b"x (sh) S 1 2 3")]
    fn a_torn_stat_line_is_no_process(#[case] stat: &[u8]) {
        assert_eq!(parse_stat(stat), None);
    }

    #[test]
    fn the_table_of_ps_is_read() {
        let table =
            parse_ps("  7   1   7   7 Ss    0:01.50 /bin/sh\n 8 7 7 7 Z 1-02:03:04 (old one)\nnonsense\n");
        assert_eq!(table.len(), 2);
        assert_eq!((table[0].pid, table[0].parent, table[0].cpu_ticks), (7, 1, 150));
        assert!(!table[0].zombie && table[1].zombie);
        assert_eq!(table[1].cpu_ticks, ((24 + 2) * 3600 + 3 * 60 + 4) * 100);
    }
}
