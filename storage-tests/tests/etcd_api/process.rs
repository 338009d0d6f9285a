//! The process around the interface: flags, environment and file, addresses, log lines, how it ends.

use archipel_storage_tests::site::free_port;
use std::{
    fs::{self, File},
    io::{self, Read, Write},
    net::TcpStream,
    os::unix::{net::UnixStream, process::ExitStatusExt},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Output, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const READY_MAX: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(5);
const SIGTERM: i32 = 15;
/// The line that scripts wait for.
const READY: &str = "ready to serve client requests";

/// A process with all its flags from the test, in a directory of its own.
pub(crate) struct Process {
    child: Option<Child>,
    pub(crate) directory: TempDir,
}

impl Process {
    /// Starts it in `directory` and waits until it is ready.
    pub(crate) fn start(directory: TempDir, flags: &[&str], environment: &[(&str, &str)]) -> Process {
        let log = File::create(directory.path().join("log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_archipel-under-test"))
            .args(["--link-listen-url=none", "--data-dir=data"])
            .args(flags)
            .envs(environment.iter().copied())
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stderr(log)
            .spawn();
        let mut process = Process { child: Some(child.unwrap()), directory };
        process.wait_for(READY);
        process
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    pub(crate) fn wait_for(&mut self, text: &str) {
        let started = Instant::now();
        while !self.log().contains(text) {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().unwrap());
            assert!(ended.is_none() && started.elapsed() < READY_MAX, "no {text:?} in\n{}", self.log());
            thread::sleep(LOOK_EVERY);
        }
    }

    pub(crate) fn terminate(&mut self) -> ExitStatus {
        let mut child = self.child.take().unwrap();
        assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
        child.wait().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let killed = child.kill().and_then(|()| child.wait());
            assert!(killed.is_ok(), "{killed:?}");
        }
    }
}

/// What `GET path` answers on a stream.
pub(crate) fn get(mut stream: impl Read + Write, path: &str) -> io::Result<String> {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        // A TLS peer may close without saying so first; what it answered is whole, by its length.
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error),
        _ => {}
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn tcp(port: u16) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port)).unwrap()
}

fn serves(answer: io::Result<String>) -> bool {
    answer.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

#[test]
fn every_address_is_served_and_said() {
    let (client, metrics) = (free_port().unwrap(), free_port().unwrap());
    let listen = format!("--listen-client-urls=http://localhost:{client},unix://localhost:20000");
    let listen_metrics = format!("--listen-metrics-urls=http://127.0.0.1:{metrics}");
    let flags = [&listen, "--advertise-client-urls=http://nantes.example:1", &listen_metrics, "--name=a b"];
    let mut process = Process::start(tempfile::tempdir().unwrap(), &flags, &[("GODEBUG", "http2debug=2")]);
    process.wait_for("the site is served");
    assert!(serves(get(tcp(client), "/health")));
    assert!(serves(get(UnixStream::connect(process.directory.path().join("localhost:20000")).unwrap(), "/health")));
    for path in ["/metrics", "/health", "/livez", "/readyz"] {
        assert!(serves(get(tcp(metrics), path)), "{path}");
    }
    assert!(!serves(get(tcp(metrics), "/version")));
    assert_eq!(process.log().matches(READY).count(), 2);
    assert_eq!(process.log().matches("serving client traffic insecurely").count(), 2);

    assert_eq!(process.terminate().signal(), Some(SIGTERM));
    let log = process.log();
    let closing = log.find("closing etcd server").unwrap();
    assert!(log.find("closed etcd server").unwrap() > closing);
}

#[test]
fn http_may_have_addresses_of_its_own() {
    let (client, http) = (free_port().unwrap(), free_port().unwrap());
    let flags = [
        format!("--listen-client-urls=http://127.0.0.1:{client}"),
        format!("--advertise-client-urls=http://127.0.0.1:{client}"),
        format!("--listen-client-http-urls=http://127.0.0.1:{http}"),
    ];
    let _process = Process::start(tempfile::tempdir().unwrap(), &flags.each_ref().map(String::as_str), &[]);
    assert!(serves(get(tcp(http), "/version")));
    assert!(!serves(get(tcp(client), "/version")));
}

#[tokio::test]
async fn the_authority_is_shown_as_the_client_sent_it() {
    let port = free_port().unwrap();
    let url = format!("http://localhost:{port}");
    let flags = [format!("--listen-client-urls={url}"), format!("--advertise-client-urls={url}")];
    let debug = [("GODEBUG", "http2debug=2")];
    let mut process = Process::start(tempfile::tempdir().unwrap(), &flags.each_ref().map(String::as_str), &debug);
    archipel_storage_tests::client::Client::connect(url).await.unwrap().put("a", "1").await.unwrap();
    process.wait_for("http2: decoded hpack field header field");
    let end = format!("http2: decoded hpack field header field \":authority\" = \"localhost:{port}\"");
    assert!(process.log().lines().any(|line| line.ends_with(&end)), "{}", process.log());
}

#[test]
fn a_configuration_file_is_all_that_counts() {
    let (ours, theirs) = (free_port().unwrap(), free_port().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let text = format!(
        "name: rennes\ndata-dir: file-data\nlisten-client-urls: http://127.0.0.1:{ours}\n\
         advertise-client-urls: http://127.0.0.1:{ours}\nlog-outputs: [stderr, file.log]\nunknown-key: 1\n"
    );
    fs::write(directory.path().join("etcd.yml"), text).unwrap();
    let flags = ["--config-file=etcd.yml".to_owned(), format!("--listen-client-urls=http://127.0.0.1:{theirs}")];
    let environment = [("ETCD_NAME", "nantes")];
    let process = Process::start(directory, &flags.each_ref().map(String::as_str), &environment);
    assert!(serves(get(tcp(ours), "/health")));
    assert!(TcpStream::connect(("127.0.0.1", theirs)).is_err());
    assert!(process.directory.path().join("file-data").is_dir());
    let file: PathBuf = process.directory.path().join("file.log");
    assert!(fs::read_to_string(&file).unwrap().contains(READY));
    assert!(process.log().contains("unknown-key"), "{}", process.log());
}

fn run(words: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_archipel-under-test"));
    // Nothing here may start a site; if it does, it must not stay.
    let directory = tempfile::tempdir().unwrap();
    command.args(words).envs(environment.iter().copied()).current_dir(directory.path());
    command.output().unwrap()
}

/// Arguments, environment, exit code, and what is said.
type Refusal<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], i32, &'a str);

#[test]
fn what_cannot_be_served_ends_at_once_and_says_why() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let taken = taken.local_addr().unwrap();
    let at_taken = [format!("--listen-client-urls=http://{taken}"), format!("--advertise-client-urls=http://{taken}")];
    let missing = ["--listen-client-urls=https://127.0.0.1:0", "--advertise-client-urls=https://127.0.0.1:1"];
    let missing = [&missing[..], &["--cert-file=/none", "--key-file=/none"]].concat();
    let cases: &[Refusal<'_>] = &[
        (&["--no-such-flag"], &[], 2, "flag provided but not defined: -no-such-flag"),
        (&["--election-timeout=soon"], &[], 2, "invalid value \"soon\" for flag -election-timeout"),
        (&["--pre-vote", "false"], &[], 2, "\"false\" is not a valid flag"),
        (&["--election-timeout=60000"], &[], 1, "is too long"),
        (&["--listen-client-urls=http://127.0.0.1:1"], &[], 1, "--advertise-client-urls is required"),
        (&["--feature-gates=Nothing=true"], &[], 1, "unrecognized feature gate: Nothing"),
        (&["--config-file=/none"], &[], 1, "cannot be read"),
        (&[], &[("ETCD_MAX_TXN_OPS", "many")], 1, "for ETCD_MAX_TXN_OPS"),
        (&[&at_taken[0], &at_taken[1]], &[], 1, "cannot listen on"),
        (&missing, &[], 1, "/none"),
    ];
    for (words, environment, status, message) in cases {
        let output = run(words, environment);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(*status), "{words:?}: {stderr}");
        assert!(stderr.contains(message), "{words:?}: {stderr}");
    }
}

#[test]
fn help_and_version_end_well() {
    for word in ["--help", "-h", "help"] {
        let output = run(&[word], &[]);
        assert!(output.status.success(), "{word}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("--listen-client-urls"), "{word}");
    }
    let output = run(&["--name=a", "-version"], &[]);
    let lines: Vec<_> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    assert!(output.status.success());
    assert_eq!(lines[0], "etcd Version: 3.7.3");
    assert!(lines[3].starts_with("Go OS/Arch: linux/"));
}
