//! What an instruction costs.

use wasmtime::OperatorCost;

/// Fuel of a call instruction. A frame of the native stack costs up to 9.2 bytes for each unit at
/// this price, so that the default ceiling of 4 M fuel is reached within 64 MiB of stack: ordinary
/// recursion runs out of fuel first.
const CALL: u8 = 32;
/// Fuel of a page of memory asked for: what it costs to have it zeroed. wasmtime charges nothing.
const PAGE: u8 = 255;

/// The table. Its digest is part of the engine's fingerprint: fields follow the instruction set
/// that this version of wasmtime knows.
pub fn costs() -> OperatorCost {
    let mut costs = OperatorCost::new();
    costs.Call = CALL;
    costs.CallIndirect = CALL;
    costs.CallRef = CALL;
    costs.ReturnCall = CALL;
    costs.ReturnCallIndirect = CALL;
    costs.ReturnCallRef = CALL;
    costs.variable.memory_grow_per_page = PAGE;
    costs
}
