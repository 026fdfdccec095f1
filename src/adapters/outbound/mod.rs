//! Requests to other servers: bounded in time and size, without redirects.

pub(crate) mod instance;
pub(crate) mod oidc;
