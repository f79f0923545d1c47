//! One attempt: the dialogue with the next host. (Being written; see git log.)
