//! What comes over the wire before and after a login may be anything: the endpoint refuses it or hangs up, and goes on to
//! answer others.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use candlewick_tests::require;

use crate::{ready, shared};

/// Numbers from a seed (Marsaglia's xorshift): the same inputs every time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound.max(1) as u64).unwrap()
    }
}

/// A message of PostgreSQL's protocol: its kind, its length and its body.
fn message(kind: &[u8], body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [kind, &len, body].concat()
}

/// Good conversations: a plain startup with a query and an extended one, a request for TLS, and one to cancel.
fn conversations() -> Vec<Vec<u8>> {
    let startup = message(b"", b"\0\x03\0\0user\0someone\0database\0candlewick\0\0");
    let query = message(b"Q", b"SELECT 1\0");
    let parse = message(b"P", b"s\0SELECT $1\0\0\x01\0\0\0\x19");
    let bind = message(b"B", b"\0s\0\0\x01\0\0\0\x01\0\0\0\x01x\0\0");
    let describe = message(b"D", b"Ss\0");
    let run = [message(b"E", b"\0\0\0\0\0"), message(b"S", b"")].concat();
    vec![
        [startup.clone(), query].concat(),
        [startup.clone(), parse, describe, bind, run].concat(),
        [message(b"", b"\x04\xd2\x16\x2f"), startup].concat(),
        message(b"", b"\x04\xd2\x16\x2e\0\0\0\x01\0\0\0\x02"),
    ]
}

fn changed(bytes: &mut Vec<u8>, chance: &mut Chance) {
    for _ in 0..1 + chance.below(4) {
        let at = chance.below(bytes.len() + 1);
        match chance.below(5) {
            0 => bytes.truncate(at),
            1 => bytes.splice(at..at, [0xff, 0xff, 0xff, 0x7f]).for_each(drop),
            2 if at + 4 <= bytes.len() => bytes[at..at + 4].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff]),
            3 if at < bytes.len() => drop(bytes.remove(at)),
            _ if at < bytes.len() => bytes[at] = u8::try_from(chance.below(256)).unwrap(),
            _ => {}
        }
    }
}

fn send(address: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    // It may have hung up on what it has seen so far, and may await more.
    let _ = stream.write_all(bytes);
    let _ = stream.take(1 << 16).read_to_end(&mut Vec::new());
}

#[test]
fn damaged_conversations_hurt_nobody_else() {
    let (_, psql) = require!(ready());
    let address = shared().1.address;
    let conversations = conversations();
    let mut chance = Chance(0x5eed);
    for round in 0..300 {
        let mut bytes = conversations[round % conversations.len()].clone();
        changed(&mut bytes, &mut chance);
        send(address, &bytes);
        if round % 50 == 0 {
            assert_eq!(psql.rows("SELECT 1"), [["1"]], "after {round} of them");
        }
    }
    assert_eq!(psql.rows("SELECT 1"), [["1"]]);
}
