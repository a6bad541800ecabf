//! What a user of Kafka is allowed, told to the broker over a connection of its own (KIP-140; no client library of this
//! house can, and the broker's own tool takes seconds each time). Must not know which application needs what.

use std::io::{Read, Write};
use std::net::TcpStream;

/// Permission to do one thing to one resource, or to all whose name begins so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Acl {
    /// `topic`, `group`, `cluster` or `transactionalId`, as Strimzi calls them.
    pub resource: String,
    /// Its name, or how it begins.
    pub name: String,
    /// Whether the name is how it begins.
    pub is_prefix: bool,
    /// `Read`, `Write`, `Create`, …, as Strimzi calls them.
    pub operation: String,
}

const CREATE_ACLS: i16 = 30;
const DELETE_ACLS: i16 = 31;
const ANY: u8 = 1;

impl Acl {
    fn kind(&self) -> u8 {
        let kinds = ["", "", "topic", "group", "cluster", "transactionalId"];
        number(&kinds, &self.resource)
    }

    fn what(&self) -> u8 {
        let operations = [
            "",
            "",
            "All",
            "Read",
            "Write",
            "Create",
            "Delete",
            "Alter",
            "Describe",
            "ClusterAction",
            "DescribeConfigs",
            "AlterConfigs",
            "IdempotentWrite",
        ];
        number(&operations, &self.operation)
    }
}

fn number(names: &[&str], name: &str) -> u8 {
    let found = names.iter().position(|known| *known == name && !name.is_empty());
    u8::try_from(found.unwrap_or_else(|| panic!("{name:?} is none of {names:?}"))).expect("a short table")
}

/// A connection of somebody who may change permissions.
pub(super) struct AclClient(TcpStream);

impl AclClient {
    pub(super) fn connect(bootstrap: &str) -> Self {
        Self(TcpStream::connect(bootstrap).expect("the broker listens"))
    }

    /// Replaces all that the principal is allowed.
    pub(super) fn allow_only(&mut self, principal: &str, acls: &[Acl]) {
        let mut filter = count(1);
        // Any resource of any name and pattern, of this principal, from any host, for any operation and permission.
        filter.extend([ANY, 0xff, 0xff, ANY]);
        filter.extend(text(principal));
        filter.extend([0xff, 0xff, ANY, ANY]);
        let answer = self.ask(DELETE_ACLS, &filter);
        // Throttling, one filter, its error.
        assert_eq!(&answer[8..10], [0, 0], "the permissions are taken away: {answer:?}");
        let mut wanted = count(acls.len());
        for acl in acls {
            wanted.push(acl.kind());
            wanted.extend(text(&acl.name));
            wanted.push(if acl.is_prefix { 4 } else { 3 });
            wanted.extend(text(principal));
            wanted.extend(text("*"));
            wanted.extend([acl.what(), 3]);
        }
        let answer = self.ask(CREATE_ACLS, &wanted);
        let mut results = &answer[8..];
        for acl in acls {
            assert_eq!(&results[..2], [0, 0], "{acl:?} is allowed");
            let len = i16::from_be_bytes([results[2], results[3]]);
            results = &results[4 + usize::try_from(len).unwrap_or(0)..];
        }
    }

    /// Asks in version 1, and gives what stands behind the answer's number.
    fn ask(&mut self, api: i16, body: &[u8]) -> Vec<u8> {
        let head = [api.to_be_bytes(), 1_i16.to_be_bytes()].concat();
        let request = [head, 7_i32.to_be_bytes().to_vec(), text("tests"), body.to_vec()].concat();
        self.0.write_all(&count(request.len())).expect("it is sent");
        self.0.write_all(&request).expect("it is sent");
        let mut len = [0; 4];
        self.0.read_exact(&mut len).expect("the broker answers");
        let mut answer = vec![0; u32::from_be_bytes(len) as usize];
        self.0.read_exact(&mut answer).expect("the broker answers");
        answer.split_off(4)
    }
}

fn text(text: &str) -> Vec<u8> {
    let len = i16::try_from(text.len()).expect("a short name");
    [&len.to_be_bytes()[..], text.as_bytes()].concat()
}

fn count(count: usize) -> Vec<u8> {
    i32::try_from(count).expect("a few").to_be_bytes().to_vec()
}
