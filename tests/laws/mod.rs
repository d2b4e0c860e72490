//! Laws of the default policies, against their components: `countersign_tests::laws` says them, here
//! each is tried by ten thousand generated questions or runs.
//!
//! ```text
//! cargo test --workspace --test policies laws:: -- --nocapture
//! ```

use countersign::kernel::Slot;
use countersign_tests::laws;
use countersign_tests::subject::{Subject, host};

/// Generated cases of each law and policy.
const CASES: u32 = 10_000;

/// Every law of a slot holds for every policy that the default bundle has in it.
fn hold(slot: Slot) -> anyhow::Result<()> {
    let subjects = Subject::all(&host()?).into_iter().filter(|subject| subject.slot() == slot);
    let mut broken = Vec::new();
    for subject in subjects {
        let mut most_fuel = 0;
        for law in laws::of(slot) {
            let kept = law.hold(&subject, CASES);
            most_fuel = most_fuel.max(kept.most_fuel);
            println!("{}: {} ({CASES} cases)", subject.name(), law.name);
            broken.extend(kept.broken);
        }
        let limit = subject.limits().fuel_per_call;
        println!("{}: at most {most_fuel} of {limit} fuel a call", subject.name());
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    Ok(())
}

/// One test for each slot, so that they run beside each other.
macro_rules! tests {
    ($({ $(#[$doc:meta])* $slot:ident $module:ident $($rest:tt)* })+) => {
        $(#[test]
        fn $module() -> anyhow::Result<()> {
            hold(Slot::$slot)
        })+
    };
}

countersign::kernel::contract::slots!(tests);
