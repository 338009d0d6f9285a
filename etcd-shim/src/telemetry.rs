//! Log lines, as etcd writes them: JSON objects with `level`, `ts`, `caller` and `msg`, or text for people.

use crate::config::{LogOutput, LogSettings};
use serde_json::{Map, Value};
use std::{
    fmt,
    fs::File,
    io::{self, Write},
    path::PathBuf,
};
use thiserror::Error;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter,
    fmt::{
        FmtContext, FormatEvent, FormatFields, MakeWriter, format,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    layer::SubscriberExt,
    registry,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

/// A log file cannot be opened.
#[derive(Debug, Error)]
#[error("the log file {path} cannot be opened: {reason}")]
pub struct OutputError {
    path: PathBuf,
    #[source]
    reason: io::Error,
}

/// Starts logging. A second call in one process (tests) changes nothing.
///
/// # Errors
/// A log file cannot be opened.
pub fn start(settings: &LogSettings) -> Result<(), OutputError> {
    let filter = EnvFilter::try_new(&settings.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let registry = registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(Outputs::open(&settings.outputs)?);
    let outcome = if settings.json {
        registry.with(layer.event_format(EtcdJson)).try_init()
    } else {
        registry.with(layer).try_init()
    };
    drop(outcome);
    Ok(())
}

/// Where a line goes: to all of these.
#[derive(Debug)]
struct Outputs(Vec<Output>);

#[derive(Debug)]
enum Output {
    Stderr,
    Stdout,
    File(File),
}

impl Outputs {
    fn open(outputs: &[LogOutput]) -> Result<Outputs, OutputError> {
        let open = |output: &LogOutput| match output {
            LogOutput::Stderr => Ok(Output::Stderr),
            LogOutput::Stdout => Ok(Output::Stdout),
            LogOutput::File(path) => {
                let opened = File::options().create(true).append(true).open(path);
                opened.map(Output::File).map_err(|reason| OutputError { path: path.clone(), reason })
            }
        };
        outputs.iter().map(open).collect::<Result<_, _>>().map(Outputs)
    }

    fn each(&self, act: impl Fn(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        self.0.iter().try_for_each(|output| match output {
            Output::Stderr => act(&mut io::stderr()),
            Output::Stdout => act(&mut io::stdout()),
            Output::File(file) => act(&mut &*file),
        })
    }
}

impl Write for &Outputs {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.each(|output| output.write_all(line))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.each(|output| output.flush())
    }
}

impl<'a> MakeWriter<'a> for Outputs {
    type Writer = &'a Outputs;

    fn make_writer(&'a self) -> Self::Writer {
        self
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
        line.insert("caller".to_owned(), caller(event.metadata()).into());
        line.insert("msg".to_owned(), fields.0.remove("message").unwrap_or_default());
        line.extend(fields.0);
        writeln!(writer, "{}", Value::Object(line))
    }
}

/// The last two parts of the source file's path, and the line, as zap writes it.
fn caller(metadata: &Metadata<'_>) -> String {
    let (Some(file), Some(line)) = (metadata.file(), metadata.line()) else { return metadata.target().to_owned() };
    let start = file.rmatch_indices('/').nth(1).map_or(0, |(slash, _)| slash + 1);
    format!("{}:{line}", file.get(start..).unwrap_or(file))
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
