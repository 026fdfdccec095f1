//! Where things are kept: the journal, which is the truth, and the state that is built from it.

pub mod memory;
