//! Conversations of agents: a row each, and one for every message.

use gathering_core::{AgentId, ConversationRecord, ConversationStore, StateError};
use rusqlite::{OptionalExtension, Row, TransactionBehavior};
use serde_json::Value;

use crate::store::{SqliteStore, state_error};

impl ConversationStore for SqliteStore {
    fn conversations(&self, agent: &AgentId) -> Result<Vec<ConversationRecord>, StateError> {
        let connection = self.connection();
        let read = || -> rusqlite::Result<Vec<ConversationRecord>> {
            let mut statement = connection.prepare_cached(
                "SELECT record FROM conversations WHERE agent = ?1 ORDER BY updated_ms DESC, rowid DESC",
            )?;
            statement.query_map([agent.as_str()], record)?.collect()
        };
        read().map_err(|error| state_error(&error))
    }

    fn conversation(
        &self,
        agent: &AgentId,
        id: &str,
    ) -> Result<Option<(ConversationRecord, Vec<Value>)>, StateError> {
        let connection = self.connection();
        let read = || -> rusqlite::Result<Option<(ConversationRecord, Vec<Value>)>> {
            let mut found =
                connection.prepare_cached("SELECT record FROM conversations WHERE id = ?1 AND agent = ?2")?;
            let Some(record) = found.query_row([id, agent.as_str()], record).optional()? else {
                return Ok(None);
            };
            let mut said = connection
                .prepare_cached("SELECT message FROM messages WHERE conversation = ?1 ORDER BY position")?;
            let messages = said.query_map([id], json)?.collect::<Result<_, _>>()?;
            Ok(Some((record, messages)))
        };
        read().map_err(|error| state_error(&error))
    }

    fn continue_conversation(
        &self,
        record: &ConversationRecord,
        messages: &[Value],
    ) -> Result<(), StateError> {
        let text = serde_json::to_string(record).map_err(|error| {
            StateError::Failed(format!("the conversation `{}` cannot be saved: {error}", record.id))
        })?;
        let mut connection = self.connection();
        let write = || -> rusqlite::Result<()> {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction
                .prepare_cached(
                    "INSERT INTO conversations (id, agent, updated_ms, record) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (id) DO UPDATE SET updated_ms = excluded.updated_ms, record = excluded.record",
                )?
                .execute((&record.id, record.agent.as_str(), record.updated_ms.cast_signed(), text))?;
            for message in messages {
                transaction
                    .prepare_cached("INSERT INTO messages (conversation, message) VALUES (?1, ?2)")?
                    .execute((&record.id, message.to_string()))?;
            }
            transaction.commit()
        };
        write().map_err(|error| state_error(&error))
    }

    fn remove_conversation(&self, agent: &AgentId, id: &str) -> Result<bool, StateError> {
        let removed = self
            .connection()
            .execute("DELETE FROM conversations WHERE id = ?1 AND agent = ?2", [id, agent.as_str()]);
        removed.map(|rows| rows > 0).map_err(|error| state_error(&error))
    }
}

fn record(row: &Row<'_>) -> rusqlite::Result<ConversationRecord> {
    serde_json::from_value(json(row)?).map_err(unreadable)
}

fn json(row: &Row<'_>) -> rusqlite::Result<Value> {
    serde_json::from_str(row.get_ref(0)?.as_str()?).map_err(unreadable)
}

fn unreadable(error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
}
