//! Calls to other servers: each bounded in time and size, none follows redirects.

pub(crate) mod instance;
pub(crate) mod oidc;
