//! Dates of RFC 9051 §9: `date` of SEARCH and `date-time` of APPEND and INTERNALDATE.

use crate::cursor::{Cursor, Fault, Parse};

/// A day without a zone, as SEARCH names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

impl Date {
    /// Days since 1970-01-01, negative before it.
    pub fn days(self) -> i64 {
        days_from_civil(
            i64::from(self.year),
            i64::from(self.month),
            i64::from(self.day),
        )
    }

    /// Of `seconds` since 1970, UTC.
    pub fn from_seconds(seconds: i64) -> (i64, i64, i64) {
        civil_from_days(seconds.div_euclid(86_400))
    }
}

/// A moment with the zone it was written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime {
    /// Since 1970, UTC.
    pub seconds: i64,
    /// East of UTC.
    pub zone_minutes: i16,
}

/// Gregorian day number, 0 is 1970-01-01.
pub(crate) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month, day of a day number.
pub(crate) fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `date`, quoted or not: `1-Feb-1994`.
pub(crate) fn search_date(cursor: &mut Cursor<'_>) -> Parse<Date> {
    let quoted = cursor.skip(b'"');
    let date = day_month_year(cursor)?;
    if quoted {
        cursor.expect(b'"').map_err(|_| Fault::Date)?;
    }
    Ok(date)
}

/// `date-time`, quoted: `"17-Jul-1996 02:44:25 -0700"`.
pub(crate) fn date_time(cursor: &mut Cursor<'_>) -> Parse<DateTime> {
    read_date_time(cursor).map_err(|_| Fault::Date)
}

fn read_date_time(cursor: &mut Cursor<'_>) -> Parse<DateTime> {
    cursor.expect(b'"')?;
    cursor.skip(b' ');
    let date = day_month_year(cursor)?;
    cursor.space()?;
    let hour = two_digits(cursor, 23)?;
    cursor.expect(b':')?;
    let minute = two_digits(cursor, 59)?;
    cursor.expect(b':')?;
    // A leap second counts as the next one.
    let second = two_digits(cursor, 60)?;
    cursor.space()?;
    let east = if cursor.skip(b'+') {
        1
    } else if cursor.skip(b'-') {
        -1
    } else {
        return Err(Fault::Date);
    };
    let zone_digits = cursor.take_while(|byte| byte.is_ascii_digit());
    let mut zone = Cursor::new(zone_digits, false);
    let zone_hours = two_digits(&mut zone, 23)?;
    let zone_rest = two_digits(&mut zone, 59)?;
    zone.end()?;
    cursor.expect(b'"')?;
    let zone_minutes = east * (zone_hours * 60 + zone_rest);
    let seconds =
        date.days() * 86_400 + i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second)
            - i64::from(zone_minutes) * 60;
    Ok(DateTime {
        seconds,
        zone_minutes,
    })
}

fn day_month_year(cursor: &mut Cursor<'_>) -> Parse<Date> {
    let day = cursor.number().map_err(|_| Fault::Date)?;
    cursor.expect(b'-').map_err(|_| Fault::Date)?;
    let month = MONTHS
        .iter()
        .zip(1u8..)
        .find_map(|(name, month)| cursor.skip_word(name).then_some(month))
        .ok_or(Fault::Date)?;
    cursor.expect(b'-').map_err(|_| Fault::Date)?;
    let year = cursor.take_while(|byte| byte.is_ascii_digit());
    if year.len() != 4 {
        return Err(Fault::Date);
    }
    let year = Cursor::new(year, false).number().map_err(|_| Fault::Date)?;
    let date = Date {
        year: u16::try_from(year).map_err(|_| Fault::Date)?,
        month,
        day: u8::try_from(day).map_err(|_| Fault::Date)?,
    };
    // A day that its month doesn't have comes back as another one.
    let (_, _, real_day) = civil_from_days(date.days());
    if day == 0 || real_day != i64::from(day) {
        return Err(Fault::Date);
    }
    Ok(date)
}

fn two_digits(cursor: &mut Cursor<'_>, max: i16) -> Parse<i16> {
    let mut number = 0;
    for _ in 0..2 {
        let digit = cursor
            .peek()
            .filter(u8::is_ascii_digit)
            .ok_or(Fault::Date)?;
        cursor.skip(digit);
        number = number * 10 + i16::from(digit - b'0');
    }
    if number > max {
        Err(Fault::Date)
    } else {
        Ok(number)
    }
}

/// Appends `"17-Jul-1996 02:44:25 +0000"` with its quotes.
pub(crate) fn write_date_time(seconds: i64, out: &mut Vec<u8>) {
    let (year, month, day) = Date::from_seconds(seconds);
    let of_day = seconds.rem_euclid(86_400);
    out.push(b'"');
    write_two(day, b' ', out);
    out.push(b'-');
    let month = usize::try_from(month - 1).unwrap_or(0);
    out.extend_from_slice(MONTHS.get(month).copied().unwrap_or("Jan").as_bytes());
    out.push(b'-');
    let year = year.clamp(0, 9999);
    write_two(year / 100, b'0', out);
    write_two(year % 100, b'0', out);
    out.push(b' ');
    write_two(of_day / 3_600, b'0', out);
    out.push(b':');
    write_two(of_day / 60 % 60, b'0', out);
    out.push(b':');
    write_two(of_day % 60, b'0', out);
    out.extend_from_slice(b" +0000\"");
}

fn write_two(number: i64, pad: u8, out: &mut Vec<u8>) {
    let digit = |number: i64| b'0' + u8::try_from(number.rem_euclid(10)).unwrap_or(0);
    out.push(if number < 10 { pad } else { digit(number / 10) });
    out.push(digit(number));
}
