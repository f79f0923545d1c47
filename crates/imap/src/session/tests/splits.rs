//! Any split of the input gives the same output and the same requests.

use super::*;

/// A dialogue as one client sends it, whatever it is answered.
const DIALOGUES: &[(&[u8], bool)] = &[
    (b"a CAPABILITY\r\nb LOGIN {3}\r\njoe {2+}\r\npw\r\nc SELECT INBOX\r\nd FETCH 1:* (FLAGS BODY[HEADER.FIELDS (To {4+}\r\nFrom)])\r\ne LOGOUT\r\n", true),
    (b"l LOGIN joe pw\r\na APPEND {1+}\r\nx (\\Seen) {12+}\r\nHello\r\nworld\r\nb APPEND gone {8+}\r\nx NOOP\r\n\r\nc APPEND x {3}\r\nabc\r\nd IDLE\r\nDONE\r\ne NOOP\r\n", true),
    (b"l LOGIN joe pw\na SELECT x\nb SEARCH RETURN (ALL) TEXT {3+}\nabc\nc IDLE\nfoo\nd FROB {4+}\nabcd\ne NOOP\r\r\nf NO\rOP\r\n", true),
    (b"a AUTHENTICATE PLAIN\r\nam9l\r\nb NOOP\r\n", true),
    (b"a AUTHENTICATE PLAIN\r\n*\r\nb LOGIN joe \"x {3+}\r\nabc\r\nc LOGIN joe wrong\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", true),
    (b"l LOGIN joe pw\r\na APPEND x {3+}\r\nabc garbage\r\nb APPEND x {2+}\r\nab{3+}\r\nabc\r\nd APPEND x {2+}\r\nab {3}\r\nabc\r\nc NOOP\r\n", true),
    (b"\x16\x03\x01\x00\x05hello", false),
    (b"\r\n\r\n+ x\r\na \r\n", false),
];

fn run(input: &[u8], tls: bool, cuts: &[usize]) -> (String, Vec<String>, Vec<u8>) {
    let mut driver = Driver::with(config(), tls);
    let mut rest = input;
    for cut in cuts {
        let (piece, after) = rest.split_at((*cut).min(rest.len()));
        driver.send_bytes(piece);
        rest = after;
    }
    driver.send_bytes(rest);
    (
        String::from_utf8_lossy(&driver.said).into_owned(),
        driver.asked,
        driver.body,
    )
}

#[test]
fn byte_by_byte() {
    for (input, tls) in DIALOGUES {
        let whole = run(input, *tls, &[]);
        let bytes = run(input, *tls, &vec![1; input.len()]);
        assert_eq!(whole, bytes, "{}", String::from_utf8_lossy(input));
    }
}

/// A long line is refused alike whether or not its end has come.
#[test]
fn around_the_line_limit() {
    for over in 0..4 {
        let line = limits::BEFORE_LOGIN.line_bytes_max + over - 1;
        let mut input = b"a NOOP".to_vec();
        input.resize(line, b' ');
        input.extend_from_slice(b"{5+}\r\nabcde\r\nb NOOP\r\n");
        let whole = run(&input, true, &[]);
        for cut in line - 2..line + 8 {
            assert_eq!(run(&input, true, &[cut]), whole, "{over} {cut}");
        }
    }
}

/// Of the rest of a refused command only the end is kept; a literal is seen there or nowhere.
#[test]
fn around_the_longest_literal_header() {
    for zeros in 50..80 {
        let zeros = "0".repeat(zeros);
        let input = format!("a FROB {{2+}}\r\nab x ~{{{zeros}8+}}\r\nc NOOP\r\n\r\nd NOOP\r\n");
        let whole = run(input.as_bytes(), true, &[]);
        assert!(!whole.0.contains("\nc "), "{}", whole.0);
        let bytes = vec![1; input.len()];
        assert_eq!(run(input.as_bytes(), true, &bytes), whole, "{zeros}");
    }
}

/// What a refused command has still to bring is bounded, in one line or in many empty literals.
#[test]
fn around_the_skip_limit() {
    let skip = usize::try_from(limits::BEFORE_LOGIN.skip_bytes_max).unwrap();
    for over in 0..3 {
        let mut line = b"a NOOP".to_vec();
        line.resize(skip + over - 2, b' ');
        line.extend_from_slice(b"\r\nb NOOP\r\n");
        let chain = b"{0+}\r\n".repeat(skip / 6 + 1);
        let chain = [b"a FROB {0+}\r\n".as_slice(), &chain, b"\r\nb NOOP\r\n"].concat();
        for input in [line, chain] {
            let whole = run(&input, true, &[]);
            let cuts = vec![1000; input.len() / 1000];
            assert_eq!(run(&input, true, &cuts), whole, "{over}");
            let closed = whole
                .0
                .ends_with("* BYE That line is far too long, closing.\r\n");
            assert_eq!(closed, over > 0 || input.starts_with(b"a FROB"), "{over}");
        }
    }
}

proptest! {
    #[test]
    fn any_split(index in 0..DIALOGUES.len(), cuts in proptest::collection::vec(0usize..20, 0..30)) {
        let (input, tls) = DIALOGUES[index];
        prop_assert_eq!(run(input, tls, &cuts), run(input, tls, &[]));
    }

    /// Whatever is sent, the session lives, holds no more than it may, and splits make no
    /// difference.
    #[test]
    fn any_input(
        lines in proptest::collection::vec(r#"[a ]?[ab] ?(NOOP|LOGIN|SELECT x|IDLE|APPEND x|FETCH 1|DONE|UID SEARCH)[ ()"~a-c1]{0,6}(\{[0-9]{1,2}\+?\})?\r?\n"#, 0..12),
        cuts in proptest::collection::vec(0usize..20, 0..30),
        logged_in in any::<bool>(),
    ) {
        let mut input = String::new();
        if logged_in {
            input.push_str("l LOGIN joe pw\r\ns SELECT x\r\n");
        }
        input.extend(lines);
        let input = input.as_bytes();
        prop_assert_eq!(run(input, true, &cuts), run(input, true, &[]));
    }

    #[test]
    fn any_bytes(input in any::<Vec<u8>>(), cuts in proptest::collection::vec(0usize..20, 0..10)) {
        prop_assert_eq!(run(&input, true, &cuts), run(&input, true, &[]));
    }
}
