//! The probes of a running container, as part of its owner's loop: nothing here waits.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use runtime::{Process, Stdio, StdioStream};
use rustix::io::Errno;
use rustix::process::Signal;

use super::{HEALTH, Health, HealthProbe, HealthSettings, or_usual};
use crate::containers::container::Container;
use crate::containers::events;
use crate::containers::exec::{self, ExecOptions};
use crate::containers::pause::running;
use crate::streams::never_wait;
use crate::{Engine, Error};

const INTERVAL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(30);
const START_INTERVAL: Duration = Duration::from_secs(5);
const RETRIES: i64 = 3;
/// As much of the output is kept, of so many probes.
const LONGEST_OUTPUT: usize = 4096;
const LOG_LENGTH: usize = 5;

/// Looks after one life of a container.
#[derive(Debug)]
pub(in crate::containers) struct HealthWatch {
    settings: HealthSettings,
    command: Vec<String>,
    began: Instant,
    next: Instant,
    probe: Option<Probe>,
    health: Health,
}

/// A probe that runs.
#[derive(Debug)]
struct Probe {
    process: Process,
    output: Option<OwnedFd>,
    text: Vec<u8>,
    is_cut: bool,
    start: String,
    began: Instant,
    deadline: Instant,
    is_late: bool,
}

impl HealthWatch {
    /// For a container that has just started; `None` where nothing is looked after.
    pub(in crate::containers) fn begin(container: &Container) -> Option<Self> {
        let settings = container.record.health.clone();
        let command = settings.command()?;
        let health = Health::starting();
        let began = Instant::now();
        let mut watch = Self { settings, command, began, next: began, probe: None, health };
        watch.next = began + watch.interval();
        watch.write(container);
        Some(watch)
    }

    /// When something is to be done, if nothing happens before.
    pub(in crate::containers) fn deadline(&self) -> Option<Instant> {
        match &self.probe {
            None => Some(self.next),
            Some(probe) => (!probe.is_late).then_some(probe.deadline),
        }
    }

    /// What tells that something has happened.
    pub(in crate::containers) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let output = self.probe.as_ref().and_then(|probe| probe.output.as_ref()).map(AsFd::as_fd);
        self.probe.as_ref().map(|probe| probe.process.pidfd()).into_iter().chain(output)
    }

    /// Does what is to be done now.
    pub(in crate::containers) fn work(&mut self, engine: &Engine, container: &Container) {
        let now = Instant::now();
        let Some(probe) = &mut self.probe else {
            if self.next <= now {
                self.start(engine, container, now);
            }
            return;
        };
        probe.read();
        if probe.deadline <= now && !probe.is_late {
            probe.is_late = true;
            probe.process.signal(Signal::KILL.as_raw()).ok();
        }
        let Ok(Some(status)) = probe.process.try_wait() else { return };
        probe.read();
        let timeout = or_usual(self.settings.timeout, TIMEOUT);
        let (code, output) = match probe.is_late {
            true => (-1, format!("Health check exceeded timeout ({}){}", go_duration(timeout), probe.rest())),
            false => (i32::from(status.docker_code()), probe.output()),
        };
        let (start, began) = (std::mem::take(&mut probe.start), probe.began);
        self.probe = None;
        let before = self.health.status.clone();
        self.note(HealthProbe { start, end: engine.now().to_string(), exit_code: code, output }, began);
        self.next = Instant::now() + self.interval();
        self.write(container);
        if self.health.status != before {
            events::note(engine, container, &format!("health_status: {}", self.health.status), &[]);
        }
    }

    fn start(&mut self, engine: &Engine, container: &Container, now: Instant) {
        self.next = now + self.interval();
        let start = engine.now().to_string();
        match self.launch(container, start.clone(), now) {
            Ok(probe) => self.probe = probe,
            Err(error) => {
                let output =
                    std::iter::once(&error.message).chain(&error.causes).cloned().collect::<Vec<_>>().join(": ");
                let code = error.exit_code.map_or(-1, i32::from);
                self.note(HealthProbe { start, end: engine.now().to_string(), exit_code: code, output }, now);
                self.write(container);
            }
        }
    }

    /// A container that is paused, or has just ended, is not asked.
    fn launch(&self, container: &Container, start: String, now: Instant) -> Result<Option<Probe>, Error> {
        let state = container.written_state()?;
        if running(container, &state).is_none_or(|running| running.is_frozen()) {
            return Ok(None);
        }
        let broken = |error: std::io::Error| {
            Error::new(crate::ErrorKind::Internal, "cannot read what a health check writes").because(&error)
        };
        let (output, end) = crate::terminal::pipe().map_err(broken)?;
        never_wait(&output).map_err(|errno| broken(errno.into()))?;
        let other = end.try_clone().map_err(broken)?;
        let stdio = Stdio { stdin: StdioStream::Null, stdout: StdioStream::Fd(end), stderr: StdioStream::Fd(other) };
        let options = ExecOptions {
            container: container.record.name.clone(),
            command: self.command.clone(),
            ..ExecOptions::default()
        };
        let mut spec = exec::process(container, &state, &options)?;
        spec.die_with_parent = true;
        let process = exec::start(container, &state, spec, None, stdio, &options)?;
        let deadline = now + or_usual(self.settings.timeout, TIMEOUT);
        let (text, output) = (Vec::new(), Some(output));
        Ok(Some(Probe { process, output, text, is_cut: false, start, began: now, deadline, is_late: false }))
    }

    /// Docker's rules: one success is enough; failures count in a row, and not yet in the start period.
    fn note(&mut self, probe: HealthProbe, began: Instant) {
        let health = &mut self.health;
        if probe.exit_code == 0 {
            health.failing_streak = 0;
            "healthy".clone_into(&mut health.status);
        } else {
            let start_period = or_usual(self.settings.start_period, Duration::ZERO);
            let is_early = health.status == "starting" && began.saturating_duration_since(self.began) < start_period;
            if !is_early {
                health.failing_streak += 1;
                let retries = if self.settings.retries > 0 { self.settings.retries } else { RETRIES };
                if i64::from(health.failing_streak) >= retries {
                    "unhealthy".clone_into(&mut health.status);
                }
            }
        }
        health.log.push(probe);
        let old = health.log.len().saturating_sub(LOG_LENGTH);
        health.log.drain(..old);
    }

    fn interval(&self) -> Duration {
        let start_period = or_usual(self.settings.start_period, Duration::ZERO);
        match self.health.status == "starting" && self.began.elapsed() < start_period {
            true => or_usual(self.settings.start_interval, START_INTERVAL),
            false => or_usual(self.settings.interval, INTERVAL),
        }
    }

    /// A full disk must not stop the container.
    fn write(&self, container: &Container) {
        if let Ok(bytes) = serde_json::to_vec(&self.health) {
            container.folder.write(HEALTH, &bytes).ok();
        }
    }
}

impl Probe {
    /// Takes what is there.
    fn read(&mut self) {
        let mut buffer = [0; LONGEST_OUTPUT];
        while let Some(output) = &self.output {
            match rustix::io::read(output, &mut buffer) {
                Ok(count) if count > 0 => {
                    let room = LONGEST_OUTPUT - self.text.len();
                    self.is_cut |= count > room;
                    self.text.extend_from_slice(&buffer[..count.min(room)]);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Ok(_) | Err(_) => self.output = None,
            }
        }
    }

    fn output(&self) -> String {
        let text = String::from_utf8_lossy(&self.text);
        if self.is_cut { format!("{text}...") } else { text.into_owned() }
    }

    fn rest(&self) -> String {
        if self.text.is_empty() { String::new() } else { format!(": {}", self.output()) }
    }
}

/// `1m30s`, `1.5s`, `200ms`.
fn go_duration(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds == 0 {
        return format!("{}ms", time.as_millis());
    }
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let rest = time.as_secs_f64() - (hours * 3600 + minutes * 60) as f64;
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}
