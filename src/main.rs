//! The program `signet`.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Leaves, responses and pages of the state are allocated on one thread and freed on another, which
/// mimalloc handles faster than the system's allocator (docs/performance.md).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    signet::main()
}
