//! What people do with models beside running them in a session.

pub mod chat;
pub mod quantise;
