//! The browser's protocol over a pair of pipes: JSON objects, each ended by a zero byte. Owns the numbering of calls and
//! what comes unasked; must not know what is called.

use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Both ends.
pub(super) struct Pipe {
    to: ChildStdin,
    from: Receiver<Value>,
    calls: u64,
    events: Vec<Value>,
}

impl Pipe {
    /// Reads on a thread of its own, which ends with the browser.
    pub(super) fn new(to: ChildStdin, from: ChildStdout) -> Self {
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            let (mut from, mut bytes) = (BufReader::new(from), Vec::new());
            while from.read_until(0, &mut bytes).is_ok_and(|count| count > 0) {
                bytes.pop();
                let message = serde_json::from_slice(&bytes);
                bytes.clear();
                if message.is_ok_and(|message: Value| sender.send(message).is_err()) {
                    return;
                }
            }
        });
        Self { to, from: receiver, calls: 0, events: Vec::new() }
    }

    /// What came unasked so far.
    pub(super) fn events(&self) -> &[Value] {
        &self.events
    }

    /// Calls a method, in a session or in the browser as a whole.
    pub(super) fn call(
        &mut self,
        session: Option<&str>,
        method: &str,
        parameters: &Value,
        patience: Duration,
    ) -> Result<Value, String> {
        self.calls += 1;
        let mut message = json!({ "id": self.calls, "method": method, "params": parameters });
        if let Some(session) = session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).map_err(|error| format!("{method}: {error}"))?;
        let until = Instant::now() + patience;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let mut answer = self.from.recv_timeout(left).map_err(|_| format!("{method}: no answer"))?;
            if answer["id"] != self.calls {
                self.events.push(answer);
                continue;
            }
            return match answer.get("error") {
                Some(error) => Err(format!("{method}: {error}")),
                None => Ok(answer["result"].take()),
            };
        }
    }
}
