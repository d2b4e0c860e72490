//! The tables that are generated: of the default policies, into `plugins/README.md`, and of what their
//! slots are told, into `wit/README.md`. Both rest on what runs really asked.
//!
//! ```text
//! COUNTERSIGN_BLESS=1 cargo test --workspace --test command-line tables::
//! ```

mod circles;
mod contract;
mod experiment;
mod fields;
mod gateway;
mod inputs;
mod justified;
mod material;
mod policies;
mod promises;
mod slots;
mod structure;

use countersign_tests::generated;
use countersign_tests::subject::host;

use contract::Contract;
use material::Material;

/// One test: gathering takes longer than everything else.
#[test]
fn the_tables_are_up_to_date() -> anyhow::Result<()> {
    let (host, contract) = (host()?, Contract::read()?);
    let material = Material::gather(&host)?;
    let policies = policies::table(&host, &contract, &material)?;
    let inputs = inputs::Inputs::find(&host, &contract, &material)?;
    generated::keep_measured("plugins/README.md", "policies", &policies)?;
    generated::keep("wit/README.md", "inputs", &inputs.table())?;
    let open = inputs.open();
    assert!(open.is_empty(), "remove it, or say in tests/tables/justified.rs why it stays:\n{}", open.join("\n"));
    Ok(())
}
