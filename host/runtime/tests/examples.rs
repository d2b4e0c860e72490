//! The examples of this crate: compiled, run, and as good as their word.

#[path = "../examples/host_drives.rs"]
mod host_drives;
#[path = "../examples/own_loop.rs"]
mod own_loop;

#[test]
fn an_agent_that_owns_its_loop() -> anyhow::Result<()> {
    own_loop::main()
}

#[test]
fn a_loop_that_the_host_drives() -> anyhow::Result<()> {
    host_drives::main()
}
