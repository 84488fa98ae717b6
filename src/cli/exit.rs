//! The exit codes, in one table.

use std::process::ExitCode;

use crate::attempt::InterruptSignal;

/// How the process ended; the numbers are a contract with scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: git, network, I/O, a timeout while waiting.
    Operational,
    /// 2: usage, configuration, routing, unreadable state: fix the input.
    Usage,
    /// 3: it is not this role's turn, where that was asked for.
    NotYourTurn,
    /// 4: held by an approval, a usage limit, a budget, no progress, or a pause.
    Held,
    /// 5: the agent's turn failed.
    TurnFailed,
    /// 6: the claim was lost, or this machine was fenced off.
    Fenced,
    /// 130: stopped by SIGINT, with what was done saved.
    Interrupted,
    /// 143: stopped by SIGTERM or SIGHUP, with what was done saved.
    Terminated,
}

impl Exit {
    /// Stopped by this signal.
    pub const fn by(signal: InterruptSignal) -> Self {
        match signal {
            InterruptSignal::Interrupt => Self::Interrupted,
            InterruptSignal::Terminate => Self::Terminated,
        }
    }

    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Operational => 1,
            Self::Usage => 2,
            Self::NotYourTurn => 3,
            Self::Held => 4,
            Self::TurnFailed => 5,
            Self::Fenced => 6,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
