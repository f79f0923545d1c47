//! The users of this machine: whose process is at the other end of a Unix socket.

use std::fs::File;
use std::io::Read;

use tokio::net::UnixStream;

use crate::limits::USERS_FILE_BYTES_MAX;

const USERS_FILE: &str = "/etc/passwd";

/// As the kernel tells it of a connected socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalUser {
    pub uid: u32,
    /// `uid-N` where the machine's list has no name for it.
    pub login: String,
}

impl LocalUser {
    /// `None`: the kernel does not say.
    pub(crate) fn of(stream: &UnixStream) -> Option<LocalUser> {
        let uid = uid_of(stream)?;
        let login = login_of(&users(), uid);
        Some(LocalUser {
            uid,
            login: login.unwrap_or_else(|| format!("uid-{uid}")),
        })
    }

    /// [`is_responsible`]
    pub fn is_responsible(&self) -> bool {
        is_responsible(self.uid)
    }
}

/// `None`: the kernel does not say.
pub(crate) fn uid_of(stream: &UnixStream) -> Option<u32> {
    Some(stream.peer_cred().ok()?.uid())
}

/// Root, or who runs the server: either could read and write the store itself.
pub(crate) fn is_responsible(uid: u32) -> bool {
    uid == 0 || uid == rustix::process::geteuid().as_raw()
}

/// Whether a user of this machine has that name.
pub fn is_local_user(name: &str) -> bool {
    let users = users();
    users.lines().any(|line| login(line) == Some(name))
}

/// `login:password:uid:…`, a line each (passwd(5)). Empty where it can't be read.
fn users() -> String {
    let mut text = Vec::new();
    let read = File::open(USERS_FILE)
        .and_then(|file| file.take(USERS_FILE_BYTES_MAX).read_to_end(&mut text));
    match read {
        Ok(_) => String::from_utf8_lossy(&text).into_owned(),
        Err(_) => String::new(),
    }
}

fn login(line: &str) -> Option<&str> {
    let (login, _) = line.split_once(':')?;
    // It becomes a part of an address and of a header field.
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (!login.is_empty() && login.bytes().all(good)).then_some(login)
}

fn login_of(users: &str, uid: u32) -> Option<String> {
    let has = |line: &&str| {
        let number = line.split(':').nth(2);
        number.and_then(|number| number.parse().ok()) == Some(uid)
    };
    users.lines().find(has).and_then(login).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_users() {
        let users = "root:x:0:0:root:/root:/bin/sh\n\
                     odd name:x:7:7::/:/bin/sh\n\
                     broken\n\
                     www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n";
        assert_eq!(login_of(users, 0).as_deref(), Some("root"));
        assert_eq!(login_of(users, 33).as_deref(), Some("www-data"));
        assert_eq!(login_of(users, 7), None);
        assert_eq!(login_of(users, 3), None);
        assert!(is_local_user("root"));
        assert!(!is_local_user("nobody-of-that-name"));
    }
}
