//! Making, finding, changing and deleting agents.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use gathering_core::{
    AgentId, AgentRecord, AgentRights, Caller, Change, HeldCompetency, StateError, StateStore,
};
use gathering_host::{Host, Tool};

use crate::check;
use crate::error::AgentError;
use crate::info::{AgentInfo, NewToken};
use crate::known::{Known, digest, new_token};
use crate::request::{AgentChange, CompetencyGrant, NewAgent};

/// The agents of a host. Cloning gives the same ones.
#[derive(Clone)]
pub struct Agents {
    inner: Arc<Inner>,
}

struct Inner {
    host: Host,
    store: Option<Arc<dyn StateStore>>,
    known: ArcSwap<Known>,
    /// Held while agents are changed and saved; readers never wait for it.
    writer: tokio::sync::Mutex<()>,
}

impl Agents {
    /// Agents of `host` that are gone when this is.
    pub fn new(host: Host) -> Self {
        Self::over(host, None, Known::default())
    }

    /// The agents of `host` that are kept in `store`. May block.
    pub fn open(host: Host, store: Arc<dyn StateStore>) -> Result<Self, StateError> {
        let records = store.agents()?.into_iter().map(Arc::new).collect();
        let known = Known::new(records, &Known::default());
        Ok(Self::over(host, Some(store), known))
    }

    fn over(host: Host, store: Option<Arc<dyn StateStore>>, known: Known) -> Self {
        let inner =
            Inner { host, store, known: ArcSwap::from_pointee(known), writer: tokio::sync::Mutex::default() };
        Self { inner: Arc::new(inner) }
    }

    /// Whether there is an agent, or ever was one: from then on nobody is taken for the operator who does not show it.
    pub fn were_made(&self) -> bool {
        !self.inner.known.load().members.is_empty()
    }

    /// The agents in the order of their making.
    pub fn list(&self) -> Vec<AgentInfo> {
        self.inner.known.load().living().map(|member| AgentInfo::from(&*member.record)).collect()
    }

    /// What is known of an agent. Case makes no difference in its id.
    pub fn get(&self, id: &str) -> Result<AgentInfo, AgentError> {
        Ok(AgentInfo::from(&*check::living(&self.inner.known.load(), id)?.record))
    }

    /// What an agent may do at this moment.
    pub fn rights(&self, id: &str) -> Result<Arc<AgentRights>, AgentError> {
        Ok(check::living(&self.inner.known.load(), id)?.rights.clone())
    }

    /// Whoever has this token.
    pub fn by_token(&self, token: &str) -> Option<Caller> {
        Some(Caller::Agent(self.inner.known.load().by_token(token)?.rights.clone()))
    }

    /// The tools that an agent may call, in the order of registration.
    pub fn tools(&self, id: &str) -> Result<Arc<[Arc<Tool>]>, AgentError> {
        Ok(self.inner.host.tools_for(&Caller::Agent(self.rights(id)?)))
    }

    /// Makes an agent. Its competencies and tools have to be registered.
    pub async fn create(&self, agent: NewAgent) -> Result<NewToken, AgentError> {
        let _writer = self.inner.writer.lock().await;
        let known = self.inner.known.load_full();
        let snapshot = self.inner.host.snapshot();
        let name = check::line("/name", &agent.name)?;
        let competencies = check::competencies(&snapshot, &agent.competencies)?;
        let parent = agent.parent.as_deref().map(|id| check::living(&known, id)).transpose()?;
        check::within_parent(&snapshot, parent.map(|parent| &*parent.rights), &competencies)?;
        let token = new_token();
        let record = AgentRecord {
            id: check::new_id(&known, &name),
            name,
            token_sha256: digest(&token),
            competencies,
            tools: check::rules(&snapshot, agent.allowed_tools.as_deref(), &agent.denied_tools)?,
            limits: check::limits(agent.limits)?,
            provider: agent.provider.map(|text| check::line("/provider", &text)).transpose()?,
            model: agent.model.map(|text| check::line("/model", &text)).transpose()?,
            instructions: check::instructions(agent.instructions)?,
            parent: parent.map(|parent| parent.record.id.clone()),
            created_ms: now_ms(),
            deleted: false,
        };
        let agent = AgentInfo::from(&record);
        self.inner.save(&known, vec![record]).await?;
        Ok(NewToken { agent, token })
    }

    /// Changes what is said of an agent.
    pub async fn update(&self, id: &str, change: AgentChange) -> Result<AgentInfo, AgentError> {
        self.change(id, |snapshot, record, _| {
            if let Some(name) = &change.name {
                record.name = check::line("/name", name)?;
            }
            if let Some(provider) = change.provider {
                record.provider = provider.map(|text| check::line("/provider", &text)).transpose()?;
            }
            if let Some(model) = change.model {
                record.model = model.map(|text| check::line("/model", &text)).transpose()?;
            }
            if let Some(instructions) = change.instructions {
                record.instructions = check::instructions(instructions)?;
            }
            if let Some(limits) = change.limits {
                record.limits = check::limits(limits)?;
            }
            // What is not said is not looked up again: its plugin may be unloaded at the moment.
            if let Some(allowed) = &change.allowed_tools {
                record.tools.allowed = check::rules(snapshot, allowed.as_deref(), &[])?.allowed;
            }
            if let Some(denied) = &change.denied_tools {
                record.tools.denied = check::rules(snapshot, None, denied)?.denied;
            }
            Ok(())
        })
        .await
    }

    /// Lets an agent hold competencies; one that it holds already has the new level then.
    pub async fn grant(&self, id: &str, granted: &[CompetencyGrant]) -> Result<AgentInfo, AgentError> {
        self.change(id, |snapshot, record, parent| {
            let granted = check::competencies(snapshot, granted)?;
            check::within_parent(snapshot, parent, &granted)?;
            for new in granted {
                match record.competencies.iter_mut().find(|held| held.id == new.id) {
                    Some(held) => *held = new,
                    None => record.competencies.push(new),
                }
            }
            Ok(())
        })
        .await
    }

    /// Takes a competency from an agent. What its calls in flight go on to call is refused with it.
    pub async fn revoke(&self, id: &str, competency: &str) -> Result<AgentInfo, AgentError> {
        self.change(id, |_, record, _| {
            let before = record.competencies.len();
            record.competencies.retain(|held| !held.id.as_str().eq_ignore_ascii_case(competency));
            if record.competencies.len() < before {
                return Ok(());
            }
            Err(AgentError::NotHeld {
                agent: record.id.clone(),
                competency: check::shortened(competency),
                held: holding(&record.competencies),
            })
        })
        .await
    }

    /// Gives an agent another token; the one of before is worth nothing then.
    pub async fn renew_token(&self, id: &str) -> Result<NewToken, AgentError> {
        let token = new_token();
        let agent = self
            .change(id, |_, record, _| {
                record.token_sha256 = digest(&token);
                Ok(())
            })
            .await?;
        Ok(NewToken { agent, token })
    }

    /// Deletes an agent and, with `cascade`, those below it. Returns their ids. Nobody gets these ids again.
    pub async fn delete(&self, id: &str, cascade: bool) -> Result<Vec<AgentId>, AgentError> {
        let _writer = self.inner.writer.lock().await;
        let known = self.inner.known.load_full();
        let agent = check::living(&known, id)?.record.id.clone();
        let below = known.below(agent.as_str());
        if !below.is_empty() && !cascade {
            let children = below.iter().map(|member| member.record.id.to_string()).collect();
            return Err(AgentError::HasDependents { agent, children });
        }
        let deleted: Vec<_> =
            below.iter().rev().map(|member| member.record.id.clone()).chain([agent]).collect();
        let records = deleted.iter().cloned().map(AgentRecord::deleted).collect();
        self.inner.save(&known, records).await?;
        Ok(deleted)
    }

    async fn change(
        &self,
        id: &str,
        change: impl FnOnce(
            &gathering_host::Snapshot,
            &mut AgentRecord,
            Option<&AgentRights>,
        ) -> Result<(), AgentError>,
    ) -> Result<AgentInfo, AgentError> {
        let _writer = self.inner.writer.lock().await;
        let known = self.inner.known.load_full();
        let member = check::living(&known, id)?;
        let mut record = (*member.record).clone();
        change(&self.inner.host.snapshot(), &mut record, member.rights.parent.as_deref())?;
        let info = AgentInfo::from(&record);
        self.inner.save(&known, vec![record]).await?;
        Ok(info)
    }

    pub(crate) fn host(&self) -> &Host {
        &self.inner.host
    }
}

impl Inner {
    /// Saves `records`, lets everybody see them, and takes back the rights that were wider before. The caller is the writer.
    async fn save(&self, known: &Known, records: Vec<AgentRecord>) -> Result<(), AgentError> {
        if let Some(store) = &self.store {
            let changes: Vec<_> =
                records.iter().map(|record| Change::SaveAgent(Box::new(record.clone()))).collect();
            let store = store.clone();
            let saved = tokio::task::spawn_blocking(move || store.apply(&changes)).await;
            saved.unwrap_or_else(|panic| Err(StateError::Failed(panic.to_string())))?;
        }
        let mut all: Vec<Arc<AgentRecord>> =
            known.members.iter().map(|member| member.record.clone()).collect();
        for record in records.into_iter().map(Arc::new) {
            match all.iter_mut().find(|held| held.id == record.id) {
                Some(held) => *held = record,
                None => all.push(record),
            }
        }
        let next = Known::new(all, known);
        let narrowed: Vec<_> = known
            .living()
            .filter(|before| {
                next.at(before.record.id.as_str()).is_none_or(|now| narrows(&before.record, &now.record))
            })
            .map(|before| before.rights.clone())
            .collect();
        self.known.store(Arc::new(next));
        narrowed.iter().for_each(|rights| rights.withdraw());
        Ok(())
    }
}

/// Whether something that `before` let an agent do may be refused to it now.
fn narrows(before: &AgentRecord, now: &AgentRecord) -> bool {
    let keeps = |held: &HeldCompetency| {
        now.competencies.iter().any(|now| now.id == held.id && now.level.satisfies(&held.level))
    };
    now.deleted || !before.competencies.iter().all(keeps) || before.tools != now.tools
}

fn holding(held: &[HeldCompetency]) -> String {
    match held {
        [] => "it holds nothing".to_owned(),
        held => {
            let held: Vec<_> = held.iter().map(|held| format!("`{}`", check::granted_as(held))).collect();
            format!("it holds {}", held.join(", "))
        }
    }
}

pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
