//! Every maximum of the language and its machine.

/// A script, as it is stored.
pub const SCRIPT_BYTES_MAX: usize = 256 * 1024;

/// Blocks in blocks, and tests in tests (RFC 5228 §2.10.5 asks for 15 of both).
pub const DEPTH_MAX: usize = 32;

/// Strings of a script, lists' elements counted one by one.
pub const STRINGS_MAX: usize = 20_000;

/// Instructions of a program, its included scripts counted in.
pub const PROGRAM_OPS_MAX: usize = 20_000;

/// Scripts that one program includes, however often.
pub const INCLUDES_MAX: usize = 32;

/// Calls within calls of included scripts (RFC 6609 §3.1).
pub const CALLS_MAX: usize = 10;

/// Names of variables (RFC 5229 §6 asks for 128).
pub const VARIABLES_MAX: usize = 256;

/// Characters of a variable's name (RFC 5229 §6 asks for 32).
pub const VARIABLE_NAME_MAX: usize = 64;

/// Bytes of a variable's value (RFC 5229 §6 asks for 4,000 characters); a longer one is cut.
pub const VARIABLE_BYTES_MAX: usize = 16 * 1024;

/// Match variables are `${0}` to `${9}` at least (RFC 5229 §6).
pub const MATCHES_MAX: usize = 64;

/// Steps of one run: an instruction is one, and comparing costs one for 64 bytes or so.
pub const STEPS_MAX: u64 = 2_000_000;

/// Bytes that strings made by one run may take together.
pub const MEMORY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Copies that one run files.
pub const STORES_MAX: usize = 16;

/// Other addresses that one run sends the message on to (RFC 5228 §10).
pub const REDIRECTS_MAX: usize = 4;

/// Notifications that one run asks for, and addresses of one (RFC 5435 §8).
pub const NOTIFICATIONS_MAX: usize = 4;
pub const NOTIFY_RECIPIENTS_MAX: usize = 4;

/// Further header fields that a `mailto:` gives.
pub const NOTIFY_FIELDS_MAX: usize = 8;

/// Different headers that one run leaves in copies.
pub const EDITIONS_MAX: usize = 4;

/// Bytes of a header that a script may have grown it to, and of one field that it adds
/// (RFC 5293 §4 asks for 998).
pub const EDITED_HEADER_BYTES_MAX: usize = 160 * 1024;
pub const ADDED_FIELD_BYTES_MAX: usize = 4 * 1024;

/// Bytes of a part's header that tests look at.
pub const PART_HEADER_BYTES_MAX: u64 = 32 * 1024;

/// Steps that reading one costs.
pub const PART_HEADER_STEPS: u64 = 500;

/// Steps that a question to the store costs: mailboxes, annotations, whom one has written to.
pub const QUESTION_STEPS: u64 = 200;

/// Loops in loops (RFC 5703 §3 asks for 2).
pub const LOOPS_MAX: usize = 8;

/// Flags that one run sets on a copy.
pub const FLAGS_MAX: usize = 64;

/// Bytes of a flag's name.
pub const FLAG_BYTES_MAX: usize = 128;

/// Bytes of a mailbox's name.
pub const MAILBOX_BYTES_MAX: usize = 1_000;

/// Bytes of a reason or of an absence message (RFC 5429 §2.1, RFC 5230 §4.1).
pub const TEXT_BYTES_MAX: usize = 32 * 1024;

/// Decoded text of one part that a body test looks at.
pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Parts of a message that tests look at.
pub const PARTS_MAX: usize = 1_000;

/// Tests of `duplicate` whose ids one run remembers.
pub const DUPLICATES_MAX: usize = 8;

/// Bytes of a pattern's compiled form.
pub const REGEX_BYTES_MAX: usize = 256 * 1024;

/// Groups in groups of a pattern.
pub const REGEX_DEPTH_MAX: u32 = 32;

/// How long `duplicate` remembers when the script does not say (RFC 7352 §3.3), and at most.
pub const DUPLICATE_SECONDS: u64 = 7 * 86_400;
pub const DUPLICATE_SECONDS_MAX: u64 = 90 * 86_400;

/// How long nobody is answered twice when the script does not say (RFC 5230 §4.1), and at most.
pub const VACATION_SECONDS: u64 = 7 * 86_400;
pub const VACATION_SECONDS_MAX: u64 = 90 * 86_400;

/// Steps that a pattern with variables in it costs, which is compiled in the run.
pub const REGEX_STEPS: u64 = 2_000;
