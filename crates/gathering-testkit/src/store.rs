//! A state store in memory that can be told to fail.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use gathering_core::{
    AgentId, AgentRecord, Change, ConversationRecord, ConversationStore, PluginRecord, StateError, StateStore,
};
use serde_json::Value;

/// Keeps the state while the test runs. Give it to a second host to see what comes back after a restart.
#[derive(Default)]
pub struct MemoryStore {
    kept: Mutex<Kept>,
    is_full: AtomicBool,
}

#[derive(Default, Clone)]
struct Kept {
    plugins: Vec<PluginRecord>,
    directories: Vec<PathBuf>,
    agents: Vec<AgentRecord>,
    conversations: Vec<(ConversationRecord, Vec<Value>)>,
}

impl MemoryStore {
    /// From now on every change fails for want of room, or works again.
    pub fn set_full(&self, is_full: bool) {
        self.is_full.store(is_full, Ordering::SeqCst);
    }
}

impl StateStore for MemoryStore {
    fn plugins(&self) -> Result<Vec<PluginRecord>, StateError> {
        Ok(self.kept.lock().expect("no test panics in here").plugins.clone())
    }

    fn directories(&self) -> Result<Vec<PathBuf>, StateError> {
        Ok(self.kept.lock().expect("no test panics in here").directories.clone())
    }

    fn agents(&self) -> Result<Vec<AgentRecord>, StateError> {
        Ok(self.kept.lock().expect("no test panics in here").agents.clone())
    }

    fn apply(&self, changes: &[Change]) -> Result<(), StateError> {
        if self.is_full.load(Ordering::SeqCst) {
            return Err(StateError::StorageFull("the test says so".into()));
        }
        let mut kept = self.kept.lock().expect("no test panics in here");
        for change in changes {
            match change {
                Change::SavePlugin(record) => match kept.plugins.iter_mut().find(|held| held.id == record.id)
                {
                    Some(held) => *held = (**record).clone(),
                    None => kept.plugins.push((**record).clone()),
                },
                Change::RemovePlugin(id) => kept.plugins.retain(|held| held.id != *id),
                Change::AddDirectory(path) if kept.directories.contains(path) => {}
                Change::AddDirectory(path) => kept.directories.push(path.clone()),
                Change::SaveAgent(record) => match kept.agents.iter_mut().find(|held| held.id == record.id) {
                    Some(held) => *held = (**record).clone(),
                    None => kept.agents.push((**record).clone()),
                },
                Change::RemoveDirectory(path) => kept.directories.retain(|held| held != path),
            }
        }
        Ok(())
    }
}

impl ConversationStore for MemoryStore {
    fn conversations(&self, agent: &AgentId) -> Result<Vec<ConversationRecord>, StateError> {
        let kept = self.kept.lock().expect("no test panics in here");
        let of_agent =
            kept.conversations.iter().map(|(record, _)| record).filter(|record| record.agent == *agent);
        let mut records: Vec<_> = of_agent.cloned().collect();
        records.sort_by_key(|record| std::cmp::Reverse(record.updated_ms));
        Ok(records)
    }

    fn conversation(
        &self,
        agent: &AgentId,
        id: &str,
    ) -> Result<Option<(ConversationRecord, Vec<Value>)>, StateError> {
        let kept = self.kept.lock().expect("no test panics in here");
        Ok(kept.conversations.iter().find(|(record, _)| record.id == id && record.agent == *agent).cloned())
    }

    fn continue_conversation(
        &self,
        record: &ConversationRecord,
        messages: &[Value],
    ) -> Result<(), StateError> {
        if self.is_full.load(Ordering::SeqCst) {
            return Err(StateError::StorageFull("the test says so".into()));
        }
        let mut kept = self.kept.lock().expect("no test panics in here");
        match kept.conversations.iter_mut().find(|(held, _)| held.id == record.id) {
            Some((held, said)) => {
                *held = record.clone();
                said.extend_from_slice(messages);
            }
            None => kept.conversations.push((record.clone(), messages.to_vec())),
        }
        Ok(())
    }

    fn remove_conversation(&self, agent: &AgentId, id: &str) -> Result<bool, StateError> {
        let mut kept = self.kept.lock().expect("no test panics in here");
        let before = kept.conversations.len();
        kept.conversations.retain(|(record, _)| record.id != id || record.agent != *agent);
        Ok(kept.conversations.len() < before)
    }
}
