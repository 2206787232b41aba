//! Numbers, bytes, times, names: as people read them.

use crate::data::Unit;
use std::borrow::Cow;

/// What stands for a number that is not there.
pub const NOTHING: &str = "–";

/// A number of about four digits: `0.03125`, `54,321`, `1.2e-7`. What is not finite is named.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if value.is_nan() {
        "NaN".into()
    } else if value.is_infinite() {
        if value > 0.0 { "∞".into() } else { "−∞".into() }
    } else if value == 0.0 {
        "0".into()
    } else if !(1e-4..1e9).contains(&size) {
        minus(&format!("{value:.2e}"))
    } else if size >= 1000.0 {
        let whole = grouped(size.round() as u64);
        if value < 0.0 { format!("−{whole}") } else { whole }
    } else {
        // Four digits beginning with the first that is not 0.
        let decimals = (3 - size.log10().floor() as i32).clamp(0, 7) as usize;
        minus(trimmed(&format!("{value:.decimals$}")))
    }
}

/// A number with its unit; signs of currencies stand before it.
pub fn quantity(value: f64, unit: &Unit) -> String {
    match unit {
        Unit::Share if value.is_finite() => percent(value),
        Unit::None | Unit::Share => number(value),
        Unit::Of(name) if ["$", "€", "£", "¥"].contains(&name.as_str()) => {
            let size = number(value.abs());
            if value < 0.0 { format!("−{name}{size}") } else { format!("{name}{size}") }
        }
        Unit::Of(name) => format!("{}\u{a0}{}", number(value), shortened(name, 24)),
    }
}

/// A share of 1 as percent: `98.43 %`.
pub fn percent(share: f64) -> String {
    if !share.is_finite() {
        return number(share);
    }
    let hundred = share * 100.0;
    if hundred.abs() >= 1e6 {
        return format!("{}\u{a0}%", number(hundred));
    }
    minus(&format!("{hundred:.2}\u{a0}%"))
}

/// A share that need not be exact: `98.4 %`. What is not nothing or all does not look so: `< 0.1 %`, `> 99.9 %`.
pub fn rough_percent(share: f64) -> String {
    match share {
        few if few > 0.0 && few < 0.0005 => "<\u{a0}0.1\u{a0}%".into(),
        most if (0.9995..1.0).contains(&most) => ">\u{a0}99.9\u{a0}%".into(),
        _ if share.abs() <= 1.0 => minus(&format!("{:.1}\u{a0}%", share * 100.0)),
        _ => percent(share),
    }
}

/// A number of things: `1,234,567`.
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things with their name.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{}\u{a0}{}", grouped(count), if count == 1 { one } else { many })
}

/// Bytes: `12.3 MiB`.
pub fn bytes(count: u64) -> String {
    for (unit, name) in [(1u64 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] {
        if count >= unit {
            let value = count as f64 / unit as f64;
            let decimals = if value >= 100.0 { 0 } else { 1 };
            return format!("{value:.decimals$}\u{a0}{name}");
        }
    }
    counted(count, "byte", "bytes")
}

/// A time: `12 ms`, `4.21 s`, `2 min 41 s`, `3 h 05 min`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return number(seconds);
    }
    if seconds == 0.0 {
        return "0\u{a0}s".into();
    }
    if seconds < 1e-3 {
        return format!("{}\u{a0}µs", number((seconds * 1e7).round() / 10.0));
    }
    if seconds < 0.9995 {
        let milliseconds = seconds * 1e3;
        let decimals = if milliseconds < 10.0 { 1 } else { 0 };
        return format!("{milliseconds:.decimals$}\u{a0}ms");
    }
    if seconds < 59.95 {
        return format!("{seconds:.1}\u{a0}s");
    }
    let whole = seconds.round();
    if whole < 3600.0 {
        return format!("{}\u{a0}min {:02}\u{a0}s", (whole / 60.0).floor(), whole % 60.0);
    }
    let minutes = (seconds / 60.0).round();
    format!("{}\u{a0}h {:02}\u{a0}min", number((minutes / 60.0).floor()), minutes % 60.0)
}

/// A moment, from seconds since 1970-01-01 00:00 UTC: `2026-05-04 09:12:31 UTC`.
pub fn moment(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}\u{a0}UTC")
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar. Years are counted from March, so
/// that the leap day is the last; 400 of them are 146,097 days. After Hinnant, *chrono-Compatible Low-Level Date
/// Algorithms*.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let in_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * in_year + 2) / 153;
    let day = in_year - (153 * month + 2) / 5 + 1;
    let calendar_month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(calendar_month <= 2), calendar_month, day)
}

/// A name of at most `longest` characters: a longer one loses its middle.
pub fn shortened(name: &str, longest: usize) -> Cow<'_, str> {
    // Only as much is read as can be shown: names may be megabytes.
    if name.char_indices().nth(longest).is_none() {
        return name.into();
    }
    let (head, tail) = (longest.div_ceil(2), longest / 2);
    let begin: String = name.chars().take(head.saturating_sub(1)).collect();
    let end: Vec<char> = name.chars().rev().take(tail).collect();
    format!("{begin}…{}", end.iter().rev().collect::<String>()).into()
}

fn trimmed(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// With the minus sign that is as wide as a plus.
pub fn minus(text: &str) -> String {
    text.strip_prefix('-').map_or_else(|| text.to_owned(), |rest| format!("−{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_four_digits() {
        let cases = [
            (0.0, "0"),
            (0.031_25, "0.03125"),
            (0.5, "0.5"),
            (-12.345, "−12.35"),
            (999.96, "1000"),
            (54_321.4, "54,321"),
            (-1e6, "−1,000,000"),
            (1.2e-7, "1.20e-7"),
            (6.02e23, "6.02e23"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "−∞"),
        ];
        for (value, expected) in cases {
            assert_eq!(number(value), expected, "{value}");
        }
        assert_eq!(percent(0.98765), "98.77\u{a0}%");
        let rough = [0.0, 1e-5, 0.123, 0.99999, 1.0, f64::NAN].map(rough_percent);
        assert_eq!(
            rough.map(|share| share.replace('\u{a0}', "")),
            ["0.0%", "<0.1%", "12.3%", ">99.9%", "100.0%", "NaN"]
        );
        assert_eq!(quantity(f64::NAN, &Unit::Share), "NaN");
        assert_eq!(quantity(5.0, &Unit::Of("mm".into())), "5\u{a0}mm");
        assert_eq!(quantity(-54_321.0, &Unit::Of("$".into())), "−$54,321");
    }

    #[test]
    fn times_and_sizes() {
        let times = [3e-6, 0.0123, 0.9999, 4.21, 59.96, 161.0, 3599.7, 11_100.0].map(duration);
        let expected =
            ["3 µs", "12 ms", "1.0 s", "4.2 s", "1 min 00 s", "2 min 41 s", "1 h 00 min", "3 h 05 min"];
        assert_eq!(times.map(|time| time.replace('\u{a0}', " ")), expected);
        let sizes = [1, 1023, 1024, 1_572_864, 300 << 20, u64::MAX].map(bytes);
        let expected = ["1 byte", "1,023 bytes", "1.0 KiB", "1.5 MiB", "300 MiB", "16777216 TiB"];
        assert_eq!(sizes.map(|size| size.replace('\u{a0}', " ")), expected);
        duration(f64::MAX);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        // As `date -u -d @SECONDS` prints them.
        let cases = [
            (0, "1970-01-01 00:00:00"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_709_251_199, "2024-02-29 23:59:59"),
            (1_767_225_599, "2025-12-31 23:59:59"),
            (4_107_542_400, "2100-03-01 00:00:00"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(moment(seconds), format!("{expected}\u{a0}UTC"));
        }
        moment(u64::MAX);
    }

    #[test]
    fn long_names_lose_their_middle() {
        assert_eq!(shortened("short", 5), "short");
        assert_eq!(shortened("a rather long name", 8), "a r…name");
        assert_eq!(shortened("ääääääääää", 4), "ä…ää");
    }
}
