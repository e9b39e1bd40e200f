//! A document's information dictionary.

use hayro_syntax::Pdf;
use hayro_syntax::object::DateTime;

use super::outline::text_string;
use crate::task::DocumentInfo;

/// The most characters of one entry.
const MAX_CHARS: usize = 1_000;

/// What `pdf` says of itself. Entries without a letter or digit say nothing.
pub(super) fn of(pdf: &Pdf) -> DocumentInfo {
    let known = pdf.metadata();
    let text = |bytes: &Option<Box<[u8]>>| {
        let text: String = text_string(bytes.as_deref()?).chars().filter(|c| !c.is_control()).take(MAX_CHARS).collect();
        let text = text.trim();
        text.contains(char::is_alphanumeric).then(|| text.to_owned())
    };
    DocumentInfo {
        title: text(&known.title),
        author: text(&known.author),
        subject: text(&known.subject),
        keywords: text(&known.keywords),
        created: known.creation_date.as_ref().and_then(rfc_3339),
        modified: known.modification_date.as_ref().and_then(rfc_3339),
    }
}

/// A date as RFC 3339; `None` for one that no calendar has.
fn rfc_3339(date: &DateTime) -> Option<String> {
    let day = jiff::civil::Date::new(i16::try_from(date.year).ok()?, number(date.month)?, number(date.day)?).ok()?;
    let time = jiff::civil::Time::new(number(date.hour)?, number(date.minute)?, number(date.second)?, 0).ok()?;
    let minutes = i32::from(date.utc_offset_hour) * 60
        + i32::from(date.utc_offset_minute) * if date.utc_offset_hour < 0 { -1 } else { 1 };
    if minutes == 0 {
        return Some(format!("{day}T{time}Z"));
    }
    let (sign, minutes) = (if minutes < 0 { '-' } else { '+' }, minutes.abs());
    Some(format!("{day}T{time}{sign}{:02}:{:02}", minutes / 60, minutes % 60))
}

fn number(part: u8) -> Option<i8> {
    i8::try_from(part).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_rfc_3339() {
        let date = |year, month, day, utc_offset_hour, utc_offset_minute| DateTime {
            year,
            month,
            day,
            hour: 7,
            minute: 8,
            second: 9,
            utc_offset_hour,
            utc_offset_minute,
        };
        for (date, expected) in [
            (date(2024, 2, 29, 0, 0), Some("2024-02-29T07:08:09Z")),
            (date(2024, 2, 29, 5, 30), Some("2024-02-29T07:08:09+05:30")),
            (date(1999, 12, 31, -3, 30), Some("1999-12-31T07:08:09-03:30")),
            (date(2023, 2, 29, 0, 0), None),
            (date(2023, 0, 1, 0, 0), None),
        ] {
            assert_eq!(rfc_3339(&date).as_deref(), expected);
        }
    }
}
