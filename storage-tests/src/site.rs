//! One site as a real process on a free loopback port, with a data directory of its own.

use std::{
    fs::File,
    io,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A process that does not listen after this time will not.
const READY_MAX: Duration = Duration::from_secs(20);
/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A site. Dropping it kills the process and removes its data.
#[derive(Debug)]
pub struct Site {
    program: PathBuf,
    flags: Vec<String>,
    directory: TempDir,
    port: u16,
    process: Option<Child>,
}

impl Site {
    /// Starts `program` with an empty store and more flags. It is called nantes unless they name it.
    ///
    /// # Errors
    /// It does not start, or does not listen in time.
    pub fn start(program: &Path, flags: &[&str]) -> io::Result<Site> {
        Site::start_on(free_port()?, program, flags)
    }

    /// As [`Site::start`], on a port that a client insists on.
    ///
    /// # Errors
    /// It does not start, or does not listen in time.
    pub fn start_on(port: u16, program: &Path, flags: &[&str]) -> io::Result<Site> {
        let mut site = Site {
            program: program.to_owned(),
            flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
            directory: tempfile::tempdir()?,
            port,
            process: None,
        };
        site.launch()?;
        Ok(site)
    }

    /// Where clients reach it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its port on loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its data directory.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Starts the process again on the same data; returns how long it took until it listened.
    ///
    /// # Errors
    /// It does not start, or does not listen in time.
    pub fn launch(&mut self) -> io::Result<Duration> {
        let started = Instant::now();
        let log = File::options().create(true).append(true).open(self.directory.path().join("log"))?;
        let process = Command::new(&self.program)
            .args((!self.flags.iter().any(|flag| flag == "--name")).then_some("--name=nantes"))
            .args(["--listen-client-urls", &self.url(), "--advertise-client-urls", &self.url(), "--data-dir"])
            .arg(self.data_dir())
            .args(&self.flags)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.process = Some(process);
        self.wait_ready(started)?;
        Ok(started.elapsed())
    }

    /// The address is bound before the store opens; the first answer says that it is open.
    fn wait_ready(&mut self, started: Instant) -> io::Result<()> {
        while !self.is_alive() {
            let ended = self.process.as_mut().and_then(|process| process.try_wait().ok().flatten());
            if ended.is_some() || started.elapsed() > READY_MAX {
                return Err(io::Error::other(format!("the site did not start; its log:\n{}", self.log())));
            }
            thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Alive is enough: a site whose alarm outlived a restart is not healthy.
    fn is_alive(&self) -> bool {
        self.http_get("/livez").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }

    /// The whole answer to a GET over HTTP/1.1.
    ///
    /// # Errors
    /// The connection.
    pub fn http_get(&self, path: &str) -> io::Result<String> {
        self.http("GET", path, "")
    }

    /// The whole answer to a POST of a JSON document over HTTP/1.1.
    ///
    /// # Errors
    /// The connection.
    pub fn http_post(&self, path: &str, body: &str) -> io::Result<String> {
        self.http("POST", path, body)
    }

    /// The whole answer to a request over HTTP/1.1.
    ///
    /// # Errors
    /// The connection.
    pub fn http(&self, method: &str, path: &str, body: &str) -> io::Result<String> {
        let mut answer = String::new();
        io::Read::read_to_string(&mut self.http_open(method, path, body)?, &mut answer)?;
        Ok(answer)
    }

    /// Sends a request over HTTP/1.1; the answer is read from what comes back.
    ///
    /// # Errors
    /// The connection.
    pub fn http_open(&self, method: &str, path: &str, body: &str) -> io::Result<TcpStream> {
        self.http_open_as(None, method, path, body)
    }

    /// The same in the name of whoever has a token.
    ///
    /// # Errors
    /// The connection.
    pub fn http_open_as(&self, token: Option<&str>, method: &str, path: &str, body: &str) -> io::Result<TcpStream> {
        use io::Write;
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(READY_MAX))?;
        let token = token.map(|token| format!("Authorization: {token}\r\n")).unwrap_or_default();
        let headers = format!("Host: localhost\r\nConnection: close\r\n{token}Content-Length: {}", body.len());
        write!(stream, "{method} {path} HTTP/1.1\r\n{headers}\r\n\r\n{body}")?;
        Ok(stream)
    }

    /// SIGKILL, and waits for its end.
    ///
    /// # Errors
    /// It could not be killed.
    pub fn kill(&mut self) -> io::Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        process.kill()?;
        process.wait()?;
        Ok(())
    }

    /// SIGSTOP: the process stands still, its connections stay.
    ///
    /// # Errors
    /// It could not be signalled.
    pub fn pause(&self) -> io::Result<()> {
        self.signal("STOP")
    }

    /// SIGCONT: it goes on.
    ///
    /// # Errors
    /// It could not be signalled.
    pub fn resume(&self) -> io::Result<()> {
        self.signal("CONT")
    }

    fn signal(&self, name: &str) -> io::Result<()> {
        let Some(process) = &self.process else { return Ok(()) };
        let status = Command::new("kill").args(["-s", name]).arg(process.id().to_string()).status()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("kill -s {name}: {status}"))) }
    }

    /// SIGTERM, and waits for its end.
    ///
    /// # Errors
    /// It could not be signalled.
    pub fn terminate(&mut self) -> io::Result<Option<ExitStatus>> {
        let Some(mut process) = self.process.take() else { return Ok(None) };
        Command::new("kill").arg(process.id().to_string()).status()?;
        process.wait().map(Some)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!("a site could not be killed: {error}");
        }
    }
}

/// A port that nobody listens on now.
///
/// # Errors
/// There is none.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
