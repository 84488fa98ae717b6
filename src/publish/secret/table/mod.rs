//! The one table of content rules, in parts. Each rule carries texts that it must find and texts that no rule may find;
//! one test goes over all of them.

mod cloud;
mod generic;
mod hosting;
mod services;

use super::rule::ContentRule;

/// All content rules; where two find the same, the first counts.
pub fn content_rules() -> impl Iterator<Item = &'static ContentRule> {
    [cloud::CLOUD, hosting::HOSTING, services::SERVICES, generic::GENERIC].into_iter().flatten()
}
