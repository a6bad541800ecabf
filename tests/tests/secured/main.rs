//! The shipped binary, with its features for TLS, on an Apache Kafka that is run as others run theirs: encrypted, with
//! certificates or logins, and with an authorizer. It does its work with the permissions of `deploy/strimzi/user.yaml` and
//! no more, and says in one sentence which one is missing.

mod doors;
mod permissions;
mod run;
