//! Seeded mutants: a default policy changed in one place, built, and judged by the same laws and the
//! same table of cases as the policy itself. Each must be caught, and the unchanged policy must not be.
//! Needs the wasm target; without it the test says so and skips.
//!
//! ```text
//! cargo test --workspace --test command-line mutants:: -- --nocapture
//! ```

mod builder;
mod seeded;

use std::collections::BTreeMap;

use countersign::bundle::sha256;
use countersign_tests::cases::{Beside, Table, failures};
use countersign_tests::laws;
use countersign_tests::subject::{Subject, host};

use builder::MutantBuilder;
use seeded::MUTANTS;

/// Generated cases of each law: a wrong policy shows much sooner.
const CASES: u32 = 2_000;

#[test]
fn every_mutant_is_caught_and_the_policies_are_not() -> anyhow::Result<()> {
    if !countersign_tests::has_wasm_target() {
        println!("SKIPPED: the target wasm32-unknown-unknown is not installed");
        return Ok(());
    }
    let host = host()?;
    let builder = MutantBuilder::open()?;
    let mut unchanged = BTreeMap::new();
    let mut wrong = Vec::new();
    for mutant in MUTANTS {
        let subject = Subject::named(&host, mutant.policy)?;
        if !unchanged.contains_key(mutant.policy) {
            let bytes = builder.build(mutant.policy)?;
            let found = catches(&subject.replaced(host.engine().load(mutant.policy, &bytes)?))?;
            wrong.extend(found.iter().map(|found| format!("unchanged, and caught by {found}")));
            unchanged.insert(mutant.policy, sha256(&bytes));
        }
        let bytes = builder.build_changed(&mutant)?;
        assert_ne!(Some(&sha256(&bytes)), unchanged.get(mutant.policy), "{mutant}: it changes nothing");
        let found = catches(&subject.replaced(host.engine().load(mutant.policy, &bytes)?))?;
        println!("{mutant}\n    {}", if found.is_empty() { "NOT CAUGHT" } else { "caught by" });
        found.iter().for_each(|found| println!("    - {}", &found[..found.floor_char_boundary(160)]));
        if found.is_empty() {
            wrong.push(format!("{mutant}: not caught"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// What a policy breaks: its table of cases first, then laws.
fn catches(subject: &Subject) -> anyhow::Result<Vec<String>> {
    if let Err(error) = subject.open() {
        return Ok(vec![format!("being opened: {error:#}")]);
    }
    let failed = failures(subject, &Table::load(subject.name())?, Beside::Nothing)?;
    let cases = failed.first().map(|first| format!("{} of its cases, the first: {first}", failed.len()));
    let laws = laws::of(subject.slot()).into_iter().filter_map(|law| law.hold(subject, CASES).broken);
    Ok(cases.into_iter().chain(laws).collect())
}
