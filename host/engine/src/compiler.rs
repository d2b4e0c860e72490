//! Compiling a component, which is the one thing that fuel does not limit: within a time, and in a process of its
//! own where the host has a program for it.

use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use wasmtime::component::Component;

use crate::engine::bare;
use crate::options::{Compiler, CompilerProcess, EngineOptions};

/// Stack of the thread that compiles: that of a program's first one.
const STACK: usize = 8 << 20;
/// Bytes of compiled code that the host takes from a compiler; the largest default policy has some 400 KB.
const MOST_CODE: u64 = 256 << 20;
/// Bytes of what a compiler says when it fails.
const MOST_WORDS: u64 = 4 << 10;

/// What a compiler has made.
pub(crate) enum Compiled {
    Component(Component),
    /// Of a process of its own, for an engine of the same settings to load.
    Code(Vec<u8>),
}

/// Compiles a component by the options' compiler, within their deadline.
pub(crate) fn compile(engine: &wasmtime::Engine, options: &EngineOptions, bytes: &[u8]) -> wasmtime::Result<Compiled> {
    match &options.compiler {
        Compiler::Here => compile_here(engine, bytes, options.compile_deadline).map(Compiled::Component),
        Compiler::Process(process) => process.compile(options, bytes).map(Compiled::Code).map_err(wasmtime::Error::msg),
    }
}

/// Nothing can stop the compiler: it works on a thread of its own, and whoever waits for it stops waiting.
fn compile_here(engine: &wasmtime::Engine, bytes: &[u8], deadline: Duration) -> wasmtime::Result<Component> {
    let (done, compiled) = mpsc::channel();
    let (compiler, own) = (engine.clone(), bytes.to_vec());
    let thread = std::thread::Builder::new().name("countersign-compile".to_owned()).stack_size(STACK);
    thread.spawn(move || done.send(Component::new(&compiler, &own)))?;
    compiled.recv_timeout(deadline).unwrap_or_else(|_| Err(wasmtime::Error::msg(too_long(deadline))))
}

fn too_long(deadline: Duration) -> String {
    let seconds = deadline.as_secs_f64();
    format!(
        "it takes longer than {seconds} s; a policy of the size of the default ones takes less than one: look whether \
         its build is optimised, and for one function that is far larger than the others"
    )
}

impl CompilerProcess {
    fn compile(&self, options: &EngineOptions, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let deadline = options.compile_deadline;
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .args([options.most_memory, self.address_space, deadline.as_secs().max(1)].map(|number| number.to_string()))
            // What the host knows is none of a compiler's business.
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("its compiler `{}` cannot be started: {error}", self.program.display()))?;
        let compiled = converse(&mut child, bytes, deadline);
        if compiled.is_none() {
            // It has ended by itself at worst.
            let _ = child.kill();
        }
        let status = child.wait().map_err(|error| format!("its compiler got lost: {error}"))?;
        let Some((compiled, words)) = compiled else { return Err(too_long(deadline)) };
        if status.success() { Ok(compiled) } else { Err(self.failure(status, words.trim())) }
    }

    fn failure(&self, status: ExitStatus, words: &str) -> String {
        // Whoever finds no memory is ended by a signal: there is nobody left to say it.
        if status.code().is_some() && !words.is_empty() && !words.contains("memory allocation") {
            return words.to_owned();
        }
        let most = self.address_space >> 20;
        format!(
            "its compiler was ended ({status}); it may take {most} MiB of address space, of which a policy of the \
             size of the default ones takes a tenth"
        )
    }
}

/// Hands the component over and takes what comes back: the code and what the compiler says. None at the deadline.
fn converse(child: &mut Child, bytes: &[u8], deadline: Duration) -> Option<(Vec<u8>, String)> {
    let (mut stdin, stdout, stderr) = (child.stdin.take()?, child.stdout.take()?, child.stderr.take()?);
    let (done, answer) = mpsc::channel();
    let own = bytes.to_vec();
    // The child reads all of it before it writes; where it is killed, every end of these pipes is.
    std::thread::spawn(move || {
        let _ = stdin.write_all(&own);
        drop(stdin);
        let (mut compiled, mut words) = (Vec::new(), String::new());
        let read = stdout.take(MOST_CODE).read_to_end(&mut compiled);
        let _ = stderr.take(MOST_WORDS).read_to_string(&mut words);
        let _ = read.map(|_| done.send((compiled, words)));
    });
    answer.recv_timeout(deadline).ok()
}

/// The other side of [`Compiler::Process`]: compiles the component that it reads and writes the code. `numbers` are
/// the program's last three arguments. The process limits itself first, so it does nothing else.
///
/// # Errors
/// What is wrong with the numbers or the component, for standard error; the program then fails.
pub fn compile_for_parent(numbers: [u64; 3], mut input: impl Read, mut output: impl Write) -> Result<(), String> {
    let [most_memory, address_space, seconds] = numbers;
    limit(address_space, seconds)?;
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes).map_err(|error| format!("the component cannot be read: {error}"))?;
    let options = EngineOptions { most_memory, ..EngineOptions::default() };
    let engine = bare(&options).map_err(|error| format!("{error:#}"))?;
    let compiled = engine.precompile_component(&bytes).map_err(|error| format!("{error:#}"))?;
    output.write_all(&compiled).and_then(|()| output.flush()).map_err(|error| format!("nobody takes the code: {error}"))
}

#[cfg(unix)]
fn limit(address_space: u64, seconds: u64) -> Result<(), String> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let processors = std::thread::available_parallelism().map_or(1, |processors| processors.get() as u64);
    let limits = [
        (Resource::As, address_space),
        // For a child whose parent is gone: nobody is left to look at the clock.
        (Resource::Cpu, seconds.saturating_mul(processors)),
        (Resource::Core, 0),
        (Resource::Fsize, 0),
    ];
    limits.into_iter().try_for_each(|(resource, most)| {
        let most = Some(getrlimit(resource).maximum.map_or(most, |hard| hard.min(most)));
        setrlimit(resource, Rlimit { current: most, maximum: most })
            .map_err(|error| format!("the compiler cannot limit itself: {error}"))
    })
}

/// Elsewhere only the parent's deadline holds.
#[cfg(not(unix))]
fn limit(_: u64, _: u64) -> Result<(), String> {
    Ok(())
}
