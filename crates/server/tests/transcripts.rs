//! Every dialogue in `transcripts/`, whole and byte by byte.

mod world;

#[test]
fn imap() {
    world::run_directory("imap");
}

#[test]
fn managesieve() {
    world::run_directory("managesieve");
}

#[test]
fn pop3() {
    world::run_directory("pop3");
}

#[test]
fn smtp() {
    world::run_directory("smtp");
}
