//! The decisions of role mode, one by one and all together.

mod fate;
mod lease;
mod model;
mod pace;
mod peer;
mod seat;
mod subject;
