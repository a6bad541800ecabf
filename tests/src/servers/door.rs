//! A loopback port in front of a server that can be shut and opened: for whoever uses it, the server goes away and comes
//! back. Passes bytes on; must not know what they mean.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// A way to a server over HTTP that can be closed.
#[derive(Debug)]
pub struct Door {
    url: String,
    own: SocketAddr,
    server: SocketAddr,
    passage: Mutex<Option<Passage>>,
    /// Milliseconds that everything waits on its way.
    delay: Arc<AtomicU64>,
}

/// An open door: the thread that lets connections in, and the connections.
#[derive(Debug)]
struct Passage {
    shut: Arc<AtomicBool>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
    thread: JoinHandle<()>,
}

impl Door {
    /// A door before the server at `url`, shut.
    ///
    /// # Panics
    /// When the address is not of the form `http://127.0.0.1:port/…`.
    #[must_use]
    pub fn shut_before(url: &str) -> Self {
        let rest = url.strip_prefix("http://").expect("an address over HTTP");
        let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let server = host.parse().expect("a numeric address and a port");
        let own = SocketAddr::from(([127, 0, 0, 1], super::free_port()));
        Self {
            url: format!("http://{own}{path}"),
            own,
            server,
            passage: Mutex::new(None),
            delay: Arc::default(),
        }
    }

    /// A door before the server at `url`, open.
    ///
    /// # Panics
    /// As [`shut_before`](Self::shut_before).
    #[must_use]
    pub fn before(url: &str) -> Self {
        let door = Self::shut_before(url);
        door.open();
        door
    }

    /// The server's address for whoever goes through the door.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The door's port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.own.port()
    }

    /// Makes everything wait this long on its way; each piece of up to 16 KiB waits by itself, so it is a narrow door too.
    pub fn slow_down(&self, delay: Duration) {
        self.delay.store(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Lets connections through.
    ///
    /// # Panics
    /// When somebody has taken the port meanwhile.
    pub fn open(&self) {
        let mut passage = self.passage.lock().unwrap_or_else(PoisonError::into_inner);
        if passage.is_some() {
            return;
        }
        let listener = TcpListener::bind(self.own).expect("the door's port is its own");
        listener.set_nonblocking(true).expect("a listener can be asked without waiting");
        let (shut, streams) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (seen, held, server) = (Arc::clone(&shut), Arc::clone(&streams), self.server);
        let delay = Arc::clone(&self.delay);
        let thread = std::thread::spawn(move || {
            while !seen.load(Ordering::SeqCst) {
                match listener.accept() {
                    Ok((visitor, _)) => let_in(&visitor, server, &held, &delay),
                    Err(_) => std::thread::sleep(Duration::from_millis(5)),
                }
            }
        });
        *passage = Some(Passage { shut, streams, thread });
    }

    /// Ends every connection and refuses new ones.
    pub fn shut(&self) {
        let passage = self.passage.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Passage { shut, streams, thread }) = passage else { return };
        shut.store(true, Ordering::SeqCst);
        // The thread holds nothing that its panic could have broken.
        let _ = thread.join();
        for stream in streams.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.shut();
    }
}

fn let_in(visitor: &TcpStream, server: SocketAddr, held: &Mutex<Vec<TcpStream>>, delay: &Arc<AtomicU64>) {
    let Ok(host) = TcpStream::connect(server) else { return };
    let _ = visitor.set_nonblocking(false);
    let copies = [visitor, &host].map(|stream| [stream.try_clone(), stream.try_clone(), stream.try_clone()]);
    let [[Ok(v1), Ok(v2), Ok(v3)], [Ok(h1), Ok(h2), Ok(h3)]] = copies else { return };
    held.lock().unwrap_or_else(PoisonError::into_inner).extend([v3, h3]);
    let (there, back) = (Arc::clone(delay), Arc::clone(delay));
    std::thread::spawn(move || pass(v1, h1, &there));
    std::thread::spawn(move || pass(h2, v2, &back));
}

/// Passes bytes on until one side has ended.
fn pass(mut from: TcpStream, mut to: TcpStream, delay: &AtomicU64) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let wait = delay.load(Ordering::Relaxed);
        if wait > 0 {
            std::thread::sleep(Duration::from_millis(wait));
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
