//! The signature log in the Rekor v1 dialect.

mod tree_id;

pub use tree_id::TreeId;
