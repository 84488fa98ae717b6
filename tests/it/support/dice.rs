//! Numbers that look random, the same for each seed.

/// The seed, and after each roll the next one.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// From 0 to below `sides`.
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}
