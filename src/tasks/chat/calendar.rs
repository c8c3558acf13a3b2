//! The date, for templates that tell the model what day it is.

/// A moment as a clock on the wall shows it: seconds since 1970-01-01 00:00 by that clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime(pub i64);

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// 1970-01-01 was a Thursday.
const DAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];

impl LocalTime {
    /// As `strftime` of C and Python with the English locale; a letter that is not known stays as it is.
    pub fn format(self, pattern: &str) -> String {
        let (days, second) = (self.0.div_euclid(86_400), self.0.rem_euclid(86_400));
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let (year, month, day) = civil(days);
        let month_name = MONTHS[(month - 1) as usize];
        let day_name = DAYS[days.rem_euclid(7) as usize];
        let first_of_year = days_since_epoch(year);
        let mut out = String::new();
        let mut rest = pattern.chars();
        while let Some(c) = rest.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            let mut letter = rest.next();
            // glibc's `%-d`: without the zero in front.
            let bare = letter == Some('-');
            if bare {
                letter = rest.next();
            }
            let padded = |value: i64, width: usize| {
                if bare { value.to_string() } else { format!("{value:0width$}") }
            };
            let text = match letter {
                Some('Y') => year.to_string(),
                Some('y') => padded(year.rem_euclid(100), 2),
                Some('m') => padded(month, 2),
                Some('d') => padded(day, 2),
                Some('e') => format!("{day:2}"),
                Some('j') => padded(days - first_of_year + 1, 3),
                Some('H') => padded(hour, 2),
                Some('I') => padded((hour + 11) % 12 + 1, 2),
                Some('M') => padded(minute, 2),
                Some('S') => padded(second, 2),
                Some('p') => if hour < 12 { "AM" } else { "PM" }.to_owned(),
                Some('B') => month_name.to_owned(),
                Some('b' | 'h') => month_name[..3].to_owned(),
                Some('A') => day_name.to_owned(),
                Some('a') => day_name[..3].to_owned(),
                Some('F') => format!("{year}-{month:02}-{day:02}"),
                Some('T') => format!("{hour:02}:{minute:02}:{second:02}"),
                Some('D') => format!("{month:02}/{day:02}/{:02}", year.rem_euclid(100)),
                Some('%') => "%".to_owned(),
                Some(other) => format!("%{other}"),
                None => "%".to_owned(),
            };
            out.push_str(&text);
        }
        out
    }
}

/// Days since 1970-01-01 of a year's first day, in the Gregorian calendar.
fn days_since_epoch(year: i64) -> i64 {
    let before = year - 1;
    365 * (year - 1970) + (before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400))
        - (1969 / 4 - 1969 / 100 + 1969 / 400)
}

/// Year, month (1 to 12) and day of the month of a number of days since 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let mut year = 1970 + days.div_euclid(366);
    while days_since_epoch(year + 1) <= days {
        year += 1;
    }
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let mut day = days - days_since_epoch(year);
    for (month, length) in (1..).zip([31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    {
        if day < length {
            return (year, month, day + 1);
        }
        day -= length;
    }
    (year, 12, 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Said by Python: `datetime.utcfromtimestamp(t).strftime(...)`.
    #[test]
    fn dates_are_those_of_python() {
        let pattern = "%Y-%m-%d %H:%M:%S %A %a %B %b %j %I %p %y %-d %e %F %T %D %%";
        for (seconds, expected) in PYTHON {
            assert_eq!(LocalTime(*seconds).format(pattern), *expected);
        }
        assert_eq!(LocalTime(0).format("%Q %"), "%Q %");
    }

    const PYTHON: &[(i64, &str)] = &[
        (0, "1970-01-01 00:00:00 Thursday Thu January Jan 001 12 AM 70 1  1 1970-01-01 00:00:00 01/01/70 %"),
        (
            951_782_399,
            "2000-02-28 23:59:59 Monday Mon February Feb 059 11 PM 00 28 28 2000-02-28 23:59:59 02/28/00 %",
        ),
        (
            951_782_400,
            "2000-02-29 00:00:00 Tuesday Tue February Feb 060 12 AM 00 29 29 2000-02-29 00:00:00 02/29/00 %",
        ),
        (
            951_868_800,
            "2000-03-01 00:00:00 Wednesday Wed March Mar 061 12 AM 00 1  1 2000-03-01 00:00:00 03/01/00 %",
        ),
        (
            1_704_067_199,
            "2023-12-31 23:59:59 Sunday Sun December Dec 365 11 PM 23 31 31 2023-12-31 23:59:59 12/31/23 %",
        ),
        (
            1_709_210_096,
            "2024-02-29 12:34:56 Thursday Thu February Feb 060 12 PM 24 29 29 2024-02-29 12:34:56 02/29/24 %",
        ),
        (
            1_735_689_599,
            "2024-12-31 23:59:59 Tuesday Tue December Dec 366 11 PM 24 31 31 2024-12-31 23:59:59 12/31/24 %",
        ),
        (
            1_795_340_072,
            "2026-11-22 09:34:32 Sunday Sun November Nov 326 09 AM 26 22 22 2026-11-22 09:34:32 11/22/26 %",
        ),
        (
            4_107_542_400,
            "2100-03-01 00:00:00 Monday Mon March Mar 060 12 AM 00 1  1 2100-03-01 00:00:00 03/01/00 %",
        ),
        (
            -1,
            "1969-12-31 23:59:59 Wednesday Wed December Dec 365 11 PM 69 31 31 1969-12-31 23:59:59 12/31/69 %",
        ),
        (
            -31_536_000,
            "1969-01-01 00:00:00 Wednesday Wed January Jan 001 12 AM 69 1  1 1969-01-01 00:00:00 01/01/69 %",
        ),
    ];

    #[test]
    fn no_moment_panics() {
        for seconds in [-1, 86_400 * -719_162, 253_402_300_799, 1_709_164_800] {
            assert!(!LocalTime(seconds).format("%c %F").is_empty());
        }
    }
}
