//! A hub process that belongs to one test.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Generous: these machines are slow and shared.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running hub; killed and its data removed when dropped.
pub struct Hub {
    child: Option<Child>,
    dir: PathBuf,
    flags: Vec<String>,
    addresses: HashMap<String, SocketAddr>,
}

impl Hub {
    /// A fresh hub with these extra flags of `ironhub serve`, ready to serve.
    pub fn start(flags: &[&str]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let dir =
            std::env::temp_dir().join(format!("ironhub-test-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        let flags = flags.iter().map(|&flag| flag.to_owned()).collect();
        let mut hub = Self { child: None, dir, flags, addresses: HashMap::new() };
        hub.launch();
        hub
    }

    /// Starts it (again) on its data directory and waits until it is ready.
    pub fn launch(&mut self) {
        let listeners = self.dir.join("listeners.json");
        let _ = std::fs::remove_file(&listeners);
        let mut command = Command::new(env!("CARGO_BIN_EXE_ironhub"));
        command.arg("serve").arg("--data-dir").arg(&self.dir).args(["--hub-partitions", "4"]);
        for name in ["mqtt", "mqtts", "amqps", "https", "admin"] {
            command.args([&format!("--{name}-listen"), "127.0.0.1:0"]);
        }
        let log = std::fs::File::create(self.log_path()).expect("log file");
        command.args(&self.flags).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().expect("the hub starts"));
        let addresses = wait_for("the hub's listeners", || {
            self.assert_running();
            serde_json::from_slice(&std::fs::read(&listeners).ok()?).ok()
        });
        self.addresses = addresses;
        wait_for("the hub to be ready", || {
            self.assert_running();
            self.admin("/health/ready").ok().filter(|reply| reply.starts_with("HTTP/1.1 200"))
        });
    }

    /// The same with more flags.
    pub fn launch_with(&mut self, flags: &[&str]) {
        self.flags.extend(flags.iter().map(|&flag| flag.to_owned()));
        self.launch();
    }

    fn log_path(&self) -> PathBuf {
        self.dir.with_extension("log")
    }

    fn assert_running(&mut self) {
        let log = self.log_path();
        let child = self.child.as_mut().expect("launched");
        if let Some(status) = child.try_wait().expect("wait") {
            panic!(
                "the hub ended with {status}:\n{}",
                std::fs::read_to_string(log).unwrap_or_default()
            );
        }
    }

    /// Where a listener is: `mqtt`, `mqtts`, `amqps`, `https`, `admin`.
    pub fn address(&self, name: &str) -> SocketAddr {
        self.addresses[name]
    }

    /// The data directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A value of `hub.env`.
    pub fn env(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.dir.join("hub.env")).expect("hub.env");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_else(|| panic!("no {name} in hub.env")).to_owned()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("running");
        child.kill().expect("kill");
        child.wait().expect("wait");
    }

    /// SIGTERM; returns the exit code.
    pub fn terminate(&mut self) -> Option<i32> {
        let mut child = self.child.take().expect("running");
        Command::new("kill").arg(child.id().to_string()).status().expect("kill");
        wait_for("the hub to exit", || child.try_wait().expect("wait")).code()
    }

    /// One GET on the admin listener: the whole reply as text.
    pub fn admin(&self, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(self.address("admin"))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply)?;
        Ok(reply)
    }

    /// Runs `ironhub` with these arguments against this hub: exit code, stdout, stderr.
    pub fn cli(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_ironhub"))
            .args(arguments)
            .env("IRONHUB_DATA_DIR", &self.dir)
            .env_remove("IRONHUB_SERVICE_CONNECTION_STRING")
            .stdin(Stdio::null())
            .output()
            .expect("ironhub runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// Registers a device through the command line and returns its connection string.
    pub fn create_device(&self, id: &str) -> String {
        let (code, out, err) = self.cli(&["device", "create", id]);
        assert_eq!(code, Some(0), "device create {id}: {err}");
        out.lines().next().expect("a connection string").to_owned()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.log_path()).unwrap_or_default();
            eprintln!("--- the hub's log\n{log}");
        }
        let _ = std::fs::remove_dir_all(&self.dir);
        let _ = std::fs::remove_file(self.log_path());
    }
}

/// Tries until there is an answer; fails the test after [`PATIENCE`].
pub fn wait_for<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = attempt() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "gave up waiting for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
