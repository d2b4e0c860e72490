//! What can be said of a component before it is compiled.

use countersign_contract::CONTRACT;
use countersign_contract::Slot;
use wasmparser::{Encoding, Parser, Payload, TypeRef};

use crate::error::LoadProblem;

/// Caps on a component before it is compiled: compiling is the one thing that fuel does not limit.
#[derive(Debug, Clone)]
pub struct Caps {
    /// Bytes; default 16 MiB.
    pub bytes: usize,
    /// Functions; default 50,000.
    pub functions: u32,
    /// Locals of one function; default 2,000.
    pub locals: u32,
    /// Bytes of one function; default 128 KiB. What compiling a function takes grows faster than its size: one of
    /// 425 KiB of nested loops took 46 s.
    pub body: usize,
    /// Bytes of all functions together; default 8 MiB, some eight seconds of compiling.
    pub code: usize,
    /// Types; default 10,000.
    pub types: u32,
    /// Parameters and results of one function together; default 32. What keeps a frame of the
    /// native stack small enough for its fuel.
    pub signature: usize,
}

impl Default for Caps {
    fn default() -> Self {
        Caps {
            bytes: 16 << 20,
            functions: 50_000,
            locals: 2_000,
            body: 128 << 10,
            code: 8 << 20,
            types: 10_000,
            signature: 32,
        }
    }
}

/// Interfaces that a policy may import, without the version.
const IMPORTS: [&str; 3] = ["types", "run", "log"];

/// The slots that a component exports; whether it may be compiled at all.
pub fn inspect(bytes: &[u8], caps: &Caps) -> Result<Vec<Slot>, LoadProblem> {
    cap("bytes", bytes.len() as u64, caps.bytes as u64)?;
    if bytes.starts_with(b"\x7fELF") {
        return Err(LoadProblem::Precompiled);
    }
    let mut found = Found::default();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| LoadProblem::not_wasm(&error))?;
        match payload {
            Payload::Version { encoding, .. } => {
                if depth == 0 && encoding == Encoding::Module {
                    return Err(LoadProblem::CoreModule);
                }
                depth += 1;
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    let import = import.map_err(|error| LoadProblem::not_wasm(&error))?;
                    found.import(import.name.name)?;
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    let export = export.map_err(|error| LoadProblem::not_wasm(&error))?;
                    found.export(export.name.name)?;
                }
            }
            Payload::TypeSection(section) => found.types(section, caps)?,
            Payload::ImportSection(section) => {
                for imports in section {
                    let imports = imports.map_err(|error| LoadProblem::not_wasm(&error))?;
                    for import in imports {
                        let (_, import) = import.map_err(|error| LoadProblem::not_wasm(&error))?;
                        if let TypeRef::Func(_) = import.ty {
                            found.functions += 1;
                        }
                    }
                }
            }
            Payload::CodeSectionStart { count, size, .. } => {
                found.code = found.code.saturating_add(u64::from(size));
                cap("bytes of code", found.code, caps.code as u64)?;
                found.functions = found.functions.saturating_add(count);
                cap("functions", u64::from(found.functions), u64::from(caps.functions))?;
            }
            Payload::CodeSectionEntry(body) => {
                cap("bytes in one function", body.range().len() as u64, caps.body as u64)?;
                let mut locals = 0_u32;
                let reader = body.get_locals_reader().map_err(|error| LoadProblem::not_wasm(&error))?;
                for group in reader {
                    let (count, _) = group.map_err(|error| LoadProblem::not_wasm(&error))?;
                    locals = locals.saturating_add(count);
                }
                cap("locals of a function", u64::from(locals), u64::from(caps.locals))?;
            }
            _ => {}
        }
    }
    found.finish()
}

fn cap(what: &'static str, found: u64, limit: u64) -> Result<(), LoadProblem> {
    if found > limit { Err(LoadProblem::TooLarge { what, found, limit }) } else { Ok(()) }
}

#[derive(Default)]
struct Found {
    policy: bool,
    slots: Vec<Slot>,
    functions: u32,
    code: u64,
    types: u32,
}

impl Found {
    fn import(&mut self, name: &str) -> Result<(), LoadProblem> {
        let Some((interface, version)) = ours(name) else {
            return Err(LoadProblem::ForeignImport(name.to_owned()));
        };
        check_version(version)?;
        if IMPORTS.contains(&interface) { Ok(()) } else { Err(LoadProblem::ForeignImport(name.to_owned())) }
    }

    fn export(&mut self, name: &str) -> Result<(), LoadProblem> {
        // What else a component exports is never called.
        let Some((interface, version)) = ours(name) else { return Ok(()) };
        check_version(version)?;
        if interface == "policy" {
            self.policy = true;
        }
        self.slots.extend(Slot::ALL.into_iter().filter(|slot| slot.name() == interface));
        Ok(())
    }

    fn types(&mut self, section: wasmparser::TypeSectionReader<'_>, caps: &Caps) -> Result<(), LoadProblem> {
        for group in section {
            let group = group.map_err(|error| LoadProblem::not_wasm(&error))?;
            for ty in group.types() {
                self.types = self.types.saturating_add(1);
                cap("types", u64::from(self.types), u64::from(caps.types))?;
                if let wasmparser::CompositeInnerType::Func(function) = &ty.composite_type.inner {
                    let size = function.params().len() + function.results().len();
                    cap("parameters and results of a function", size as u64, caps.signature as u64)?;
                }
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<Slot>, LoadProblem> {
        if !self.policy {
            return Err(LoadProblem::MissingExport("policy"));
        }
        if self.slots.is_empty() {
            return Err(LoadProblem::NoSlot);
        }
        Ok(self.slots)
    }
}

/// Interface and version of a name in the contract's package.
fn ours(name: &str) -> Option<(&str, &str)> {
    let package = CONTRACT.split('@').next()?;
    name.strip_prefix(package)?.strip_prefix('/')?.split_once('@')
}

/// Before instantiation: the linker would accept other minors of the same major.
fn check_version(found: &str) -> Result<(), LoadProblem> {
    let expected = CONTRACT.split_once('@').map_or(CONTRACT, |(_, version)| version);
    if found == expected {
        Ok(())
    } else {
        Err(LoadProblem::Version { found: found.to_owned(), expected: expected.to_owned() })
    }
}
