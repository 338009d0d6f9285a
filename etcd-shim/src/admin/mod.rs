//! The admin API: health, metrics and versions over HTTP.
