//! What a signature is about: an artifact by its digests, the DSSE envelope of a statement, and the in-toto
//! statement itself.

pub(crate) mod artifact;
pub(crate) mod dsse;
pub(crate) mod statement;
