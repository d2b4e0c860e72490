//! How an engine is set.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::inspect::Caps;

/// Settings of an engine.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// After so long a call is ended, to protect the host; default 10 s. Fuel is what limits a
    /// policy: this fires only on a machine that is far too slow.
    pub deadline: Duration,
    /// Instances that may be open at once, from a pool that makes opening a third cheaper. None
    /// allocates on demand. Default 16,384, enough for some 2,700 runs that have asked six policies each: address
    /// space only, pages are used when touched. A policy that finds no room is undecided, its run goes on. Linux
    /// allows a process 65,530 mappings (`vm.max_map_count`), of which an instance takes up to three.
    pub pool: Option<u32>,
    /// The most memory that a policy's limit may allow, in bytes; default 64 MiB. Address space is
    /// reserved by it.
    pub most_memory: u64,
    /// Caps on a component before it is compiled.
    pub caps: Caps,
    /// How long compiling one component may take; default 60 s, some 400 times what the largest default policy
    /// takes. One that takes longer is refused, and its compiler is killed where it is a process of its own. A thread
    /// cannot be stopped and goes on until it is done or the process ends.
    pub compile_deadline: Duration,
    /// Where a component is compiled; default [`Compiler::Here`].
    pub compiler: Compiler,
    /// Folder in which compiled components are kept between processes; none, the default, compiles each
    /// anew. What lies there is run as it is: it must be a folder that only this user may write to, and is
    /// left alone where it is not.
    pub compiled: Option<PathBuf>,
}

impl Default for EngineOptions {
    fn default() -> Self {
        EngineOptions {
            deadline: Duration::from_secs(10),
            pool: Some(16_384),
            most_memory: 64 << 20,
            caps: Caps::default(),
            compile_deadline: Duration::from_secs(60),
            compiler: Compiler::Here,
            compiled: None,
        }
    }
}

/// Where components are compiled.
#[derive(Debug, Clone, Default)]
pub enum Compiler {
    /// In this process, on a thread that nobody can stop: what a component may cost is held by the
    /// [caps](crate::Caps) alone. For embedders who load their own policies.
    #[default]
    Here,
    /// In a process of its own, which has its own limits and is killed at the deadline.
    Process(CompilerProcess),
}

/// A program that compiles: `PROGRAM ARGUMENTS… MEMORY ADDRESS-SPACE SECONDS` hands its three numbers, its standard input
/// and output to [`compile_for_parent`](crate::compile_for_parent).
#[derive(Debug, Clone)]
pub struct CompilerProcess {
    /// The program, such as that of this very process.
    pub program: PathBuf,
    /// What stands before the numbers.
    pub arguments: Vec<OsString>,
    /// Bytes of address space that compiling one component may take; default 2 GiB, some ten times what the largest
    /// default policy takes.
    pub address_space: u64,
}

impl CompilerProcess {
    /// A program with these arguments and the default limit.
    pub fn new(program: impl Into<PathBuf>, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        let arguments = arguments.into_iter().map(Into::into).collect();
        CompilerProcess { program: program.into(), arguments, address_space: 2 << 30 }
    }
}
