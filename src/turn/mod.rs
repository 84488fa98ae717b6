//! Pure turn machine.
