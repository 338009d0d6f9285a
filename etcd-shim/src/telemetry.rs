//! Log lines on stderr, as etcd writes them: JSON objects with `level`, `ts` and `msg`, or text for people.

use crate::config::Config;
use serde_json::{Map, Value};
use std::fmt;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter,
    fmt::{
        FmtContext, FormatEvent, FormatFields, format,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    layer::SubscriberExt,
    registry,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

/// Starts logging. A second call in one process (tests) changes nothing.
pub fn start(config: &Config) {
    let filter = EnvFilter::try_new(etcd_level(&config.log_level)).unwrap_or_else(|_| EnvFilter::new("info"));
    let registry = registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let outcome = if config.log_json {
        registry.with(layer.event_format(EtcdJson)).try_init()
    } else {
        registry.with(layer).try_init()
    };
    drop(outcome);
}

/// etcd has levels that tracing does not have; and debug means ours, not every HTTP/2 frame.
fn etcd_level(level: &str) -> &str {
    match level {
        "dpanic" | "panic" | "fatal" => "error",
        "debug" => "info,archipel=debug,archipel_store=debug",
        other => other,
    }
}

/// One JSON object a line, with the keys that etcd's own lines have; scripts that wait for a message look at `msg`.
struct EtcdJson;

impl<S, N> FormatEvent<S, N> for EtcdJson
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut format::Writer::new(&mut time))?;
        let mut fields = Fields(Map::new());
        event.record(&mut fields);
        let mut line = Map::new();
        line.insert("level".to_owned(), event.metadata().level().as_str().to_ascii_lowercase().into());
        line.insert("ts".to_owned(), time.into());
        line.insert("caller".to_owned(), event.metadata().target().into());
        line.insert("msg".to_owned(), fields.0.remove("message").unwrap_or_default());
        line.extend(fields.0);
        writeln!(writer, "{}", Value::Object(line))
    }
}

/// The fields of an event.
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}
