//! A librdkafka client handle with its callbacks, and librdkafka's error objects. Must not know what is consumed or
//! produced.

use std::cell::UnsafeCell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::ManuallyDrop;
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings as rd;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::super::signals::Signals;
use super::produce::{Delivery, on_delivery};

/// What librdkafka says about a failed call.
#[derive(Debug, Clone)]
pub(in super::super) struct NativeError {
    pub(in super::super) code: RDKafkaErrorCode,
    pub(in super::super) text: String,
    pub(in super::super) retriable: bool,
    /// Only an abort of the transaction mends it.
    pub(in super::super) abort: bool,
}

impl NativeError {
    pub(super) fn code(code: rd::rd_kafka_resp_err_t) -> Result<(), Self> {
        if code == rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Ok(());
        }
        // SAFETY: librdkafka's error texts are static.
        let text = unsafe { text(rd::rd_kafka_err2str(code)) };
        Err(Self { code: code.into(), text, retriable: false, abort: false })
    }

    /// Takes an error object that the caller owns; null is no error.
    pub(super) fn take(error: *mut rd::rd_kafka_error_t) -> Result<(), Self> {
        if error.is_null() {
            return Ok(());
        }
        // SAFETY: the object is live and ours, and destroyed once, here.
        unsafe {
            let taken = Self::read(error);
            rd::rd_kafka_error_destroy(error);
            Err(taken)
        }
    }

    /// # Safety
    /// `error` must be live.
    pub(super) unsafe fn read(error: *const rd::rd_kafka_error_t) -> Self {
        // SAFETY: the caller vouches for the object; its text is copied.
        unsafe {
            Self {
                code: rd::rd_kafka_error_code(error).into(),
                text: text(rd::rd_kafka_error_string(error)),
                retriable: rd::rd_kafka_error_is_retriable(error) != 0,
                abort: rd::rd_kafka_error_txn_requires_abort(error) != 0,
            }
        }
    }
}

/// # Safety
/// `chars` must be null or end with a nul.
pub(super) unsafe fn text(chars: *const c_char) -> String {
    if chars.is_null() {
        return String::new();
    }
    // SAFETY: not null, and the caller vouches for the nul.
    unsafe { CStr::from_ptr(chars) }.to_string_lossy().into_owned()
}

pub(super) fn millis(timeout: Duration) -> c_int {
    c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX)
}

/// What the callbacks of one handle reach.
pub(super) struct Hooks {
    pub(super) signals: Arc<Signals>,
    /// Touched by the delivery callback, which librdkafka calls only inside calls of the producer's owner, and by that
    /// owner: never at once.
    pub(super) delivery: UnsafeCell<Delivery>,
}

/// A client: a consumer or a producer.
pub(in super::super) struct Client {
    rk: *mut rd::rd_kafka_t,
    hooks: *mut Hooks,
    consumer: bool,
}

// SAFETY: librdkafka's handles are thread-safe; the delivery state is reached only through `&mut` of the producer.
unsafe impl Send for Client {}
// SAFETY: as above; no method of `&self` touches the delivery state.
unsafe impl Sync for Client {}

impl Client {
    /// A consumer handle whose errors and logs go to `signals`.
    pub(in super::super) fn consumer(
        config: &ClientConfig,
        signals: Arc<Signals>,
    ) -> Result<Self, KafkaError> {
        Self::new(rd::rd_kafka_type_t::RD_KAFKA_CONSUMER, config, signals)
    }

    pub(super) fn producer(config: &ClientConfig, signals: Arc<Signals>) -> Result<Self, KafkaError> {
        Self::new(rd::rd_kafka_type_t::RD_KAFKA_PRODUCER, config, signals)
    }

    fn new(
        kind: rd::rd_kafka_type_t,
        config: &ClientConfig,
        signals: Arc<Signals>,
    ) -> Result<Self, KafkaError> {
        let conf = config.create_native_config()?;
        let consumer = kind == rd::rd_kafka_type_t::RD_KAFKA_CONSUMER;
        let hooks = Box::into_raw(Box::new(Hooks { signals, delivery: UnsafeCell::default() }));
        let mut reason = [0 as c_char; 512];
        // SAFETY: `conf` is live; the hooks outlive the handle (see `drop`); a successful `rd_kafka_new` takes the
        // configuration over, a failed one leaves it and the hooks to us.
        unsafe {
            rd::rd_kafka_conf_set_opaque(conf.ptr(), hooks.cast());
            rd::rd_kafka_conf_set_log_cb(conf.ptr(), Some(on_log));
            rd::rd_kafka_conf_set_error_cb(conf.ptr(), Some(on_error));
            if !consumer {
                rd::rd_kafka_conf_set_dr_msg_cb(conf.ptr(), Some(on_delivery));
                rd::rd_kafka_conf_set_closesocket_cb(conf.ptr(), Some(on_close));
            }
            let conf = ManuallyDrop::new(conf);
            let rk = rd::rd_kafka_new(kind, conf.ptr(), reason.as_mut_ptr(), reason.len());
            if rk.is_null() {
                drop(Box::from_raw(hooks));
                drop(ManuallyDrop::into_inner(conf));
                return Err(KafkaError::ClientCreation(text(reason.as_ptr())));
            }
            Ok(Self { rk, hooks, consumer })
        }
    }

    pub(in super::super) fn ptr(&self) -> *mut rd::rd_kafka_t {
        self.rk
    }

    pub(super) fn hooks(&self) -> *mut Hooks {
        self.hooks
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // A consumer here never joins a group: there is nothing to close with the group's coordinator.
        let flags = if self.consumer { rd::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE } else { 0 };
        // SAFETY: the handle is destroyed once, and no callback can run after that; then the hooks may go.
        unsafe {
            rd::rd_kafka_destroy_flags(self.rk, flags);
            drop(Box::from_raw(self.hooks));
        }
    }
}

unsafe extern "C" fn on_log(
    rk: *const rd::rd_kafka_t,
    level: c_int,
    facility: *const c_char,
    line: *const c_char,
) {
    // SAFETY: librdkafka passes a live handle, whose opaque is the hooks (null only while it is being made), and two
    // strings that live during the call.
    unsafe {
        let hooks = rd::rd_kafka_opaque(rk).cast::<Hooks>();
        if let Some(hooks) = hooks.as_ref() {
            hooks.signals.log(level, &text(facility), &text(line));
        }
    }
}

unsafe extern "C" fn on_error(
    _: *mut rd::rd_kafka_t,
    code: c_int,
    reason: *const c_char,
    hooks: *mut c_void,
) {
    // SAFETY: the opaque is the hooks, which live as long as the handle; the reason lives during the call.
    unsafe {
        if let Some(hooks) = hooks.cast::<Hooks>().as_ref() {
            hooks.signals.failed(code, &text(reason));
        }
    }
}

/// Called by librdkafka's threads before they connect again.
unsafe extern "C" fn on_close(socket: c_int, hooks: *mut c_void) -> c_int {
    // SAFETY: the opaque is the hooks, which live as long as the handle; the socket is given away to be closed here.
    unsafe {
        if let Some(hooks) = hooks.cast::<Hooks>().as_ref() {
            hooks.signals.closing();
        }
        drop(OwnedFd::from_raw_fd(socket));
    }
    0
}
