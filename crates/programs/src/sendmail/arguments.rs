//! What `sendmail` was called with: the options that programs have given it since 1983, of which most
//! mean nothing here and none may fail.

/// What is to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Take a message from standard input.
    #[default]
    Deliver,
    /// `-bs`: SMTP on standard input and output.
    Talk,
    /// `-bp`: there is another command for it.
    Queue,
    /// `-q`, `-bi`: done by itself.
    Nothing,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    pub mode: Mode,
    /// `-f`, `-r`: as given, maybe empty.
    pub from: Option<String>,
    /// `-F`
    pub full_name: Option<String>,
    /// `-t`: recipients are in the header too.
    pub read_recipients: bool,
    /// `-i`, `-oi`: a line with a dot alone is text.
    pub dots_are_text: bool,
    pub recipients: Vec<String>,
    /// `-N`: RFC 3461 §4.1.
    pub notify: Option<String>,
    /// `-R`
    pub ret: Option<String>,
    /// `-V`
    pub envelope_id: Option<String>,
}

/// How an option has its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    /// Behind the letter, or the next argument.
    Value,
    /// Behind the letter, if any.
    Rest,
}

const OPTIONS: [(char, Takes); 32] = [
    ('A', Takes::Value),
    ('B', Takes::Value),
    ('C', Takes::Value),
    ('D', Takes::Value),
    ('F', Takes::Value),
    ('G', Takes::Nothing),
    ('I', Takes::Nothing),
    ('L', Takes::Value),
    ('M', Takes::Value),
    ('N', Takes::Value),
    ('O', Takes::Value),
    ('R', Takes::Value),
    ('U', Takes::Nothing),
    ('V', Takes::Value),
    ('X', Takes::Value),
    ('b', Takes::Value),
    ('c', Takes::Nothing),
    ('d', Takes::Rest),
    ('e', Takes::Value),
    ('f', Takes::Value),
    ('h', Takes::Value),
    ('i', Takes::Nothing),
    ('m', Takes::Nothing),
    ('n', Takes::Nothing),
    ('o', Takes::Value),
    ('p', Takes::Value),
    ('q', Takes::Rest),
    ('r', Takes::Value),
    ('s', Takes::Nothing),
    ('t', Takes::Nothing),
    ('v', Takes::Nothing),
    ('x', Takes::Nothing),
];

const NOTIFY: [&str; 3] = ["SUCCESS", "FAILURE", "DELAY"];
/// RFC 3461 §4.3.
const RETURN: [&str; 2] = ["FULL", "HDRS"];

/// The arguments behind the command's name. The error is the option that is not known, or whose
/// value is none.
pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Call, String> {
    let mut call = Call::default();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            call.recipients.extend(arguments);
            break;
        }
        match argument.strip_prefix('-') {
            Some(letters) if !letters.is_empty() => {
                options(&mut call, letters, &mut arguments)?;
            }
            _ => call.recipients.push(argument),
        }
    }
    Ok(call)
}

/// `-ti` is `-t -i`.
fn options(
    call: &mut Call,
    letters: &str,
    arguments: &mut impl Iterator<Item = String>,
) -> Result<(), String> {
    let mut rest = letters.chars();
    while let Some(letter) = rest.next() {
        let takes = OPTIONS.iter().find(|option| option.0 == letter);
        let unknown = || format!("-{letter}");
        let value = match takes.ok_or_else(unknown)?.1 {
            Takes::Nothing => String::new(),
            Takes::Rest => rest.by_ref().collect(),
            Takes::Value => {
                let behind: String = rest.by_ref().collect();
                match behind.is_empty() {
                    true => arguments.next().ok_or_else(unknown)?,
                    false => behind,
                }
            }
        };
        set(call, letter, value)?;
    }
    Ok(())
}

fn set(call: &mut Call, letter: char, value: String) -> Result<(), String> {
    match letter {
        't' => call.read_recipients = true,
        'i' => call.dots_are_text = true,
        // The rest of -o is of sendmail's own inside: how errors are told, how it delivers.
        'o' => call.dots_are_text |= value == "i",
        'f' | 'r' => call.from = Some(value),
        'F' => call.full_name = Some(value),
        'N' if is_notify(&value) => call.notify = Some(value),
        'R' if RETURN.iter().any(|known| value.eq_ignore_ascii_case(known)) => {
            call.ret = Some(value);
        }
        // It becomes a part of a command.
        'N' | 'R' => return Err(format!("-{letter}{value}")),
        'V' => call.envelope_id = Some(value),
        'q' => call.mode = Mode::Nothing,
        'b' => {
            call.mode = match value.as_str() {
                "m" => Mode::Deliver,
                "s" => Mode::Talk,
                "p" => Mode::Queue,
                "i" => Mode::Nothing,
                _ => return Err(format!("-b{value}")),
            }
        }
        _ => {}
    }
    Ok(())
}

/// RFC 3461 §4.1: NEVER alone, or some of the others.
fn is_notify(value: &str) -> bool {
    let is = |word: &str, known: &[&str]| known.iter().any(|one| word.eq_ignore_ascii_case(one));
    is(value, &["NEVER"]) || value.split(',').all(|word| is(word, &NOTIFY))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(line: &str) -> Result<Call, String> {
        parse(line.split(' ').map(str::to_owned))
    }

    #[test]
    fn what_programs_say() {
        // cron, PHP's mail(), git send-email, mutt, s-nail.
        let cron = call("-FCronDaemon -i -B8BITMIME -oem root").unwrap();
        assert_eq!(cron.full_name.as_deref(), Some("CronDaemon"));
        assert!(cron.dots_are_text && !cron.read_recipients);
        assert_eq!(cron.recipients, ["root"]);
        let php = call("-t -i -fnoreply@shop.test").unwrap();
        assert!(php.read_recipients && php.dots_are_text);
        assert_eq!(php.from.as_deref(), Some("noreply@shop.test"));
        let git = call("-f a@b.test -i c@d.test e@f.test").unwrap();
        assert_eq!(git.from.as_deref(), Some("a@b.test"));
        assert_eq!(git.recipients, ["c@d.test", "e@f.test"]);
        let mutt = call("-oem -oi -f a@b.test -N failure,delay -R hdrs -- -odd@x.test").unwrap();
        assert!(mutt.dots_are_text);
        assert_eq!(mutt.notify.as_deref(), Some("failure,delay"));
        assert_eq!(mutt.ret.as_deref(), Some("hdrs"));
        assert_eq!(mutt.recipients, ["-odd@x.test"]);
        let odd = call("-ti -O ErrorMode=q -o i -X /log -d0.1 -vmG -V x a").unwrap();
        assert!(odd.read_recipients && odd.dots_are_text);
        assert_eq!(odd.envelope_id.as_deref(), Some("x"));
        assert_eq!(odd.recipients, ["a"]);
        assert_eq!(call("-f  a").unwrap().from.as_deref(), Some(""));
    }

    #[test]
    fn what_is_told_to_the_sender() {
        for fine in ["-N never", "-N Success,failure,DELAY", "-R full", "-RHDRS"] {
            assert!(call(fine).is_ok(), "{fine}");
        }
        for wrong in [
            "-Nnever,failure",
            "-Noften",
            "-Nfailure,",
            "-Nfailure\r\nRCPT",
            "-Rhdrs\r\nRSET",
            "-Rall",
        ] {
            assert_eq!(call(wrong).unwrap_err(), wrong);
        }
        let nothing = ["-N", "", "-R", ""].map(str::to_owned);
        assert_eq!(parse(nothing).unwrap_err(), "-N");
    }

    #[test]
    fn modes_and_mistakes() {
        for (line, mode) in [
            ("-bm a", Mode::Deliver),
            ("-bs", Mode::Talk),
            ("-bp", Mode::Queue),
            ("-bi", Mode::Nothing),
            ("-q", Mode::Nothing),
            ("-q30m", Mode::Nothing),
        ] {
            assert_eq!(call(line).unwrap().mode, mode, "{line}");
        }
        for (line, wrong) in [("-bd", "-bd"), ("-z", "-z"), ("-t -f", "-f"), ("-tz", "-z")] {
            assert_eq!(call(line).unwrap_err(), wrong, "{line}");
        }
    }
}
