//! Dates: RFC 5322 §3.3 and §4.3, IMAP's date-time (RFC 9051 §9), and the civil calendar.

use crate::facts::Sent;

/// A moment as people write it, in some zone. Year 0 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    pub year: i64,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
    pub hour: u32,
    pub minute: u32,
    pub second: u32,
}

pub const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
/// 1 January 1970 was a Thursday.
pub const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

const DAY_SECONDS: i64 = 86_400;

/// Days since 1 January 1970 of a date of the Gregorian calendar.
pub fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let month_index = (i64::from(month) + 9) % 12;
    let day_of_year = (153 * month_index + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month, day of days since 1 January 1970.
pub fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 {
        month_index + 3
    } else {
        month_index - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (
        year,
        u32::try_from(month).unwrap_or(1),
        u32::try_from(day).unwrap_or(1),
    )
}

impl Civil {
    /// The moment as a clock `offset_minutes` east of UTC shows it.
    pub fn from_unix(unix: i64, offset_minutes: i16) -> Civil {
        let local = unix.saturating_add(i64::from(offset_minutes) * 60);
        let (year, month, day) = civil_from_days(local.div_euclid(DAY_SECONDS));
        let seconds = u32::try_from(local.rem_euclid(DAY_SECONDS)).unwrap_or(0);
        Civil {
            year,
            month,
            day,
            hour: seconds / 3_600,
            minute: seconds / 60 % 60,
            second: seconds % 60,
        }
    }

    /// Seconds since 1970 when this is what a clock `offset_minutes` east of UTC shows.
    pub fn to_unix(self, offset_minutes: i16) -> i64 {
        days_from_civil(self.year, self.month, self.day) * DAY_SECONDS
            + i64::from(self.hour) * 3_600
            + i64::from(self.minute) * 60
            + i64::from(self.second)
            - i64::from(offset_minutes) * 60
    }

    fn is_valid(self) -> bool {
        let leap = self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        let last = match self.month {
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            1..=12 => 31,
            _ => return false,
        };
        (0..=9_999).contains(&self.year)
            && (1..=last).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second <= 60
    }

    fn month_name(self) -> &'static str {
        let index = usize::try_from(self.month.saturating_sub(1)).unwrap_or(0);
        MONTHS.get(index).copied().unwrap_or("Jan")
    }
}

fn zone(offset_minutes: i16) -> String {
    let sign = if offset_minutes < 0 { '-' } else { '+' };
    let minutes = offset_minutes.unsigned_abs();
    format!("{sign}{:02}{:02}", minutes / 60, minutes % 60)
}

/// RFC 5322 §3.3: `Fri, 21 Nov 1997 09:55:06 -0600`.
pub fn format(sent: Sent) -> String {
    let civil = Civil::from_unix(sent.unix, sent.offset_minutes);
    let days = days_from_civil(civil.year, civil.month, civil.day);
    let weekday = usize::try_from(days.rem_euclid(7)).unwrap_or(0);
    format!(
        "{}, {} {} {:04} {:02}:{:02}:{:02} {}",
        DAYS.get(weekday).copied().unwrap_or("Thu"),
        civil.day,
        civil.month_name(),
        civil.year,
        civil.hour,
        civil.minute,
        civil.second,
        zone(sent.offset_minutes)
    )
}

/// RFC 9051 §9 date-time without the quotes: `17-Jul-1996 02:44:25 -0700`, the day two wide.
pub fn format_internal(sent: Sent) -> String {
    let civil = Civil::from_unix(sent.unix, sent.offset_minutes);
    format!(
        "{:>2}-{}-{:04} {:02}:{:02}:{:02} {}",
        civil.day,
        civil.month_name(),
        civil.year,
        civil.hour,
        civil.minute,
        civil.second,
        zone(sent.offset_minutes)
    )
}

/// Seconds since 1970 of RFC 3339's `2026-01-01T00:00:00` and its zone, `Z` or `+01:00`.
pub fn parse_rfc3339(time: &str, zone: &str) -> Option<i64> {
    let number = |from: usize, to: usize| -> Option<u32> {
        let digits = time.get(from..to)?;
        let all = digits.bytes().all(|b| b.is_ascii_digit());
        all.then(|| digits.parse().ok())?
    };
    let mark = |at: usize| time.as_bytes().get(at).map(u8::to_ascii_uppercase);
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if time.len() != 19 || marks.iter().any(|(at, wanted)| mark(*at) != Some(*wanted)) {
        return None;
    }
    let civil = Civil {
        year: i64::from(number(0, 4)?),
        month: number(5, 7)?,
        day: number(8, 10)?,
        hour: number(11, 13)?,
        minute: number(14, 16)?,
        second: number(17, 19)?,
    };
    let offset = match zone {
        "Z" | "z" => 0,
        _ => {
            let (sign, rest) = zone.split_at_checked(1)?;
            let (hours, minutes) = rest.split_once(':')?;
            let two = |text: &str| -> Option<i16> {
                let fits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
                fits.then(|| text.parse().ok())?
            };
            let (hours, minutes) = (two(hours)?, two(minutes)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            match sign {
                "+" => hours * 60 + minutes,
                "-" => -(hours * 60 + minutes),
                _ => return None,
            }
        }
    };
    civil.is_valid().then(|| civil.to_unix(offset))
}

/// RFC 9051 §9 date-time without the quotes.
pub fn parse_internal(text: &str) -> Option<Sent> {
    let mut words = text.split_ascii_whitespace();
    let (date, time, zone) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() || zone.len() != 5 {
        return None;
    }
    let (year, month, day) = parse_imap_date(date)?;
    let (hour, minute, second) = clock(time)?;
    let civil = Civil {
        year,
        month,
        day,
        hour,
        minute,
        second,
    };
    let offset_minutes = numeric_zone(zone)?;
    civil.is_valid().then(|| Sent {
        unix: civil.to_unix(offset_minutes),
        offset_minutes,
    })
}

/// RFC 9051 §9 date-text: `1-Feb-1994` as year, month, day.
pub fn parse_imap_date(text: &str) -> Option<(i64, u32, u32)> {
    let mut fields = text.split('-');
    let (day, month, year) = (fields.next()?, fields.next()?, fields.next()?);
    if fields.next().is_some() || year.len() != 4 || !(1..=2).contains(&day.len()) {
        return None;
    }
    let civil = Civil {
        year: digits(year)?.into(),
        month: month_number(month)?,
        day: digits(day)?,
        hour: 0,
        minute: 0,
        second: 0,
    };
    civil
        .is_valid()
        .then_some((civil.year, civil.month, civil.day))
}

/// Reads a Date value: RFC 5322 §3.3, the obsolete forms of §4.3 with comments anywhere, and
/// the order of C's `asctime`. `None` when no date can be made of it.
pub fn parse(value: &[u8]) -> Option<Sent> {
    let text = without_comments(value);
    let mut words: Vec<&str> = text
        .split(|c: char| c.is_ascii_whitespace() || c == ',')
        .filter(|word| !word.is_empty())
        .take(16)
        .collect();
    if words.first().is_some_and(|word| is_weekday(word)) {
        words.remove(0);
    }
    let (day, month, rest) = match words.as_slice() {
        [month, day, rest @ ..] if month_number(month).is_some() => (*day, *month, rest),
        [day, month, rest @ ..] => (*day, *month, rest),
        _ => return None,
    };
    // asctime puts the year last.
    let (year, time, zone_words) = match rest {
        [time, year, rest @ ..]
            if time.contains(':')
                && digits(year).is_some_and(|y| y >= 1000)
                && !year.starts_with(['+', '-']) =>
        {
            (*year, *time, rest)
        }
        [year, time, rest @ ..] => (*year, *time, rest),
        [year] => (*year, "00:00", &[][..]),
        [] => return None,
    };
    let (hour, minute, second) = clock(time)?;
    let civil = Civil {
        year: full_year(year)?,
        month: month_number(month)?,
        day: digits(day)?,
        hour,
        minute,
        second,
    };
    let offset_minutes = zone_words
        .first()
        .and_then(|word| zone_offset(word))
        .unwrap_or(0);
    civil.is_valid().then(|| Sent {
        unix: civil.to_unix(offset_minutes),
        offset_minutes,
    })
}

/// ASCII text without comments; the white space around colons goes too (RFC 5322 §4.3).
fn without_comments(value: &[u8]) -> String {
    let mut out = String::new();
    let mut depth = 0_u32;
    let mut escaped = false;
    for byte in value {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if depth > 0 => escaped = true,
            b'(' => {
                depth = depth.saturating_add(1);
                out.push(' ');
            }
            b')' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            b':' => {
                out.truncate(out.trim_end().len());
                out.push(':');
            }
            b' ' | b'\t' | b'\r' | b'\n' if out.ends_with(':') => {}
            _ if byte.is_ascii() => out.push(char::from(*byte)),
            _ => out.push(' '),
        }
    }
    out
}

fn is_weekday(word: &str) -> bool {
    let short = word.get(..3).unwrap_or(word);
    word.chars().all(|c| c.is_ascii_alphabetic() || c == '.')
        && DAYS.iter().any(|day| day.eq_ignore_ascii_case(short))
}

fn month_number(word: &str) -> Option<u32> {
    let short = word.get(..3)?;
    if !word.chars().all(|c| c.is_ascii_alphabetic() || c == '.') {
        return None;
    }
    (1..)
        .zip(MONTHS)
        .find(|(_, name)| name.eq_ignore_ascii_case(short))
        .map(|(number, _)| number)
}

fn digits(word: &str) -> Option<u32> {
    if word.is_empty() || word.len() > 4 || !word.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    word.parse().ok()
}

/// RFC 5322 §4.3: two digits below 50 are of this century, three count from 1900.
fn full_year(word: &str) -> Option<i64> {
    let year = i64::from(digits(word)?);
    Some(match (word.len(), year) {
        (2, 0..=49) => year + 2_000,
        (2 | 3, _) => year + 1_900,
        _ => year,
    })
}

fn clock(word: &str) -> Option<(u32, u32, u32)> {
    let mut fields = word.split(':');
    let hour = digits(fields.next()?)?;
    let minute = digits(fields.next()?)?;
    let second = match fields.next() {
        Some(second) => digits(second.split('.').next()?)?,
        None => 0,
    };
    Some((hour, minute, second))
}

fn numeric_zone(word: &str) -> Option<i16> {
    let (sign, number) = match word.split_at_checked(1)? {
        ("+", number) => (1, number),
        ("-", number) => (-1, number),
        _ => return None,
    };
    let number = i16::try_from(digits(number).filter(|_| number.len() == 4)?).ok()?;
    (number % 100 < 60).then_some(sign * (number / 100 * 60 + number % 100))
}

/// RFC 5322 §4.3: the named zones that mean something; all others are unknown, so 0.
fn zone_offset(word: &str) -> Option<i16> {
    let hours = match word.to_ascii_uppercase().as_str() {
        "EDT" => -4,
        "EST" | "CDT" => -5,
        "CST" | "MDT" => -6,
        "MST" | "PDT" => -7,
        "PST" => -8,
        "CET" | "MET" => 1,
        "CEST" | "MEST" | "EET" => 2,
        _ => return numeric_zone(word),
    };
    Some(hours * 60)
}

#[cfg(test)]
mod tests {
    use super::{
        Civil, civil_from_days, days_from_civil, format, format_internal, parse, parse_internal,
    };
    use crate::facts::Sent;
    use proptest::prelude::*;

    #[test]
    fn dates() {
        for (text, unix, offset) in [
            // RFC 5322 appendix A.
            ("Fri, 21 Nov 1997 09:55:06 -0600", 880_127_706, -360),
            ("Thu, 13 Feb 1969 23:32:54 -0330", -27_723_426, -210),
            ("21 Nov 97 09:55:06 GMT", 880_106_106, 0),
            (
                "Fri, 21 Nov 1997 09(comment):   55  :  06 -0600",
                880_127_706,
                -360,
            ),
            (
                "Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n               -0330 (Newfoundland Time)",
                -27_723_480,
                -210,
            ),
            ("Tue Feb  3 04:05:06 2004", 1_075_781_106, 0),
            ("Fri May  4 14:05:44 EDT 2001", 0, 0),
            ("1 Jan 1970 00:00:00 PST", 28_800, -480),
            ("1 Jan 1970 00:00 Z", 0, 0),
        ] {
            let found = parse(text.as_bytes());
            if text.contains("EDT") {
                assert_eq!(found, None);
                continue;
            }
            assert_eq!(
                found,
                Some(Sent {
                    unix,
                    offset_minutes: offset
                }),
                "{text}"
            );
        }
        for text in [
            "",
            "Whenever",
            "32 Jan 2000 00:00",
            "1 Foo 2000 00:00",
            "1 Jan 2000 25:00",
            "31 Feb 2001 00:00",
            "((((",
            "Jan",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn formats() {
        let sent = Sent {
            unix: 880_127_706,
            offset_minutes: -360,
        };
        assert_eq!(format(sent), "Fri, 21 Nov 1997 09:55:06 -0600");
        let early = Sent {
            unix: 0,
            offset_minutes: 60,
        };
        assert_eq!(format_internal(early), " 1-Jan-1970 01:00:00 +0100");
        assert_eq!(parse_internal(" 1-Jan-1970 01:00:00 +0100"), Some(early));
        for text in [
            "1-Jan-1970",
            "1-Jan-1970 01:00:00 +01:00",
            "30-Feb-2000 00:00:00 +0000",
            "001-Jan-1970 01:00:00 +0100",
        ] {
            assert_eq!(parse_internal(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn inverse(unix in -62_000_000_000_i64..250_000_000_000, offset_minutes in -720_i16..840) {
            let sent = Sent { unix, offset_minutes };
            prop_assert_eq!(parse(format(sent).as_bytes()), Some(sent));
            prop_assert_eq!(parse_internal(&format_internal(sent)), Some(sent));
            let civil = Civil::from_unix(unix, offset_minutes);
            prop_assert_eq!(civil.to_unix(offset_minutes), unix);
        }

        #[test]
        fn calendar(days in -1_000_000_i64..3_000_000) {
            let (year, month, day) = civil_from_days(days);
            prop_assert_eq!(days_from_civil(year, month, day), days);
        }

        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
