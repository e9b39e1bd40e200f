//! `/v1/usage`: what tasks have taken, summed up.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::caller::Caller;
use super::error::ApiError;
use crate::store::ListQuery;
use crate::task::{Cost, TaskRecord};

/// Records that are read at once.
const WINDOW: usize = 500;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct UsageQuery {
    /// The first day, UTC, such as `2026-11-01`.
    from: Option<String>,
    /// The last day.
    to: Option<String>,
    /// What the rows are by: `day`, `tenant` and `model`, between commas; `day` when absent.
    by: Option<String>,
}

/// What rows are by.
#[derive(Clone, Copy, Default)]
struct Grouping {
    day: bool,
    tenant: bool,
    model: bool,
}

impl Grouping {
    fn read(text: &str) -> Result<Self, String> {
        let mut by = Self::default();
        for name in text.split(',') {
            match name.trim() {
                "day" => by.day = true,
                "tenant" => by.tenant = true,
                "model" => by.model = true,
                other => return Err(format!("option by: there is no {other:?}; there are day, tenant and model")),
            }
        }
        Ok(by)
    }

    fn key(self, day: &str, record: &TaskRecord) -> UsageKey {
        UsageKey {
            day: self.day.then(|| day.to_owned()),
            tenant: if self.tenant { record.tenant.clone() } else { None },
            model: if self.model { record.options.model.clone() } else { None },
        }
    }
}

/// What a row is about; absent where rows are not by it, or where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
struct UsageKey {
    /// The day on which the tasks were submitted, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<String>,
    /// The name of the key with which they were submitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    /// The model that they name.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
struct UsageSum {
    tasks: u64,
    /// Pages with a result, those from the page cache included.
    pages: u64,
    /// Pages that failed.
    failed: u64,
    /// Pages from the page cache, which cost nothing.
    reused: u64,
    /// Calls that were answered, useless answers included.
    calls: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
    /// In the currency of the prices; absent where no price is known.
    cost: Option<Cost>,
}

impl UsageSum {
    fn add(&mut self, record: &TaskRecord) {
        let (counts, usage) = (&record.counts, &record.usage);
        self.tasks += 1;
        self.pages += u64::from(counts.done);
        self.failed += u64::from(counts.failed);
        self.reused += usage.reused;
        self.calls += usage.calls;
        self.prompt_tokens += usage.prompt_tokens;
        self.completion_tokens += usage.completion_tokens;
        self.cost = match (self.cost, usage.cost) {
            (Some(sum), Some(cost)) => Some(sum.and(cost)),
            (sum, cost) => sum.or(cost),
        };
    }
}

#[derive(Serialize, ToSchema)]
struct UsageRow {
    #[serde(flatten)]
    key: UsageKey,
    #[serde(flatten)]
    sum: UsageSum,
}

#[derive(Serialize, ToSchema)]
struct UsageView {
    rows: Vec<UsageRow>,
    total: UsageSum,
}

/// What tasks have taken: pages, calls, tokens and cost
///
/// Summed up over the tasks that are kept: those that were deleted or have expired are in no sum. Callers see their own; an
/// operator sees all.
#[utoipa::path(
    get,
    path = "/v1/usage",
    tag = "operation",
    params(UsageQuery),
    responses((status = 200, body = UsageView, description = "The sums"))
)]
pub(super) async fn usage(
    state: web::Data<ApiState>,
    query: web::Query<UsageQuery>,
    Caller(caller): Caller,
) -> Result<HttpResponse, ApiError> {
    let UsageQuery { from, to, by } = query.into_inner();
    let (from, to) = (day("from", from)?, day("to", to)?);
    let by = by.filter(|by| !by.is_empty());
    let by = Grouping::read(by.as_deref().unwrap_or("day")).map_err(|why| ApiError::bad_option(&why))?;
    let tenant = caller.filter(|name| !state.keys.borrow().is_operator(name));
    let (mut rows, mut total) = (BTreeMap::<UsageKey, UsageSum>::new(), UsageSum::default());
    let mut query = ListQuery { tenant, limit: WINDOW, ..ListQuery::default() };
    // The latest come first.
    'windows: loop {
        let page = state.handle.list(query.clone()).await?;
        for record in &page.tasks {
            let submitted = record.created_at.to_string();
            let submitted = submitted.get(..10).unwrap_or_default();
            if from.as_deref().is_some_and(|from| submitted < from) {
                break 'windows;
            }
            if to.as_deref().is_none_or(|to| submitted <= to) {
                rows.entry(by.key(submitted, record)).or_default().add(record);
                total.add(record);
            }
        }
        match page.next {
            Some(next) => query.after = Some(next),
            None => break,
        }
    }
    let rows = rows.into_iter().map(|(key, sum)| UsageRow { key, sum }).collect();
    Ok(HttpResponse::Ok().json(UsageView { rows, total }))
}

/// A day as records have it.
fn day(name: &str, text: Option<String>) -> Result<Option<String>, ApiError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let bad = || ApiError::bad_option(&format!("option {name}: write a day such as 2026-11-01"));
    let day: Date = text.parse().map_err(|_| bad())?;
    if text.len() == 10 { Ok(Some(day.to_string())) } else { Err(bad()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_groupings_are_read() {
        assert_eq!(day("to", Some("2026-11-01".into())).unwrap().as_deref(), Some("2026-11-01"));
        for bad in ["2026-13-01", "yesterday", "2026-11-01T10:00:00Z", "2026"] {
            assert!(day("to", Some(bad.into())).is_err(), "{bad}");
        }
        assert!(Grouping::read("day,tenant, model").is_ok_and(|by| by.day && by.tenant && by.model));
        assert!(Grouping::read("").is_err() && Grouping::read("day,hour").is_err());
    }
}
