//! Asking the journal.

use gathering_core::{CallFilter, CallPage};
use rusqlite::ToSql;

use super::table::{Table, TableError};

/// The most rows of one page.
const MAX_PAGE: usize = 10_000;

impl Table {
    pub(super) fn calls(&self, filter: &CallFilter) -> Result<CallPage, TableError> {
        fn sql<T: ToSql>(value: &Option<T>) -> Option<&dyn ToSql> {
            value.as_ref().map(|value| value as &dyn ToSql)
        }
        let asked = [
            ("caller = ?", sql(&filter.caller)),
            ("tool = ?", sql(&filter.tool)),
            ("plugin_id = ?", sql(&filter.plugin)),
            ("decision = ?", sql(&filter.decision)),
            ("ifnull(code, 'ok') = ?", sql(&filter.code)),
            ("trace_id = ?", sql(&filter.trace_id)),
            ("at_ms >= ?", sql(&filter.since_ms)),
            ("at_ms < ?", sql(&filter.until_ms)),
            ("sequence < ?", sql(&filter.before)),
            ("sequence > ?", sql(&filter.after)),
        ];
        let (conditions, mut parameters): (Vec<&str>, Vec<&dyn ToSql>) =
            asked.into_iter().filter_map(|(condition, value)| Some((condition, value?))).unzip();
        let limit = filter.limit.clamp(1, MAX_PAGE);
        let (one_more, order) = (limit as i64 + 1, if filter.after.is_some() { "ASC" } else { "DESC" });
        parameters.push(&one_more);
        let all = if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") };
        let query = format!("SELECT sequence, row FROM calls WHERE {all} ORDER BY sequence {order} LIMIT ?");
        let mut statement = self.connection.prepare_cached(&query)?;
        let found = statement.query_map(&*parameters, |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut page = CallPage::default();
        for found in found {
            let (sequence, row): (i64, String) = found?;
            if page.rows.len() == limit {
                page.more = true;
                break;
            }
            page.rows.push(row);
            page.first.get_or_insert(sequence);
            page.last = Some(sequence);
        }
        Ok(page)
    }

    pub(super) fn call(&self, call_id: &str) -> Result<Option<String>, TableError> {
        let mut statement = self.connection.prepare_cached("SELECT row FROM calls WHERE call_id = ?1")?;
        let mut rows = statement.query([call_id])?;
        Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
    }
}
