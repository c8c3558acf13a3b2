//! What people do with models beside running them in a session.

pub mod ask;
pub mod chat;
pub mod quantise;
