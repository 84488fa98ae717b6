//! One integration binary; one file a behaviour.

mod exec;
mod exec_faults;
mod exec_support;
