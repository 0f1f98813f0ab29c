//! What comes before a call is run, and what comes after: steps 1 to 4 of its path, and 6 and 7.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gathering_core::{CallContext, CallId, Caller, PluginStatus, ResultDigest, ToolError, ToolName, TraceId};
use tokio::sync::OwnedSemaphorePermit;

use crate::execute::{CallOptions, unknown};
use crate::gate;
use crate::host::{Host, Inner};
use crate::instance::{InFlight, NoPermit};
use crate::journal::{Arguments, Row};
use crate::tool::Tool;

/// A call that may be run now: its tool was found and passed the gate, its arguments fit, and it holds its permit.
///
/// Whoever runs it hands what came of it to [`Admitted::finish`]. A call that is dropped instead was given up by its caller:
/// it is not reported, and the journal says `cancelled`.
pub struct Admitted {
    host: Arc<Inner>,
    tool: Arc<Tool>,
    origin: Origin,
    call_id: CallId,
    row: Option<Row>,
    _in_flight: Option<InFlight>,
    _permit: Option<OwnedSemaphorePermit>,
}

/// Who makes a call that a program runs itself.
pub enum By<'a> {
    /// This caller, from outside of every other call.
    Caller(Caller, CallOptions),
    /// Whoever makes this call, from within which it comes: inside its deadline, and under its permit if it is the same
    /// plugin's.
    Within(&'a CallContext),
}

impl Host {
    /// The first half of [`Host::execute`], for a program that runs calls itself: looks the tool up, passes the gate, has
    /// `check` look at the arguments, and waits for a permit.
    ///
    /// `check` sees the arguments in whatever form they have, and is asked again if another generation of the plugin takes
    /// over meanwhile; see [`Tool::arguments`].
    pub async fn admit(
        &self,
        by: By<'_>,
        tool: &str,
        check: impl FnMut(&Tool) -> Result<(), ToolError>,
    ) -> Result<Admitted, ToolError> {
        let origin = Origin::of(&self.inner, by);
        Inner::admit(&self.inner, origin, self.inner.next_call(), tool, None, check).await
    }

    /// The same without waiting: `busy` if there is no permit at once, as there always is for what is in this process.
    pub fn admit_now(
        &self,
        by: By<'_>,
        tool: &str,
        mut check: impl FnMut(&Tool) -> Result<(), ToolError>,
    ) -> Result<Admitted, ToolError> {
        let this = &self.inner;
        let (origin, call_id) = (Origin::of(this, by), this.next_call());
        let row = Row::begin(this, &origin, call_id, tool, None)?;
        let entered = this.enter_now(&origin, call_id, tool, &mut check);
        Admitted::new(this, origin, call_id, row, entered)
    }
}

/// The tool that a call came through to, and what it holds there.
type Entered = (Arc<Tool>, Option<InFlight>, Option<OwnedSemaphorePermit>);

impl Admitted {
    /// A call that came through, or the reason why not, which its row has then.
    fn new(
        host: &Arc<Inner>,
        origin: Origin,
        call_id: CallId,
        row: Option<Row>,
        entered: Result<Entered, ToolError>,
    ) -> Result<Self, ToolError> {
        match (entered, row) {
            (Ok((tool, _in_flight, _permit)), mut row) => {
                if let Some(row) = &mut row {
                    row.admit(&tool);
                }
                Ok(Self { host: host.clone(), tool, origin, call_id, row, _in_flight, _permit })
            }
            (Err(error), Some(row)) => Err(row.refuse(error)),
            (Err(error), None) => Err(error),
        }
    }

    /// The tool that is called.
    pub fn tool(&self) -> &Arc<Tool> {
        &self.tool
    }

    /// Who calls.
    pub fn caller(&self) -> &Caller {
        &self.origin.caller
    }

    /// Names the call.
    pub fn call_id(&self) -> CallId {
        self.call_id
    }

    /// Names what it belongs to.
    pub fn trace_id(&self) -> TraceId {
        self.origin.trace_id(self.call_id)
    }

    /// How long the call may take, counted from its beginning.
    pub fn limit(&self) -> Duration {
        self.origin.limit
    }

    /// When it has taken that long.
    pub fn deadline(&self) -> Instant {
        self.origin.started + self.origin.limit
    }

    /// What travels with the call, for calls that its tool makes.
    pub fn context(&self) -> CallContext {
        let instance = &self.tool.instance;
        CallContext::new(
            self.call_id,
            self.trace_id(),
            self.origin.caller.clone(),
            instance.id.clone(),
            instance.number,
            self.deadline(),
            self.origin.parent.clone(),
            self.host.clone(),
        )
    }

    /// The second half of [`Host::execute`]: has `check` look at the result, keeps the row of the journal, reports what came
    /// of the call, and gives its permit back.
    ///
    /// `check` sees the result in whatever form it has; see [`Tool::result`]. No secret of the plugin is in the error. The row
    /// has no digest of the result.
    pub fn finish<T>(
        self,
        outcome: Result<T, ToolError>,
        check: impl FnOnce(&Tool, &T) -> Result<(), ToolError>,
    ) -> Result<T, ToolError> {
        self.conclude(outcome, |tool, made| check(tool, made).map(|()| None))
    }

    /// The same; `check` may change the result, and gives its digest if there is a journal.
    pub(crate) fn conclude<T>(
        self,
        outcome: Result<T, ToolError>,
        check: impl FnOnce(&Tool, &mut T) -> Result<Option<ResultDigest>, ToolError>,
    ) -> Result<T, ToolError> {
        let checked = outcome.and_then(|mut made| check(&self.tool, &mut made).map(|digest| (made, digest)));
        let checked = checked.map_err(|mut error| {
            self.tool.instance.secrets().redact_error(&mut error);
            error
        });
        let outcome = match self.row {
            Some(row) => row.finish(checked),
            None => checked.map(|(made, _)| made),
        };
        self.host.report(self.call_id, &self.tool, &self.origin, outcome.as_ref().err());
        outcome
    }
}

/// Who calls, since when and how long, and from within which call.
pub(crate) struct Origin {
    pub(crate) caller: Caller,
    pub(crate) started: Instant,
    pub(crate) limit: Duration,
    pub(crate) parent: Option<CallContext>,
}

impl Origin {
    fn of(host: &Inner, by: By<'_>) -> Self {
        match by {
            By::Caller(caller, options) => Self::root(host, caller, options),
            By::Within(cx) => Self::within(host, cx),
        }
    }

    /// A call that no other one makes.
    pub(crate) fn root(host: &Inner, caller: Caller, options: CallOptions) -> Self {
        let limits = &host.limits;
        let longest = gate::longest_call(&caller).unwrap_or(limits.max_timeout).min(limits.max_timeout);
        let limit = options.timeout.unwrap_or(limits.call_timeout).min(longest);
        Self { caller, started: Instant::now(), limit, parent: None }
    }

    /// A call that is made from within the call `cx`.
    pub(crate) fn within(host: &Inner, cx: &CallContext) -> Self {
        let started = Instant::now();
        let limit = cx.deadline().saturating_duration_since(started);
        Self { caller: host.caller_within(cx), started, limit, parent: Some(cx.clone()) }
    }

    fn deadline(&self) -> Instant {
        self.started + self.limit
    }

    /// What the call `call_id` belongs to, which is of this origin.
    pub(crate) fn trace_id(&self, call_id: CallId) -> TraceId {
        self.parent.as_ref().map_or(TraceId(call_id.0), CallContext::trace_id)
    }

    /// Whether it runs under the permit of the call that makes it, which is of the same generation.
    fn has_permit(&self, tool: &Tool) -> bool {
        let instance = &tool.instance;
        self.parent.as_ref().is_some_and(|parent| {
            parent.chain().any(|cx| cx.instance() == instance.number && *cx.plugin() == instance.id)
        })
    }
}

impl Inner {
    pub(crate) fn next_call(&self) -> CallId {
        CallId(self.ids.next())
    }

    /// Steps 1 to 4.
    pub(crate) async fn admit(
        this: &Arc<Self>,
        origin: Origin,
        call_id: CallId,
        tool: &str,
        arguments: Option<Arguments>,
        mut check: impl FnMut(&Tool) -> Result<(), ToolError>,
    ) -> Result<Admitted, ToolError> {
        let row = Row::begin(this, &origin, call_id, tool, arguments)?;
        let entered = this.enter(&origin, call_id, tool, &mut check).await;
        Admitted::new(this, origin, call_id, row, entered)
    }

    async fn enter(
        &self,
        origin: &Origin,
        call_id: CallId,
        tool: &str,
        check: &mut impl FnMut(&Tool) -> Result<(), ToolError>,
    ) -> Result<Entered, ToolError> {
        gate::count_call(&origin.caller)?;
        loop {
            let tool = self.let_through(origin, tool, check)?;
            // Who waits counts: a generation that is being retired waits for it.
            let in_flight = tool.instance.enter();
            let permit = if origin.has_permit(&tool) {
                Ok(None)
            } else {
                tool.instance.permit(self.limits.queue, origin.deadline()).await
            };
            match permit {
                Ok(permit) => return Ok((tool, in_flight, permit)),
                Err(no_permit) => self.no_permit(no_permit, call_id, origin, &tool)?,
            }
        }
    }

    fn enter_now(
        &self,
        origin: &Origin,
        call_id: CallId,
        tool: &str,
        check: &mut impl FnMut(&Tool) -> Result<(), ToolError>,
    ) -> Result<Entered, ToolError> {
        gate::count_call(&origin.caller)?;
        loop {
            let tool = self.let_through(origin, tool, check)?;
            let in_flight = tool.instance.enter();
            let permit = if origin.has_permit(&tool) { Ok(None) } else { tool.instance.permit_now() };
            match permit {
                Ok(permit) => return Ok((tool, in_flight, permit)),
                Err(no_permit) => self.no_permit(no_permit, call_id, origin, &tool)?,
            }
        }
    }

    /// Steps 1 to 3: looks the tool up, passes the gate and has the arguments checked, with no lock held.
    fn let_through(
        &self,
        origin: &Origin,
        tool: &str,
        check: &mut impl FnMut(&Tool) -> Result<(), ToolError>,
    ) -> Result<Arc<Tool>, ToolError> {
        let tool = self.passed(origin, tool)?;
        check(&tool)?;
        Ok(tool)
    }

    fn passed(&self, origin: &Origin, tool: &str) -> Result<Arc<Tool>, ToolError> {
        if self.is_shutting_down() {
            return Err(ToolError::ShuttingDown);
        }
        let snapshot = self.snapshot.load();
        let found = self.registered_tool(&snapshot, &origin.caller, tool)?;
        gate::may_call(self, &snapshot, &origin.caller, found)?;
        if let Some(parent) = &origin.parent
            && parent.chain().nth(self.limits.max_depth - 1).is_some()
        {
            let reason =
                format!("tools may call each other {} deep, and this call is deeper", self.limits.max_depth);
            return Err(ToolError::Forbidden { reason });
        }
        Ok(found.clone())
    }

    /// Step 4, if there is no permit: whether to look again, else why not.
    fn no_permit(
        &self,
        no_permit: NoPermit,
        call_id: CallId,
        origin: &Origin,
        tool: &Tool,
    ) -> Result<(), ToolError> {
        // A new generation has taken over, or nobody has; looking again tells which.
        if matches!(no_permit, NoPermit::Stopped) && self.is_replaced(tool) {
            return Ok(());
        }
        let error = refusal(no_permit, origin, tool);
        self.report(call_id, tool, origin, Some(&error));
        Err(error)
    }

    fn is_replaced(&self, tool: &Tool) -> bool {
        let snapshot = self.snapshot.load();
        snapshot.tools.get(tool.name.as_str()).is_some_and(|now| now.instance.number != tool.instance.number)
    }

    /// The tool of this name, whoever may call it.
    pub(crate) fn registered_tool<'a>(
        &self,
        snapshot: &'a crate::Snapshot,
        caller: &Caller,
        tool: &str,
    ) -> Result<&'a Arc<Tool>, ToolError> {
        snapshot.tools.get(tool).ok_or_else(|| {
            let visible = self.visible_tools(snapshot, caller);
            unknown(tool, visible.iter().map(|tool| -> &ToolName { &tool.name }))
        })
    }
}

fn refusal(no_permit: NoPermit, origin: &Origin, tool: &Tool) -> ToolError {
    match no_permit {
        NoPermit::Busy(waiting) => ToolError::Busy { plugin: tool.plugin().clone(), waiting },
        NoPermit::TimedOut => ToolError::TimedOut { tool: tool.name.clone(), limit: origin.limit },
        NoPermit::Stopped => {
            let reason = "it was unloaded before the call began".to_owned();
            ToolError::WrongState { plugin: tool.plugin().clone(), status: PluginStatus::Unloaded, reason }
        }
    }
}
