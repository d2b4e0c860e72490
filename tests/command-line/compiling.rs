//! Components are compiled in a process of their own, which has limits and is ended where it keeps to none.

use std::time::Duration;

use countersign::engine::{Compiler, CompilerProcess, Engine, EngineOptions};
use countersign_tests::root;

use super::{countersign_with, done};

/// What loading the largest of the default policies says, empty where it loads.
fn loading(change: impl FnOnce(&mut CompilerProcess, &mut Duration)) -> anyhow::Result<String> {
    let mut process = CompilerProcess::new(env!("CARGO_BIN_EXE_countersign"), ["compile-component"]);
    let mut options = EngineOptions { pool: None, ..EngineOptions::default() };
    change(&mut process, &mut options.compile_deadline);
    let engine = Engine::new(EngineOptions { compiler: Compiler::Process(process), ..options })?;
    let bytes = std::fs::read(root().join("plugins/bundle/guard.wasm"))?;
    Ok(engine.load("guard.wasm", &bytes).map(drop).map_or_else(|error| error.to_string(), |()| String::new()))
}

#[test]
fn a_compiler_that_needs_too_much_takes_only_its_component_away() -> anyhow::Result<()> {
    assert_eq!(loading(|_, _| ())?, "");
    let message = loading(|process, _| {
        // What a signal ends says nothing by itself.
        (process.program, process.arguments) = ("/bin/sh".into(), vec!["-c".into(), "kill -ABRT $$".into()]);
    })?;
    assert!(message.starts_with("`guard.wasm`: cannot be compiled: its compiler was ended ("), "{message}");
    assert!(message.contains("it may take 2048 MiB of address space"), "{message}");
    let message = loading(|_, deadline| *deadline = Duration::from_millis(1))?;
    assert!(message.contains("it takes longer than 0.001 s"), "{message}");
    let message = loading(|process, _| process.program = "/nowhere/compiler".into())?;
    assert!(message.contains("its compiler `/nowhere/compiler` cannot be started"), "{message}");
    // One that says nothing, one that says something else, and one that never ends.
    let message = loading(|process, _| process.program = "/bin/true".into())?;
    assert!(message.starts_with("`guard.wasm`: cannot be compiled: "), "{message}");
    let message = loading(|process, _| process.program = "/bin/echo".into())?;
    assert!(message.starts_with("`guard.wasm`: cannot be compiled: "), "{message}");
    let message = loading(|process, deadline| {
        (process.program, process.arguments) = ("/bin/sh".into(), vec!["-c".into(), "exec sleep 1000".into()]);
        *deadline = Duration::from_millis(200);
    })?;
    assert!(message.contains("it takes longer than 0.2 s"), "{message}");
    Ok(())
}

#[test]
fn what_the_compiler_process_is_handed_need_be_nothing() {
    use std::process::{Command, Stdio};
    let compile = |numbers: [&str; 3]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        done(command.arg("compile-component").args(numbers).stdin(Stdio::null()))
    };
    for numbers in
        [["67108864", "2147483648", "60"], ["0", "2147483648", "60"], ["18446744073709551615", "2147483648", "1"]]
    {
        let run = compile(numbers);
        assert_ne!(run.code(), 0, "{numbers:?}");
        assert!(run.out().is_empty() && !run.err().contains("panicked"), "{numbers:?}: {}", run.err());
    }
}

/// A component of so many functions, each of so many additions: what no cap of a host stands before.
fn sums(functions: usize, additions: usize) -> Vec<u8> {
    // No locals but its parameter.
    let mut body = vec![0];
    for addition in 0..additions {
        // local.get 0, i32.const, i32.mul, local.tee 0, local.get 0, i32.add, local.set 0
        body.extend([0x20, 0, 0x41, 1 + (addition % 60) as u8, 0x6c, 0x22, 0, 0x20, 0, 0x6a, 0x21, 0]);
    }
    body.extend([0x20, 0, 0x0b]);
    let bodies = (0..functions).flat_map(|_| [number(body.len()), body.clone()].concat());
    let code: Vec<u8> = number(functions).into_iter().chain(bodies).collect();
    let types = (0..functions).map(|_| 0);
    let module = [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, &[1, 0x60, 1, 0x7f, 1, 0x7f]),
        section(3, &number(functions).into_iter().chain(types).collect::<Vec<u8>>()),
        section(10, &code),
    ];
    [b"\0asm\x0d\0\x01\0".to_vec(), section(1, &module.concat()), section(2, &[1, 0, 0, 0])].concat()
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [vec![id], number(content.len()), content.to_vec()].concat()
}

/// As WebAssembly writes numbers: seven bits a byte.
fn number(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

#[test]
fn a_bomb_ends_its_compiler_at_its_limit() -> anyhow::Result<()> {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let compile = |bytes: &[u8], mebibytes: u64| -> anyhow::Result<std::process::Output> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .args(["compile-component", "67108864", &(mebibytes << 20).to_string(), "60"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        child.stdin.take().into_iter().try_for_each(|mut stdin| stdin.write_all(bytes))?;
        Ok(child.wait_with_output()?)
    };
    let small = compile(&sums(10, 100), 2048)?;
    assert!(small.status.success() && !small.stdout.is_empty(), "{}", String::from_utf8_lossy(&small.stderr));
    let bomb = compile(&sums(4, 100_000), 400)?;
    assert!(!bomb.status.success() && bomb.stdout.is_empty(), "{} bytes", bomb.stdout.len());
    Ok(())
}

#[test]
fn the_command_is_in_nobodys_way() {
    let help = countersign_with(&[], ["--help"]).out();
    assert!(!help.contains("compile-component"), "{help}");
    // Nothing compiled is kept: each component is compiled beside this process.
    let run = countersign_with(&[("COUNTERSIGN_CACHE", "off")], ["bundle", "show"]);
    assert_eq!((run.code(), run.err().as_str()), (0, ""));
}
