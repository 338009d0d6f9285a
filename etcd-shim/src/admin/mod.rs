//! The admin side of the process: health, metrics and versions over HTTP.

pub mod http;
